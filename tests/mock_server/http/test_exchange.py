"""What becomes of a request, decided once for every front, and how its answer leaves."""

import datetime as dt
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from facematch_mock_server.base.messages import HEADER_VALUE, Request, Response
from facematch_mock_server.http import exchange
from facematch_mock_server.world.faults import CARRIED_OUT, POSSIBLE, Kind, Stage

ZONES = st.integers(-1439, 1439).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))


def post():
    return Request(method="POST", target="/x", body=b"abc")


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
    request = post()
    assert exchange.ask(engine.begin, request) is None
    delivery = exchange.carry_out(engine, request)
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


def test_without_a_fault_the_engines_answer_is_whole(engine):
    request = post()
    assert (exchange.ask(engine.begin, request), request.fault) == (None, None)
    delivery = exchange.carry_out(engine, request)
    assert (delivery.response.status, delivery.fault, delivery.postponed) == (200, None, None)


@pytest.mark.parametrize("name", ["begin", "handle", "too_large"])
def test_an_engine_that_fails_is_a_500_of_ours_and_logged(make_engine, make_fault, name, caplog):
    engine = make_engine(make_fault("answer.html"))

    def fail(*_):
        raise KeyError("secret-key")

    setattr(engine, name, fail)
    answers = {
        "begin": lambda: exchange.ask(engine.begin, post()),
        "handle": lambda: exchange.carry_out(engine, post()).response,
        "too_large": lambda: exchange.ask(engine.too_large, post()),
    }
    response = answers[name]()
    assert response.status == 500
    assert b"secret-key" not in response.body
    assert "KeyError" in caplog.text


# As bytes


@given(st.integers(100, 599), st.binary(max_size=9), st.sampled_from(["GET", "HEAD", "POST"]))
def test_length_and_body_belong_together(status, body, method):
    response = Response(status=status, body=body)
    headers = dict(exchange.list_headers(response, method=method))
    sent = exchange.encode_body(response, method=method)
    if method == "HEAD":
        assert (sent, headers["Content-Length"]) == (b"", str(len(body)))
    elif status < 200 or status in (204, 304):
        assert (sent, headers.get("Content-Length")) == (b"", None)
    else:
        assert (sent, headers["Content-Length"]) == (body, str(len(body)))


@given(st.datetimes(timezones=ZONES))
@example(dt.datetime(2026, 7, 2, 9, 15, 28, 900_000, tzinfo=dt.UTC))
def test_the_date_of_an_answer_is_gmt_whatever_its_zone(moment):
    try:
        utc = moment.astimezone(dt.UTC)
    except OverflowError:
        return
    headers = exchange.list_headers(Response(status=200, date=moment), method="GET")
    assert dict(headers)["Date"] == format_datetime(utc, usegmt=True)


#: Mostly what is at the edges of the patterns.
VALUES = st.text(st.sampled_from("a~! \t\r\n\x00\x0b\x1f\x7f\x80\xa0\xff") | st.characters())
EDGES = ("", " ", "a b", " a", "a ")


@given(VALUES)
def test_an_answer_has_the_values_that_the_pattern_takes(make_engine, value):
    """No value gets by that would break the framing, and none is held back that would not."""
    for sent in (value, *EDGES):
        engine = make_engine()
        engine.handle = lambda _, sent=sent: Response(status=200, headers=(("X", sent),))
        status = exchange.carry_out(engine, post()).response.status
        assert status == (500 if HEADER_VALUE.fullmatch(sent) is None else 200)
