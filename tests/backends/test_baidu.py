"""What Baidu is sent: the key in the header or the token of a login, and a list of pictures."""

import base64

import pytest
from kit.fakes import json_reply, match_call
from vendors.baidu import FACEVERIFY, LOGIN, MATCH

import facematch_core as fm
from facematch_baidu import BaiduBackend
from facematch_core import errors, models, open_verifier
from facematch_mock_server import Fault, MockServer, make_card

P1, P1_AGAIN = make_card("p1"), make_card("p1", quality=60)
LIVENESS_CALL = match_call(operation=fm.Operation.LIVENESS)


@pytest.fixture
def mock():
    with MockServer(vendor="baidu", switches={"price": "0.01"}) as running:
        yield running


@pytest.fixture
def verifier(mock, at_end):
    """A verifier with the login of the app."""
    keys = {"api_key": "mock-baidu-app-key", "secret_key": "mock-baidu-secret"}
    return at_end.enter_context(open_verifier("baidu", base_url=mock.url, **keys))


def paths(mock):
    return [entry.path for entry in mock.control.journal()]


def test_api_key_is_sent_in_the_header_without_a_login_or_a_query(mock):
    request = BaiduBackend(api_key="bce-v3/k", secret_key="s").build(match_call())
    assert request.headers["Authorization"] == fm.Secret("Bearer bce-v3/k")
    assert not request.params
    with open_verifier("baidu", base_url=mock.url, api_key=mock.live_key) as verifier:
        assert verifier.verify(P1, P1_AGAIN).is_match
        assert verifier.check_liveness(P1).decision is models.LivenessDecision.LIVE
    assert paths(mock) == [MATCH, FACEVERIFY]


def test_body_is_a_list_in_the_order_probe_and_reference():
    call = match_call()
    backend = BaiduBackend(api_key="bce-v3/k", reference_type="IDCARD")
    probe, reference = backend.build(call).json
    assert base64.b64decode(probe["image"]) == call.probe.data
    assert base64.b64decode(reference["image"]) == call.reference.data
    assert probe["image_type"] == reference["image_type"] == "BASE64"
    assert "face_type" not in probe
    assert reference["face_type"] == "IDCARD"
    (alone,) = backend.build(LIVENESS_CALL).json
    assert set(alone) == {"image", "image_type"}


def test_doctor_tells_that_the_token_of_a_login_is_in_the_url(verifier):
    assert "URL" in verifier.backend.diagnose()["access_token"]
    with_api_key = BaiduBackend(api_key="bce-v3/ALTAK-x/y")
    assert with_api_key.diagnose() == {}


def test_login_sends_key_and_secret_in_the_body(mock, verifier):
    request = verifier.backend.login_token.request
    assert not request.params
    assert request.fields["client_secret"] == fm.Secret("mock-baidu-secret")
    assert verifier.verify(P1, P1_AGAIN).is_match
    assert paths(mock) == [LOGIN, MATCH]


@pytest.mark.parametrize("code", [100, 110, 111])
def test_rejected_token_is_renewed_and_its_call_free(mock, verifier, code):
    body = {"error_code": code, "error_msg": "No.", "log_id": 1}
    rejection = Fault(stage="answer", kind="json", status=200, body=body, call="match", times=1)
    mock.control.add_fault(rejection)
    assert verifier.verify(P1, P1_AGAIN).is_match
    assert paths(mock) == [LOGIN, MATCH, LOGIN, MATCH]
    assert len(mock.control.charges()) == 1


def test_token_and_secret_are_in_no_log_no_result_and_no_error(mock, verifier, caplog):
    caplog.set_level("DEBUG")
    shown = [repr(verifier.verify(P1, P1_AGAIN)), repr(verifier.backend)]
    mock.control.add_fault(Fault(stage="mid_body", kind="reset", call="match"))
    with pytest.raises(errors.OutcomeUnknown) as caught:
        verifier.verify(P1, P1_AGAIN)
    shown += [repr(caught.value), caplog.text]
    [(token, _)] = mock.control.world.records.tokens.items()
    for secret in (token, "mock-baidu-secret"):
        assert secret not in "\n".join(shown)


def test_api_key_is_not_exchanged_for_a_token(mock):
    with (
        open_verifier(
            "baidu", base_url=mock.url, api_key="bce-v3/wrong", secret_key="s"
        ) as verifier,
        pytest.raises(errors.AuthenticationFailed),
    ):
        verifier.verify(P1, P1_AGAIN)
    assert paths(mock) == [MATCH]


# The status of a refused login is not documented.
@pytest.mark.parametrize("status", [200, 400, 401])
def test_refused_login_is_free(mock, verifier, status):
    body = {"error": "invalid_client", "error_description": "unknown client id"}
    mock.control.add_fault(
        Fault(stage="answer", kind="json", status=status, body=body, path=LOGIN, times=None)
    )
    with pytest.raises(errors.AuthenticationFailed) as caught:
        verifier.verify(P1, P1_AGAIN)
    assert caught.value.billing.charged is fm.Charged.NO
    assert set(paths(mock)) == {LOGIN}


SUCCESS = {"error_code": 0, "error_msg": "SUCCESS", "log_id": 1345050756015080031}


def read_liveness(**result):
    backend = BaiduBackend(api_key="bce-v3/k")
    return backend.read_reply(LIVENESS_CALL, json_reply({**SUCCESS, "result": result}))


@pytest.mark.parametrize(
    ("thresholds", "cut"), [({"frr_1e-3": 0.3}, 30), ({"frr_1e-3": 0.45}, 45), (None, 30)]
)
def test_liveness_is_judged_by_the_threshold_of_its_answer(thresholds, cut):
    more = {} if thresholds is None else {"thresholds": thresholds}
    above = read_liveness(face_liveness=cut / 100 + 0.001, **more)
    below = read_liveness(face_liveness=cut / 100 - 0.001, **more)
    assert above.decision is models.LivenessDecision.LIVE
    assert below.decision is models.LivenessDecision.NOT_LIVE
    assert above.threshold.value == pytest.approx(cut)
    assert above.ids.vendor == "1345050756015080031"


@pytest.mark.parametrize("call", [match_call(), LIVENESS_CALL])
def test_no_face_is_inconclusive_and_names_no_picture(call):
    body = {"error_code": 222202, "error_msg": "pic not has face", "log_id": 7, "result": None}
    result = BaiduBackend(api_key="bce-v3/k").read_reply(call, json_reply(body))
    (warning,) = result.warnings
    assert (warning.code, warning.tag) == (models.WarningCode.NO_FACE, "222202")
    assert result.decision == "inconclusive"
    assert result.billing.charged is fm.Charged.UNKNOWN
