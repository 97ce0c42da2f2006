"""The suite would notice: every canary, planted in every place, is found.

A planted leak goes the way of a real one, into a frame, a log record, an attribute, a row, and the
same collectors and the same search have to find it.
"""

import contextlib
import logging
import sqlite3
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from kit import canaries, traces
from kit.fakes import FakeBackend, match_result
from kit.watched import CALLERS, NOT_OF_CALLERS, hits

from facematch_core import CallEvent, Environment, EventKind, FaceVerifier, Operation
from facematch_core.errors import RequestRejected
from facematch_core.models import Ids
from facematch_core.testing import ManualClock

#: Everything that is looked for anywhere, a token with the rest.
SECRETS = canaries.canaries() | CALLERS | {"token": (b"eyJhbGciOiJIUzI1NiJ9.e30.canary",)}
#: A library of ours, in whose frames something is left.
OURS = {}
exec(compile("def fail(error, kept): raise error", "/site/facematch_core/x.py", "exec"), OURS)


def frame(text):
    OURS["fail"](RequestRejected("No."), text)


def cause(text):
    raise RequestRejected("No.") from ValueError(text)


def context(text):
    try:
        raise ValueError(text)
    except ValueError:
        raise RequestRejected("No.")  # noqa: B904 - the context is what is tested


def attribute(text):
    error = RequestRejected("No.")
    error.response = text
    raise error


def raised(step):
    """What is left of an error that says nothing, if this step raises it."""

    def texts(text):
        try:
            step(text)
        except RequestRejected as error:
            return traces.of_error(error)

    return texts


def record(message, *arguments, exc_info=None, **more):
    log_record = logging.LogRecord("urllib3", 10, "x.py", 1, message, arguments, exc_info)
    vars(log_record).update(more)
    return traces.of_log([log_record])


def log_with_traceback(text):
    try:
        raise ValueError(text)
    except ValueError:
        return record("It failed.", exc_info=sys.exc_info())


def event(text):
    about = {"backend": "x", "operation": Operation.MATCH, "environment": Environment.MOCK}
    at = ManualClock().now()
    call_event = CallEvent(kind=EventKind.ANSWERED, call_id="x", at=at, decision=text, **about)
    return traces.of_events([call_event])


def as_bytes(text):
    """Bytes that were given as text as they were; any other text as UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def row(value):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.sqlite3"
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.executescript("PRAGMA synchronous = OFF; CREATE TABLE t (x)")
            database.execute("INSERT INTO t VALUES (?)", (value,))
            database.commit()
        return traces.of_sqlite(path)


PLACES = {
    "message of an error": lambda t: traces.of_error(RequestRejected(t)),
    "vendor's words by field": (
        lambda t: traces.of_error(RequestRejected("No.", field_errors={"probe": (t,)}))
    ),
    "attribute of an error": raised(attribute),
    "frame": raised(frame),
    "cause": raised(cause),
    "context": raised(context),
    "message of a log record": record,
    "argument of a log record": lambda t: record("%s", t),
    "extra of a log record": lambda t: record("x", extra_of_ours=t),
    "traceback in a log": log_with_traceback,
    "raw of a result": lambda t: traces.of_result(match_result(raw={"a": [{"b": t}]})),
    "request id of a result": lambda t: traces.of_result(match_result(ids=Ids(vendor=t))),
    "event": event,
    "repr": lambda t: traces.of_objects(SimpleNamespace(kept=t)),
    "file, page or output": lambda t: traces.of_text("JSONL", t),
    "bytes of a file": lambda t: traces.of_text("file", as_bytes(t)),
    "text in a database": row,
    "bytes in a database": lambda t: row(as_bytes(t)),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_planted_leak_is_detected(place):
    parts = {name: pieces[:1] for name, pieces in SECRETS.items()}
    planted = " | ".join(piece.decode("latin-1") for (piece,) in parts.values())
    assert {name for _, name in canaries.leaks(PLACES[place](planted), parts)} == set(parts)


@pytest.mark.parametrize("name", NOT_OF_CALLERS)
def test_caller_data_is_detected_where_it_is_not_allowed(name):
    assert set(hits({name: canaries.CALLER_REF})) == {(name, "caller_ref")}
    assert hits({"result": canaries.CALLER_REF}) == {}


LEAKS = {
    "an error": lambda call: RequestRejected(f"key {canaries.API_KEY}"),
    "a result": lambda call: match_result(raw={"image": call.probe.data.hex()}),
    "a log": lambda call: logging.getLogger("x").debug("%s", call.probe.data[:3000]),
    "a print": lambda call: print(canaries.CLIENT_SECRET),  # noqa: T201 - what is caught
    "nothing": lambda call: None,
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leaking_backend_is_caught(watch_call, leak):
    def step(call):
        result = LEAKS[leak](call)
        if isinstance(result, Exception):
            raise result
        return match_result() if result is None else result

    events = []
    with FaceVerifier(FakeBackend(script=[step]), on_event=events.append) as verifier:
        limits = verifier.backend.capabilities.image_limits
        _, texts = watch_call(verifier, events)
    assert {"log", "output", "events", "objects"} <= texts.keys()
    assert bool(hits(texts, limits=limits)) is (leak != "nothing")
