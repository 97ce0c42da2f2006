"""Requests: every field, and what is refused before anything is sent."""

import json
import re
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import picture

from facematch_core import (
    ConfigurationError,
    Environment,
    FaceVerifier,
    Image,
    ImageFormat,
    InvalidImage,
    Operation,
    Retention,
    Secret,
    Unsupported,
    __version__,
)
from facematch_core.testing import noise
from facematch_didit import DiditBackend

THRESHOLDS = {
    Operation.MATCH: "face_match_score_decline_threshold",
    Operation.LIVENESS: "face_liveness_score_decline_threshold",
}


@pytest.mark.parametrize("operation", THRESHOLDS)
def test_the_least_that_is_sent(operation, backend, make_call):
    """Threshold, turning and keeping are always said: Didit's own default keeps pictures."""
    request = backend.build(make_call(operation))
    assert request.fields == {
        THRESHOLDS[operation]: "30",
        "rotate_image": "false",
        "save_api_request": "false",
    }
    assert request.method == "POST"
    assert request.headers == {"x-api-key": backend.api_key}


@pytest.mark.parametrize("operation", THRESHOLDS)
def test_everything_that_can_be_sent(operation, backend, make_call):
    """Each portable option has its field; a kept call also carries our id of it."""
    call = make_call(
        operation,
        threshold=41.5,
        rotate=True,
        retention=Retention.KEEP,
        caller_ref="emp-0042",
        metadata={"gate": "nörd", "n": [1, None]},
    )
    fields = dict(backend.build(call).fields)
    assert json.loads(fields.pop("metadata")) == {
        "gate": "nörd",
        "n": [1, None],
        "facematch_attempt_id": call.call_id,
    }
    assert fields == {
        THRESHOLDS[operation]: "41.5",
        "rotate_image": "true",
        "save_api_request": "true",
        "vendor_data": "emp-0042",
    }


def test_addresses_and_files(backend, make_call):
    """Each operation has its path; the live face is `user_image`."""
    match, check = (backend.build(make_call(operation)) for operation in THRESHOLDS)
    assert match.url == "https://verification.didit.me/v3/face-match/"
    assert check.url == "https://verification.didit.me/v3/passive-liveness/"
    assert [(f.name, f.filename, f.data) for f in match.files] == [
        ("user_image", "user_image.jpg", picture().data),
        ("ref_image", "ref_image.jpg", picture((1, 2, 3)).data),
    ]
    assert [f.name for f in check.files] == ["user_image"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_file_names_end_as_didit_wants(kind, backend, make_call):
    """Didit judges by the ending, and takes five of them."""
    image = picture(kind=kind).prepared(backend.capabilities.image_limits)
    request = backend.build(attrs.evolve(make_call(), probe=image))
    assert re.fullmatch(r"user_image\.(tiff|jpe?g|png|webp)", request.files[0].filename)


@pytest.mark.parametrize("operation", THRESHOLDS)
def test_our_id_goes_only_where_something_is_kept(operation, backend, make_call):
    """Nothing of ours is added otherwise, and `vendor_data` is never touched."""
    kept = make_call(operation, retention=Retention.KEEP)
    fields = backend.build(kept).fields
    assert json.loads(fields["metadata"]) == {"facematch_attempt_id": kept.call_id}
    assert "vendor_data" not in fields
    forgotten = make_call(operation, metadata={"gate": "n"})
    assert json.loads(backend.build(forgotten).fields["metadata"]) == {"gate": "n"}


def test_nothing_empty_is_sent(backend, make_call):
    """What an empty text or object means to Didit is not documented."""
    fields = backend.build(make_call(caller_ref="", metadata={})).fields
    assert not {"vendor_data", "metadata"} & set(fields)


@given(value=st.floats(0, 100))
def test_threshold_text(value, backend, make_call):
    """The same number, in full, without an exponent; whole numbers without a fraction."""
    text = backend.build(make_call(threshold=value)).fields[THRESHOLDS[Operation.MATCH]]
    assert re.fullmatch(r"[0-9]+(\.[0-9]*[1-9])?", text)
    assert float(Decimal(text)) == value


def test_a_call_without_a_threshold_sends_the_default(backend, make_call):
    """The threshold is always sent, also past the verifier."""
    call = attrs.evolve(make_call(), threshold=None)
    assert backend.build(call).fields[THRESHOLDS[Operation.MATCH]] == "30"


def test_caller_ref_of_255_characters(canned, make_call):
    """Longer than that is refused, and nothing is sent."""
    backend, adapter = canned()
    call = make_call()
    assert backend.build(attrs.evolve(call, caller_ref="ö" * 255))
    with FaceVerifier(backend) as verifier, pytest.raises(Unsupported) as caught:
        verifier.verify(call.probe, call.reference, caller_ref="ö" * 256)
    assert (caught.value.what, caught.value.backend) == ("caller_ref", "didit")
    assert adapter.seen == []


@pytest.mark.parametrize("blank", [" ", "\t\n", "\u00a0"])
def test_a_caller_ref_of_white_space(blank, canned, make_call):
    """The lists cannot be asked for it, so it is refused before it is sent."""
    backend, adapter = canned()
    call = make_call()
    with FaceVerifier(backend) as verifier, pytest.raises(Unsupported, match="white space"):
        verifier.verify(call.probe, call.reference, caller_ref=blank, retention="keep")
    assert adapter.seen == []


def test_five_megabytes(backend):
    """Five million bytes are the limit; a heavier picture is fitted, or refused if it may not."""
    heavy = noise(1, (1400, 1200), ImageFormat.PNG)
    limits = backend.capabilities.image_limits
    assert heavy.size_bytes > 5_000_000
    assert heavy.prepared(limits).size_bytes <= 5_000_000
    with pytest.raises(InvalidImage):
        heavy.prepared(limits, fit=False)


def test_what_is_sent_over_http(canned, answers, make_call):
    """The key in its header alone, our name and version, and a form."""
    backend, adapter = canned(200, answers["match_approved"])
    backend.match(make_call(caller_ref="emp-0042"))
    (sent,) = adapter.seen
    key = backend.api_key.reveal()
    assert sent.headers["x-api-key"] == key
    assert sent.headers["User-Agent"] == f"facematch-core/{__version__}"
    assert sent.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert key not in sent.url
    assert key.encode() not in sent.body


def test_no_key_of_a_netrc(canned, answers, make_call, tmp_path, monkeypatch):
    """A login that somebody keeps for other programs is not sent along."""
    (tmp_path / "netrc").write_text("machine verification.didit.me login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    backend, adapter = canned(200, answers["match_approved"])
    backend.match(make_call())
    assert "Authorization" not in adapter.seen[0].headers


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"api_key": ""}, "DIDIT_API_KEY"),
        ({"base_url": "https://didit.example"}, "allow_base_url"),
        ({"base_url": "http://verification.didit.me"}, "allow_insecure"),
        ({"base_url": "http://mock:8080", "allow_base_url": True}, "allow_insecure"),
        ({"base_url": "https://user@verification.didit.me"}, "base_url"),
        ({"allow_base_url": "false"}, "allow_base_url"),
        ({"allow_insecure": 1}, "allow_insecure"),
        ({"environment": "staging"}, "environment"),
        ({"environment": Environment.LOCAL}, "environment"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
        ({"read_timeout_s": True}, "read_timeout_s"),
        ({"connect_timeout_s": float("nan")}, "connect_timeout_s"),
        ({"connect_timeout_s": "10"}, "connect_timeout_s"),
    ],
)
def test_wrong_settings(settings, word):
    """Refused when the backend is made, with the name of what is wrong."""
    with pytest.raises(ConfigurationError, match=word):
        DiditBackend(**{"api_key": "some-key"} | settings)


def test_right_settings(make_call):
    """A mock on this machine needs no permission, another host needs one, or two."""
    for settings in (
        {"base_url": "http://127.0.0.1:8080/"},
        {"base_url": "https://didit.example", "allow_base_url": True},
        {"base_url": "http://mock:8080", "allow_base_url": True, "allow_insecure": True},
    ):
        backend = DiditBackend(api_key=Secret("some-key"), **settings)
        url = settings["base_url"].rstrip("/")
        assert backend.build(make_call()).url == f"{url}/v3/face-match/"


def test_the_environment_may_be_named(backend):
    """By its word, as in a configuration file; unless it is said nobody knows."""
    assert backend.environment is None
    sandbox = DiditBackend(api_key="some-key", environment="sandbox")
    assert sandbox.environment is Environment.SANDBOX
    assert sandbox.read_timeout_s >= 30


def test_only_kept_calls_can_be_looked_up(backend, make_call):
    """An unknown outcome is settled by Didit's records, if there are any."""
    kept = make_call(retention=Retention.KEEP)
    assert backend.reconcilable(kept)
    assert not backend.reconcilable(make_call())
    sandbox = DiditBackend(api_key="some-key", environment="sandbox")
    assert not sandbox.reconcilable(kept)


def test_pictures_of_the_verifier_are_prepared(canned, answers):
    """A format that Didit does not take is encoded anew."""
    backend, adapter = canned(200, answers["match_approved"])
    gif: Image = picture(kind="GIF")
    with FaceVerifier(backend) as verifier:
        verifier.verify(gif, gif)
    assert b'filename="user_image.jpg"' in adapter.seen[0].body
