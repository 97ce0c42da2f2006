"""Requests of calls: every field, and what is refused before anything is sent."""

import json
import re
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import picture

import facematch_core as fm
from facematch_didit import DiditBackend

THRESHOLDS = {
    fm.Operation.MATCH: "face_match_score_decline_threshold",
    fm.Operation.LIVENESS: "face_liveness_score_decline_threshold",
}


@pytest.mark.parametrize("operation", THRESHOLDS)
def test_threshold_and_retention_are_always_sent(operation, backend, make_call):
    request = backend.build(make_call(operation))
    assert request.fields == {
        THRESHOLDS[operation]: "30",
        "save_api_request": "false",
    }
    assert request.method == "POST"
    assert request.headers["x-api-key"].reveal() == "didit-key-8c1f5e2ab9"


@pytest.mark.parametrize("operation", THRESHOLDS)
def test_every_option_is_sent(operation, backend, make_call):
    call = make_call(
        operation,
        threshold=41.5,
        retention=fm.Retention.KEEP,
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
        "save_api_request": "true",
        "vendor_data": "emp-0042",
    }


def test_our_call_id_is_sent_only_with_a_kept_call(backend, make_call):
    kept = make_call(retention=fm.Retention.KEEP)
    fields = backend.build(kept).fields
    assert json.loads(fields["metadata"]) == {"facematch_attempt_id": kept.call_id}
    assert "vendor_data" not in fields
    forgotten = make_call(metadata={"gate": "n"})
    assert json.loads(backend.build(forgotten).fields["metadata"]) == {"gate": "n"}


def test_each_operation_has_its_path_and_files(backend, make_call):
    match, check = (backend.build(make_call(operation)) for operation in THRESHOLDS)
    assert match.url == "https://verification.didit.me/v3/face-match/"
    assert check.url == "https://verification.didit.me/v3/passive-liveness/"
    assert [(f.name, f.filename, f.data) for f in match.files] == [
        ("user_image", "user_image.jpg", picture().data),
        ("ref_image", "ref_image.jpg", picture((1, 2, 3)).data),
    ]
    assert [f.name for f in check.files] == ["user_image"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_file_names_have_an_extension_that_didit_takes(kind, backend, make_call):
    image = picture(kind=kind).prepared(backend.capabilities.image_limits)
    request = backend.build(attrs.evolve(make_call(), probe=image))
    assert re.fullmatch(r"user_image\.(tiff|jpe?g|png|webp)", request.files[0].filename)


@given(value=st.floats(0, 100))
def test_a_threshold_is_written_in_full_without_an_exponent(value, backend, make_call):
    text = backend.build(make_call(threshold=value)).fields[THRESHOLDS[fm.Operation.MATCH]]
    assert re.fullmatch(r"[0-9]+(\.[0-9]*[1-9])?", text)
    assert float(Decimal(text)) == value


@pytest.mark.parametrize("reference", ["ö" * 256, " ", "\t\n", "\u00a0"])
def test_a_long_or_blank_caller_ref_is_refused_before_sending(reference, canned, make_call):
    backend, adapter = canned()
    call = make_call()
    assert backend.build(attrs.evolve(call, caller_ref="ö" * 255))
    with fm.FaceVerifier(backend) as verifier, pytest.raises(fm.Unsupported) as caught:
        verifier.verify(call.probe, call.reference, caller_ref=reference, retention="keep")
    assert (caught.value.what, caught.value.backend) == ("caller_ref", "didit")
    assert adapter.seen == []


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"api_key": ""}, "DIDIT_API_KEY"),
        ({"base_url": "https://didit.example"}, "allow_base_url"),
        ({"base_url": "http://mock:8080", "allow_base_url": True}, "allow_insecure"),
        ({"environment": fm.Environment.LOCAL}, "environment"),
        ({"webhook_secrets": "whsec\n"}, "webhook secret"),
        ({"webhook_secrets": ("whsec", "")}, "webhook secret"),
        ({"webhook_secrets": [fm.Secret("a b")]}, "webhook secret"),
        ({"webhook_secrets": 7}, "webhook secret"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_refused_by_its_name(settings, word):
    with pytest.raises(fm.ConfigurationError, match=word):
        DiditBackend(**{"api_key": "some-key"} | settings)


def test_only_kept_calls_with_a_live_key_can_be_looked_up(backend, make_call):
    kept = make_call(retention=fm.Retention.KEEP)
    assert backend.reconcilable(kept)
    assert not backend.reconcilable(make_call())
    assert not DiditBackend(api_key="some-key", environment="sandbox").reconcilable(kept)
