"""The backend `deepvue` against the mock server: verdicts, tokens, refusals, faults, the bill."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import facematch_core as fm
from facematch_core import errors
from facematch_deepvue import DeepvueBackend, NoVerdict
from facematch_mock_server import Fault, Kind, Stage, make_card

SELFIE, DOCUMENT = make_card("p1"), make_card("p1", quality=60)
OTHER = make_card("p2")


@pytest.fixture
def mock(deepvue_server):
    """The mock, whose rate is not limited unless a plan is set."""
    return deepvue_server


def charged(mock):
    """How many calls the mock has in its ledger."""
    return len(mock.control.charges())


@pytest.fixture
def open_verifier(mock):
    """Opens verifiers on the world of the test, with the settings of a careful user."""
    with contextlib.ExitStack() as opened:

        def make(**settings):
            own = {
                "client_id": "mock-client",
                "client_secret": mock.live_key,
                "base_url": mock.url,
                "confidence_scale": "percent",
            }
            return opened.enter_context(fm.FaceVerifier(DeepvueBackend(**own | settings)))

        yield make


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_match_and_a_mismatch(open_verifier, mock, version):
    """Both are results, on the scale of the version, and both are charged."""
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


def test_a_threshold_tightens(open_verifier):
    """Deepvue says yes to a score below the caller's threshold."""
    result = open_verifier().verify(SELFIE, DOCUMENT, threshold=99.5)
    assert result.decision is fm.Decision.NO_MATCH
    assert result.raw["data"]["match"] is True


def test_liveness(open_verifier):
    """Yes or no, and no score."""
    verifier = open_verifier()
    assert verifier.check_liveness(SELFIE).decision is fm.LivenessDecision.LIVE
    spoof = verifier.check_liveness(make_card("p1", liveness=5))
    assert spoof.decision is fm.LivenessDecision.NOT_LIVE
    held = verifier.check_liveness(SELFIE, threshold=50)
    assert (held.decision, held.score) == (fm.LivenessDecision.REVIEW, None)


@pytest.mark.parametrize("form", ["base64", "data_uri"])
def test_both_forms_of_a_picture(open_verifier, form):
    """The mock takes either, as nothing is documented."""
    verifier = open_verifier(liveness_image_form=form)
    assert verifier.check_liveness(SELFIE).is_live


def test_live_and_match_are_two_calls(open_verifier, mock):
    """And one, if the first says that nobody live is there."""
    verifier = open_verifier()
    assert verifier.verify_live(SELFIE, DOCUMENT, threshold=60).is_verified
    assert charged(mock) == 2
    verifier.verify_live(make_card("p1", liveness=5), DOCUMENT)
    assert charged(mock) == 3


@pytest.mark.parametrize("expiry", ["iso", "24hrs", "digits", "expires_in", "missing"])
def test_every_form_of_an_expiry(open_verifier, mock, expiry):
    """One login for two calls, however its end is told."""
    mock.control.reset(switches={"expiry": expiry})
    verifier = open_verifier()
    for _ in range(2):
        verifier.verify(SELFIE, DOCUMENT)
    assert mock.control.tokens.asked == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_taken_back(open_verifier, mock, status):
    """The call is repeated with a new one, and charged once."""
    mock.control.reset(switches={"bad_token": status})
    verifier = open_verifier()
    verifier.verify(SELFIE, DOCUMENT)
    assert mock.control.tokens.revoke() == 1
    assert verifier.verify(SELFIE, DOCUMENT, threshold=60).is_match
    assert (mock.control.tokens.asked, charged(mock)) == (2, 2)


def test_64_threads_log_in_once(open_verifier, mock):
    """Through one verifier, over the loopback."""
    verifier, start = open_verifier(), threading.Barrier(64)

    def one(_):
        start.wait(timeout=30)
        return verifier.verify(SELFIE, DOCUMENT, threshold=60).is_match

    with ThreadPoolExecutor(64) as pool:
        assert all(pool.map(one, range(64)))
    assert (mock.control.tokens.asked, charged(mock)) == (1, 64)


@pytest.mark.parametrize(
    "settings", [{"client_id": "nobody"}, {"client_secret": "wrong-secret"}], ids=str
)
def test_wrong_keys(open_verifier, mock, settings):
    """The login says so, and no picture leaves."""
    with pytest.raises(errors.AuthenticationFailed, match="The login failed") as caught:
        open_verifier(**settings).verify(SELFIE, DOCUMENT)
    assert caught.value.billing.charged is fm.Charged.NO
    assert charged(mock) == 0


def test_no_credit(open_verifier, mock):
    """Refused, not charged."""
    mock.control.set_balance(0)
    verifier = open_verifier()
    with pytest.raises(errors.InsufficientCredit) as caught:
        verifier.verify(SELFIE, DOCUMENT)
    assert caught.value.billing.charged is fm.Charged.NO
    assert verifier.backend.wallet_balance().amount == 0


def test_too_fast(open_verifier, mock):
    """Any of the three windows refuses."""
    mock.control.set_limit("minute", 1)
    verifier = open_verifier()
    verifier.verify(SELFIE, DOCUMENT)
    with pytest.raises(errors.RateLimited) as caught:
        verifier.verify(SELFIE, DOCUMENT)
    assert caught.value.retryable
    assert charged(mock) == 1


def test_no_face(open_verifier, mock):
    """Surfaced in the words that come, never as a mismatch."""
    faceless = make_card(faces=0)
    verifier = open_verifier()
    with pytest.raises(errors.RequestRejected, match="Face not detected"):
        verifier.verify(faceless, DOCUMENT)
    mock.control.reset(switches={"no_face": 200})
    with pytest.raises(NoVerdict) as caught:
        open_verifier(client_id="mock-client").verify(faceless, DOCUMENT)
    assert caught.value.sub_code not in (None, "SUCCESS")
    assert caught.value.billing.charged is fm.Charged.YES


@pytest.mark.parametrize("shape", ["detail", "envelope"])
def test_both_shapes_of_an_error(open_verifier, mock, shape):
    """The same error with the same words."""
    mock.control.reset(switches={"error_shape": shape})
    verifier = open_verifier()
    verifier.verify(SELFIE, DOCUMENT)
    # After the login, which would meet it otherwise.
    mock.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=500))
    with pytest.raises(errors.OutcomeUnknown, match="Internal Server Error") as caught:
        verifier.verify(SELFIE, DOCUMENT)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("data", "decision"),
    [
        ({"match": True, "confidence": 98}, fm.Decision.MATCH),
        ({"match": False, "confidence": 12}, fm.Decision.NO_MATCH),
        ({"match": False, "confidence": 97}, fm.Decision.NO_MATCH),
        ({"match": True, "confidence": None}, fm.Decision.REVIEW),
        ({"match": True, "confidence": 0.98}, fm.Decision.NO_MATCH),
        ({"match": True, "confidence": 1}, fm.Decision.NO_MATCH),
        ({"match": True, "confidence": "98"}, fm.Decision.MATCH),
        ({"match": True, "confidence": 101}, errors.UnexpectedResponse),
        ({"match": True, "confidence": -1}, errors.UnexpectedResponse),
        ({"match": True, "confidence": True}, errors.UnexpectedResponse),
        ({"confidence": 98}, errors.UnexpectedResponse),
        ({"match": "true", "confidence": 98}, errors.UnexpectedResponse),
        ({"match": True, "confidence": 98, "new": [1]}, fm.Decision.MATCH),
        (None, NoVerdict),
        ({"error_code": "E7", "message": "no"}, NoVerdict),
    ],
)
def test_made_up_verdicts(open_verifier, mock, data, decision):
    """What no document has: read by the rules, charged as the mock charged it."""
    mock.control.answers.set(fm.Operation.MATCH, {"data": data})
    verifier = open_verifier()
    if isinstance(decision, fm.Decision):
        assert verifier.verify(SELFIE, DOCUMENT, threshold=60).decision is decision
    else:
        with pytest.raises(decision) as caught:
            verifier.verify(SELFIE, DOCUMENT, threshold=60)
        assert caught.value.billing.charged is fm.Charged.YES
    assert charged(mock) == 1
