"""The backend `deepvue` against the mock server: verdicts, tokens, refusals, faults, the bill."""

import contextlib

import pytest

import facematch_core as fm
from facematch_core import errors
from facematch_deepvue import DeepvueBackend, NoVerdict
from facematch_mock_server import make_card

SELFIE, DOCUMENT = make_card("p1"), make_card("p1", quality=60)
OTHER = make_card("p2")


@pytest.fixture
def mock(deepvue_server):
    return deepvue_server


def charged(mock):
    """How many calls the mock has in its ledger."""
    return len(mock.control.charges())


@pytest.fixture
def open_verifier(mock):
    with contextlib.ExitStack() as opened:

        def make(**settings):
            usual = {
                "client_id": "mock-client",
                "client_secret": mock.live_key,
                "base_url": mock.url,
                "confidence_scale": "percent",
            }
            return opened.enter_context(fm.FaceVerifier(DeepvueBackend(**usual | settings)))

        yield make


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_match_and_a_mismatch_are_results_and_charged(open_verifier, mock, version):
    verifier = open_verifier(api_version=version)
    match = verifier.verify(SELFIE, DOCUMENT, threshold=60)
    assert (match.decision, match.score.scale) == (fm.Decision.MATCH, f"deepvue/{version}")
    assert match.score.value >= 60
    assert (match.created_at is None) is (version == "v2")
    other = verifier.verify(SELFIE, OTHER, threshold=60)
    assert (other.decision, other.score) == (fm.Decision.NO_MATCH, None)
    assert fm.WarningCode.SCORE_NOT_SIMILARITY in {w.code for w in other.warnings}
    assert {match.environment, other.environment} == {fm.Environment.MOCK}
    assert charged(mock) == 2


@pytest.mark.parametrize("form", ["base64", "data_uri"])
def test_liveness_is_yes_or_no_without_a_score_in_either_form(open_verifier, form):
    verifier = open_verifier(liveness_image_form=form)
    assert verifier.check_liveness(SELFIE).decision is fm.LivenessDecision.LIVE
    spoof = verifier.check_liveness(make_card("p1", liveness=5))
    assert spoof.decision is fm.LivenessDecision.NOT_LIVE
    held = verifier.check_liveness(SELFIE, threshold=50)
    assert (held.decision, held.score) == (fm.LivenessDecision.REVIEW, None)


def test_without_credit_nothing_is_charged(open_verifier, mock):
    mock.control.set_balance(0)
    verifier = open_verifier()
    with pytest.raises(errors.InsufficientCredit) as caught:
        verifier.verify(SELFIE, DOCUMENT)
    assert caught.value.billing.charged is fm.Charged.NO
    assert verifier.backend.wallet_balance().amount == 0


def test_no_face_is_never_a_mismatch(open_verifier, mock):
    faceless = make_card(faces=0)
    verifier = open_verifier()
    with pytest.raises(errors.RequestRejected, match="Face not detected"):
        verifier.verify(faceless, DOCUMENT)
    mock.control.reset(switches={"no_face": 200})
    with pytest.raises(NoVerdict) as caught:
        open_verifier(client_id="mock-client").verify(faceless, DOCUMENT)
    assert caught.value.sub_code not in (None, "SUCCESS")
    assert caught.value.billing.charged is fm.Charged.YES
