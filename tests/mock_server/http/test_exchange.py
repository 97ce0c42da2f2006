"""What becomes of a request, decided once for every front."""

import pytest

from facematch_mock_server.claims import Behaviours
from facematch_mock_server.faults import CARRIED_OUT, POSSIBLE, Kind, Stage
from facematch_mock_server.http import exchange
from facematch_mock_server.messages import Request

ASKED = Request(method="POST", target="/x", body=b"abc")

PLACES = [
    (f"{stage}.{kind}", executed)
    for stage, kinds in POSSIBLE.items()
    for kind in sorted(kinds)
    for executed in (False, True, None)
    if stage is not Stage.CONNECT
    and (executed is None or CARRIED_OUT.get(stage, executed) is executed)
]


@pytest.mark.parametrize(("place", "executed"), PLACES)
def test_what_is_carried_out(make_engine, make_fault, place, executed):
    """Mid-upload never, in the answer's course always, else as the fault says: at most once."""
    fault = make_fault(place, executed=executed, status=500)
    engine = make_engine(fault)
    drawn = exchange.opening(engine, ASKED).fault
    delivery = exchange.delivery(engine, ASKED, drawn)
    done = {
        Stage.MID_UPLOAD: False,
        Stage.AFTER_UPLOAD: bool(executed),
        Stage.MID_HEADERS: True,
        Stage.MID_BODY: True,
        Stage.ANSWER: bool(executed),
    }[fault.stage]
    assert len(engine.handled) == done
    words = f"fault: {fault.stage} {fault.kind}"
    if fault.stage is Stage.ANSWER and executed:
        words += ": 500 was sent instead"
    # Of a call that is carried out later, or never, that is said then.
    assert engine.notes == ([] if delivery.postponed else [("/x", words)])
    silent = fault.stage is Stage.MID_UPLOAD or (
        fault.stage is Stage.AFTER_UPLOAD and not (fault.kind is Kind.DELAY and executed)
    )
    assert (delivery.response is None) is silent
    assert (delivery.postponed is not None) is (place == "after_upload.delay" and not executed)
    assert (delivery.fault is None) is (fault.stage is Stage.ANSWER)


def test_without_a_fault(engine):
    """The engine's answer, whole."""
    assert exchange.opening(engine, ASKED) == exchange.Opening()
    delivery = exchange.delivery(engine, ASKED, None)
    assert (delivery.response.status, delivery.fault, delivery.postponed) == (200, None, None)


@pytest.mark.parametrize("name", ["refuse_early", "handle", "too_large"])
def test_an_engine_that_fails_answers_500(make_engine, make_fault, name, caplog):
    """Whatever the engine is asked, its failure is a 500 of ours and goes into the log."""
    engine = make_engine(make_fault("answer.html"))

    def fail(*_):
        raise KeyError("secret-key")

    setattr(engine, name, fail)
    answers = {
        "refuse_early": lambda: exchange.opening(engine, ASKED).refusal,
        "handle": lambda: exchange.delivery(engine, ASKED, None).response,
        "too_large": lambda: exchange.too_large(engine, ASKED),
    }
    response = answers[name]()
    assert response.status == 500
    assert b"secret-key" not in response.body
    assert "KeyError" in caplog.text


def test_a_claim_that_is_missing_is_named(make_engine, caplog):
    """Whoever writes a vendor reads it in the answer, and need not look into the log."""
    engine = make_engine()
    engine.handle = lambda _: Behaviours((), {}).citations().answer("match.colour")
    response = exchange.delivery(engine, ASKED, None).response
    assert response.status == 500
    assert "'match.colour'" in response.json()["mock"]
    assert "match.colour" in caplog.text
