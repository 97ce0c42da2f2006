"""Answers as bytes, and faults as the order in which they leave."""

import datetime as dt
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server.faults import POSSIBLE, Fault, Kind, Stage
from facematch_mock_server.http import exchange
from facematch_mock_server.messages import Response

FAULTS = [
    Fault(stage=stage, kind=kind, seconds=0.5)
    for stage, kinds in POSSIBLE.items()
    for kind in sorted(kinds)
    if stage is not Stage.ANSWER
]


@given(st.sampled_from(FAULTS), st.binary(min_size=1, max_size=50))
def test_a_script_sends_the_answer_or_a_first_part_of_it(fault, body):
    """Whatever a fault does, what leaves is the answer, a part of it, or that and garbage."""
    head = exchange.head(Response(status=200), method="GET", close=False)
    script = exchange.script(head, body, fault)
    sent = (script.first + script.then).removesuffix(exchange.GARBAGE)
    assert (head + body).startswith(sent)
    whole = fault.kind in (Kind.DELAY, Kind.DRIBBLE)
    assert (sent == head + body) is whole
    assert (script.end == "keep") is whole
    first = len(script.first.removesuffix(exchange.GARBAGE))
    assert (0 < first < len(head)) is (fault.stage is Stage.MID_HEADERS)
    assert (len(head) <= first < len(head + body)) is (fault.stage is Stage.MID_BODY)


@given(st.integers(100, 599), st.binary(max_size=9), st.sampled_from(["GET", "HEAD", "POST"]))
def test_length_and_body_belong_together(status, body, method):
    """The length is that of the body, except for HEAD, and absent where no body may be."""
    response = Response(status=status, body=body)
    headers = dict(exchange.headers(response, method=method))
    sent = exchange.body(response, method=method)
    if method == "HEAD":
        assert (sent, headers["Content-Length"]) == (b"", str(len(body)))
    elif status < 200 or status in (204, 304):
        assert (sent, headers.get("Content-Length")) == (b"", None)
    else:
        assert (sent, headers["Content-Length"]) == (body, str(len(body)))


@pytest.mark.parametrize("zone", [dt.UTC, dt.timezone(dt.timedelta(hours=5, minutes=30))])
def test_the_date_is_gmt(zone):
    """It is that of the answer, in GMT whatever the zone."""
    for second in (27, 28):
        date = dt.datetime(2026, 7, 2, 9, 15, second, 900_000, tzinfo=dt.UTC).astimezone(zone)
        headers = exchange.headers(Response(status=200, date=date), method="GET")
        assert dict(headers)["Date"] == f"Thu, 02 Jul 2026 09:15:{second} GMT"


def test_an_answer_without_a_date_has_the_machines():
    """The front's own answers come from no account."""
    headers = dict(exchange.headers(exchange.answer(400), method="GET"))
    sent = parsedate_to_datetime(headers["Date"])
    assert abs(dt.datetime.now(dt.UTC) - sent) < dt.timedelta(seconds=60)


@given(st.datetimes(timezones=st.timezones()))
def test_a_date_is_written_as_the_library_writes_it(moment):
    """Any time that has one in UTC, in any zone."""
    try:
        utc = moment.astimezone(dt.UTC)
    except OverflowError:
        return
    assert exchange.http_date(moment) == format_datetime(utc, usegmt=True)
