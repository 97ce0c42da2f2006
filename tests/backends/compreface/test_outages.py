"""CompreFace charges nothing: an outage is repeated, passed on, and never a question of money."""

import pytest

import facematch_core as fm
from facematch_compreface import ComprefaceBackend
from facematch_didit import DiditBackend
from facematch_mock_server import Fault, MockServer, make_card

P1, P1_AGAIN = make_card("p1"), make_card("p1", luminance=60)

#: CompreFace's own nginx answers 502 and 504 in HTML while its API starts.
OUTAGES = {
    "502 in HTML": {"stage": "answer", "kind": "html", "status": 502},
    "504 in HTML": {"stage": "answer", "kind": "html", "status": 504},
    "500 in JSON": {"stage": "answer", "kind": "json", "status": 500, "body": {"message": "down"}},
    "broken connection": {"stage": "after_upload", "kind": "truncate", "executed": True},
    "broken answer": {"stage": "mid_body", "kind": "truncate"},
    "no answer": {"stage": "after_upload", "kind": "delay", "seconds": 60},
}


@pytest.fixture
def mock():
    with MockServer(vendor=["compreface", "didit"]) as mock:
        yield mock


def connect(mock):
    return ComprefaceBackend(api_key=mock.live_key, base_url=mock.url, read_timeout_s=0.3)


@pytest.mark.parametrize("outage", OUTAGES)
def test_failover_asks_the_next_member(mock, outage):
    mock.control.add_fault(Fault(**OUTAGES[outage], path="/api/v1/verification/verify"))
    backup = DiditBackend(api_key=mock.of("didit").live_key, base_url=mock.url)
    members = {"own": fm.FaceVerifier(connect(mock)), "backup": fm.FaceVerifier(backup)}
    with fm.Failover(members) as failover:
        assert failover.verify(P1, P1_AGAIN).route.answered_by == "backup"


def test_unreadable_answer_is_free(mock):
    fault = Fault(stage="answer", kind="wrong_json", status=200, executed=True)
    mock.control.add_fault(fault)
    with (
        fm.FaceVerifier(connect(mock)) as verifier,
        pytest.raises(fm.UnexpectedResponse) as caught,
    ):
        verifier.verify(P1, P1_AGAIN)
    assert caught.value.billing.charged is fm.Charged.NO
