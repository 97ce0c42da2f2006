"""CompreFace charges nothing: an outage is repeated, passed on, and never a question of money."""

import re

import pytest
from kit.comparison.studies import write_study

import facematch_core as fm
from facematch_comparison.run import RunDatabase, run_study
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
def test_outage_is_free_and_repeated(mock, outage):
    mock.control.add_fault(Fault(**OUTAGES[outage]))
    with fm.FaceVerifier(connect(mock), retry=fm.Retry(times=1, first_s=0.01)) as verifier:
        result = verifier.verify(P1, P1_AGAIN)
    assert result.is_match
    (attempt,) = result.failed_attempts
    assert (attempt.error, attempt.billing.charged) == ("VendorUnavailable", fm.Charged.NO)


@pytest.mark.parametrize("outage", OUTAGES)
def test_failover_asks_the_next_member(mock, outage):
    mock.control.add_fault(Fault(**OUTAGES[outage], path="/api/v1/verification/verify"))
    backup = DiditBackend(api_key=mock.of("didit").live_key, base_url=mock.url)
    members = {"own": fm.FaceVerifier(connect(mock)), "backup": fm.FaceVerifier(backup)}
    with fm.Failover(members) as failover:
        assert failover.verify(P1, P1_AGAIN).route.answered_by == "backup"


def test_deadline_is_free(mock):
    mock.control.add_fault(Fault(**OUTAGES["no answer"]))
    with (
        fm.FaceVerifier(connect(mock)) as verifier,
        pytest.raises(fm.DeadlineExceeded) as caught,
    ):
        verifier.verify(P1, P1_AGAIN, deadline_s=0.2)
    assert caught.value.billing.charged is fm.Charged.NO
    assert not re.search("charged|invoice|twice", caught.value.message)


def test_unreadable_answer_is_free(mock):
    fault = Fault(stage="answer", kind="wrong_json", status=200, executed=True)
    mock.control.add_fault(fault)
    with (
        fm.FaceVerifier(connect(mock)) as verifier,
        pytest.raises(fm.UnexpectedResponse) as caught,
    ):
        verifier.verify(P1, P1_AGAIN)
    assert caught.value.billing.charged is fm.Charged.NO


def test_study_asks_again_and_leaves_nothing_unresolved(mock, tmp_path):
    study = write_study(tmp_path / "pictures", pairs=6)
    database = RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")
    systems = {"own": lambda on_event: fm.FaceVerifier(connect(mock), on_event=on_event)}
    for outage in ("502 in HTML", "broken answer"):
        mock.control.add_fault(Fault(**OUTAGES[outage]))
    states = []
    for _ in range(2):
        (system,) = run_study(study, systems, database, workers=1).systems
        states.append({state: n for state, n in system.progress.states.items() if n})
        assert (system.progress.charged, system.progress.maybe_charged) == (0, 0)
    assert states == [{"answered": 4, "failed": 2}, {"answered": 6}]
