"""The backend `azure` and the mock: what is sent, what it costs, and what fails half way."""

import pytest

from facematch_azure import AzureBackend
from facematch_core import Charged, Decision, FaceVerifier, WarningCode
from facematch_core.errors import (
    AuthenticationFailed,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    VendorUnavailable,
)
from facematch_mock_server import Fault, Kind, MockServer, Stage, card_sheet

CARDS = card_sheet()
DETECT, VERIFY = "/face/v1.2/detect", "/face/v1.2/verify"


@pytest.fixture
def mock():
    with MockServer(vendor="azure") as served:
        yield served


def compare(mock, probe="p1", reference="p1-again", *, key=None, **options):
    """A comparison of two cards."""
    backend = AzureBackend(api_key=key or mock.live_key, base_url=mock.url)
    with FaceVerifier(backend) as verifier:
        return verifier.verify(CARDS[probe].data, CARDS[reference].data, **options)


def test_one_person_and_two(mock):
    """Three transactions each."""
    same, other = compare(mock), compare(mock, "p2")
    assert (same.decision, same.score.value) == (Decision.MATCH, 95.466)
    assert (other.decision, other.score.value) == (Decision.NO_MATCH, 15.355)
    assert (same.billing.charged, same.billing.charges) == (Charged.YES, 3)
    charges = mock.control.charges()
    assert [charge.what for charge in charges] == ["DETECT", "DETECT", "VERIFY"] * 2
    assert [charges[2].request_id, charges[5].request_id] == [same.ids.vendor, other.ids.vendor]
    assert len({charge.request_id for charge in charges}) == 6


def test_it_asks_for_the_newest_models_and_the_shortest_life(mock):
    """And for nothing that it does not need."""
    compare(mock)
    asked = mock.control.journal()[0]
    assert asked.fields == {
        "returnFaceId": "true",
        "returnRecognitionModel": "true",
        "recognitionModel": "recognition_04",
        "detectionModel": "detection_03",
        "faceIdTimeToLive": "60",
    }


def test_the_largest_face_counts(mock):
    """And the result says that there are others."""
    result = compare(mock, "two-faces", "p1")
    assert result.decision is Decision.MATCH
    assert [warning.code for warning in result.warnings] == [WarningCode.MULTIPLE_FACES]
    assert [face.compared for face in result.probe_faces] == [True, False]


@pytest.mark.parametrize(
    ("probe", "reference", "charges"), [("no-face", "p1", 1), ("p1", "no-face", 2)]
)
def test_without_a_face_nothing_more_is_asked(mock, probe, reference, charges):
    """As many requests as charges."""
    result = compare(mock, probe, reference)
    assert result.decision is Decision.INCONCLUSIVE
    assert result.billing.charges == len(mock.control.charges()) == charges
    assert len(mock.control.journal()) == charges


def test_a_limit_that_is_reached_half_way(mock):
    """Two transactions are paid: the error says so, and the call is not repeated by itself."""
    mock.control.set_limit("resource", 2)
    with pytest.raises(RateLimited) as refused:
        compare(mock)
    assert (refused.value.billing.charged, refused.value.billing.charges) == (Charged.YES, 2)
    assert len(mock.control.charges()) == 2
    assert refused.value.retry_after_s == 1
    assert not refused.value.retryable


def test_an_id_that_is_forgotten_half_way(mock):
    """As after more than a minute between two requests."""
    mock.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=404, path=VERIFY))
    with pytest.raises(VendorUnavailable, match="knows a face id of this call no more") as gone:
        compare(mock)
    assert gone.value.billing.charges == 2
    assert not gone.value.retryable


@pytest.mark.parametrize("path", [DETECT, VERIFY])
def test_an_answer_that_is_lost(mock, path):
    """Whatever was asked: nobody knows, and nothing is asked again."""
    mock.control.add_fault(
        Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.TRUNCATE, executed=True, path=path)
    )
    with pytest.raises(OutcomeUnknown) as lost:
        compare(mock)
    assert lost.value.billing.charged is Charged.UNKNOWN
    assert len(mock.control.charges()) == (1 if path == DETECT else 3)


def test_a_wrong_key(mock):
    """Free, and told before the second picture is sent."""
    with pytest.raises(AuthenticationFailed, match="invalid subscription key") as refused:
        compare(mock, key="wrong")
    assert refused.value.billing.charged is Charged.NO
    assert len(mock.control.journal()) == 1
    assert len(refused.value.ids.vendor) == 36


def test_a_resource_without_approval():
    """The error says whom to ask."""
    with (
        MockServer(vendor="azure", switches={"access": "unapproved"}) as mock,
        pytest.raises(PermissionDenied, match="no approval for verification"),
    ):
        compare(mock)
