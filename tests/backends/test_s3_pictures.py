"""Pictures in S3: sent by their names alone, to the one backend that takes them, and masked."""

import asyncio
import json

import attrs
import pytest
from kit.fakes import FakeBackend, json_reply, match_call
from kit.scripted import ScriptedAdapter
from kit.vendors import PAID, open_backend, settings_at

import facematch_core as fm
from facematch_core import Charged, S3Picture
from facematch_mock_server import MockServer, make_card
from facematch_rekognition import UnreadableObject

BUCKET = "canary-bucket-5b1e"
KEY = "customers/canary-key-90c2.jpg"
VERSION = "canary-version-77aa"
PICTURE = S3Picture(BUCKET, KEY, version=VERSION)
OTHER = make_card("p1")


@pytest.fixture
def mock(at_end):
    return at_end.enter_context(MockServer(vendor="rekognition"))


@pytest.fixture
def verifier(mock, at_end):
    opened = fm.open_verifier("rekognition", **settings_at(mock, "rekognition"))
    return at_end.enter_context(opened)


# The class


@pytest.mark.parametrize(
    ("bucket", "key", "version"),
    [
        ("ab", "k", None),
        ("", "k", None),
        (None, "k", None),
        ("arn:aws:s3:::photos", "k", None),
        ("https://photos.s3.amazonaws.com", "k", None),
        ("photos", "", None),
        ("photos", "k" * 1025, None),
        ("photos", None, None),
        ("photos", b"k", None),
        ("photos", "k", ""),
        ("photos", "k", 7),
    ],
)
def test_an_invalid_name_is_refused_and_not_quoted(bucket, key, version):
    with pytest.raises(fm.InvalidRequest) as caught:
        S3Picture(bucket, key, version)
    if bucket and len(str(bucket)) > 3:
        assert str(bucket) not in str(caught.value)


def test_its_identity_is_bucket_key_and_version():
    assert S3Picture(BUCKET, KEY, VERSION) == PICTURE
    assert len({PICTURE, S3Picture(BUCKET, KEY, VERSION), S3Picture(BUCKET, KEY, "2")}) == 2
    assert PICTURE.identity == (BUCKET, KEY, VERSION)
    # Without a version the object may have been replaced: nothing about it was answered before.
    assert S3Picture(BUCKET, KEY).identity is None


def test_it_shows_no_name_and_has_no_bytes():
    request = attrs.evolve(match_call(), probe=PICTURE, reference=PICTURE)
    for text in (BUCKET, KEY, VERSION):
        assert text not in f"{PICTURE} {PICTURE!r} {[PICTURE]} {request!r}"
    for name in ("data", "digest", "size_bytes", "format"):
        assert not hasattr(PICTURE, name)


# At Rekognition


@pytest.mark.parametrize("version", [None, VERSION])
def test_rekognition_reads_both_pictures_itself(mock, verifier, version):
    place = f"{BUCKET}/{KEY}" if version is None else f"{BUCKET}/{KEY}?versionId={version}"
    mock.control.pictures[place] = "p1"
    mock.control.pictures[f"{BUCKET}/again.jpg"] = "p1-again"
    result = verifier.verify(S3Picture(BUCKET, KEY, version), S3Picture(BUCKET, "again.jpg"))
    assert result.is_match
    assert verifier.verify(make_card("p2"), S3Picture(BUCKET, KEY, version)).is_match is False
    assert len(mock.control.charges()) == 2


def test_only_the_names_are_sent():
    backend = open_backend("rekognition", reference_quality=True)
    request = attrs.evolve(match_call(), probe=S3Picture(BUCKET, KEY), reference=PICTURE)
    steps = backend.steps(request)
    detection = next(steps)
    assert detection.json == {
        "Image": {"S3Object": {"Bucket": BUCKET, "Name": KEY, "Version": VERSION}}
    }
    comparison = steps.send(json_reply({"FaceDetails": [{}]}))
    assert comparison.json["TargetImage"] == {"S3Object": {"Bucket": BUCKET, "Name": KEY}}


def test_async_takes_it_too(mock, at_end):
    mock.control.pictures[f"{BUCKET}/{KEY}"] = "p1"

    async def verify():
        settings = settings_at(mock, "rekognition")
        async with fm.open_async_verifier("rekognition", **settings) as opened:
            return await opened.verify(S3Picture(BUCKET, KEY), OTHER)

    assert asyncio.run(verify()).is_match


def test_an_object_that_cannot_be_read_is_no_picture_without_a_face(mock, verifier):
    with pytest.raises(fm.InvalidRequest) as caught:
        verifier.verify(PICTURE, OTHER)
    error = caught.value
    assert type(error) is UnreadableObject
    assert isinstance(error, fm.RequestRejected)
    assert error.billing.charged is Charged.NO
    assert mock.control.charges() == ()
    for text in (BUCKET, KEY, VERSION):
        assert text not in str(error)


def test_a_picture_in_s3_may_be_too_small_where_no_face_is_found(mock, verifier):
    mock.control.pictures[f"{BUCKET}/{KEY}"] = "no-face"
    result = verifier.verify(S3Picture(BUCKET, KEY), OTHER)
    assert result.decision is fm.Decision.INCONCLUSIVE
    (warning,) = result.warnings
    assert warning.code is fm.WarningCode.NO_FACE
    assert "80 pixels" in warning.text


@pytest.mark.parametrize("status", [200, 400, 500])
def test_no_answer_shows_the_names(status, caplog):
    backend = open_backend("rekognition")
    names = f"{BUCKET} {KEY} {VERSION}"
    body = {"__type": "SomethingNewException", "message": f"No access to {names}."}
    if status == 200:
        body = json.loads(json.dumps(COMPARED)) | {"Note": names}
    backend.client.mount("https://", ScriptedAdapter(lambda _: (status, body)))
    with fm.FaceVerifier(backend) as verifier:
        try:
            shown = repr(verifier.verify(PICTURE, OTHER).to_dict())
        except fm.VendorError as error:
            shown = f"{error} {error!r} {error.__dict__}"
    for text in (BUCKET, KEY, VERSION):
        assert text not in shown + caplog.text


FACE = {
    "BoundingBox": {"Left": 0.1, "Top": 0.1, "Width": 0.5, "Height": 0.5},
    "Confidence": 99.0,
}
COMPARED = {"FaceMatches": [{"Face": FACE, "Similarity": 95.0}], "SourceImageFace": FACE}


# Everywhere else it is refused, and nothing is sent


def refuse(verify):
    with pytest.raises(fm.InvalidImage) as caught:
        verify(OTHER, PICTURE)
    assert caught.value.picture == "reference"
    assert BUCKET not in str(caught.value)


@pytest.mark.parametrize("vendor", [*sorted({*PAID} - {"rekognition"}), "fake"])
def test_another_backend_refuses_it(vendor):
    backend = FakeBackend() if vendor == "fake" else open_backend(vendor)
    assert not backend.capabilities.takes_s3
    with fm.FaceVerifier(backend) as verifier:
        refuse(verifier.verify)


def test_liveness_and_verify_live_refuse_it(mock, verifier):
    with pytest.raises(fm.InvalidImage):
        verifier.check_liveness(PICTURE)
    refuse(verifier.verify_live)
    assert not mock.control.journal()


@pytest.fixture
def members(mock):
    return {
        name: fm.open_verifier("rekognition", **settings_at(mock, "rekognition"))
        for name in ("first", "second")
    }


@pytest.fixture(params=["failover", "share", "shadow"])
def outer(request, members, at_end, tmp_path):
    """A verifier of several, of which each member would take the picture."""
    if request.param == "failover":
        return at_end.enter_context(fm.Failover(members))
    if request.param == "share":
        return at_end.enter_context(fm.Share(members, percent={"first": 50, "second": 50}))
    log = fm.CallLog(f"sqlite:///{tmp_path}/calls.sqlite3", key="k" * 32)
    shadow = fm.Shadow(members["first"], members["second"], log=log, fraction=1.0)
    return at_end.enter_context(shadow)


def test_a_verifier_of_several_refuses_it(outer, mock):
    refuse(lambda *pair: outer.verify(*pair, caller_ref="customer-17"))
    assert not mock.control.journal()


def test_a_batch_refuses_it_and_goes_on(mock, verifier):
    pairs = [(OTHER, PICTURE), (PICTURE, OTHER), (OTHER, make_card("p1", quality=60))]
    first, second, third = verifier.verify_many(pairs)
    assert type(first.error) is type(second.error) is fm.InvalidImage
    assert third.result.is_match
    assert len(mock.control.charges()) == 1


def test_a_session_refuses_it_as_a_reference(at_end):
    with MockServer(vendor="azure") as azure:
        settings = settings_at(azure, "azure")
        opened = fm.open_sessions("azure", require_environment="mock", **settings)
        sessions = at_end.enter_context(opened)
        record = sessions.plan("customer-17", purpose="payout")
        with pytest.raises(fm.InvalidImage):
            sessions.start(record, reference=PICTURE)
        assert azure.control.sessions.all() == ()
