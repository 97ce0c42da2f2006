"""The suite would notice: every canary, planted in every place in every way of writing, is found.

A planted leak goes the way of a real one, into a frame, a log record, an attribute, a row, and the
same collectors and the same search have to find it.
"""

import logging
import sqlite3
import sys
import zlib

import pytest
from kit import canaries, traces
from kit.fakes import FakeBackend, match_result
from kit.watched import CALLERS, NOT_OF_CALLERS, hits, watch

from facematch_core import CallEvent, Environment, EventKind, FaceVerifier, Ids, Operation, errors
from facematch_core.testing import ManualClock

#: Everything that is looked for anywhere, a token with the rest.
SECRETS = canaries.canaries() | CALLERS | {"token": (b"eyJhbGciOiJIUzI1NiJ9.e30.canary",)}


def raised(error):
    """`error` as if a library of ours had raised it, with the frame of that library."""
    code = compile("def fails(error, kept):\n    raise error", "/site/facematch_core/x.py", "exec")
    namespace = {}
    exec(code, namespace)
    return namespace["fails"], error


def frame(text):
    """An error that says nothing, whose frame has it."""
    fails, error = raised(errors.RateLimited("Slower."))
    try:
        fails(error, text)
    except errors.RateLimited as caught:
        return traces.of_error(caught)


def cause(text):
    """An error that says nothing, raised from one that says it."""
    try:
        raise errors.RateLimited("Slower.") from ValueError(text)
    except errors.RateLimited as caught:
        return traces.of_error(caught)


def context(text):
    """An error that says nothing, raised while one that says it was handled."""
    try:
        try:
            raise ValueError(text)
        except ValueError:
            raise errors.RateLimited("Slower.")  # noqa: B904 - the context is what is tested
    except errors.RateLimited as caught:
        return traces.of_error(caught)


def attribute(text):
    """An error with one more attribute."""
    error = errors.RateLimited("Slower.")
    error.response = text
    return traces.of_error(error)


def record(message, *arguments, **more):
    """What a logger would make of it."""
    exc_info = more.pop("exc_info", None)
    made = logging.LogRecord("urllib3", 10, "x.py", 1, message, arguments, exc_info)
    vars(made).update(more)
    return traces.of_log([made])


def log_with_traceback(text):
    """`logger.exception` of a foreign error."""
    try:
        raise ValueError(text)
    except ValueError:
        return record("It failed.", exc_info=sys.exc_info())


def event(text):
    """An event whose decision is that."""
    about = {"backend": "x", "operation": Operation.MATCH, "environment": Environment.MOCK}
    at = ManualClock().now()
    return traces.of_events(
        [
            CallEvent(
                kind=EventKind.ANSWERED,
                call_id="x",
                at=at,
                decision=text,
                elapsed_s=0.1,
                **about,
            )
        ]
    )


class Shows:
    """An object that shows what it holds."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return f"Shows({self.text})"


def as_bytes(text):
    """Bytes that were taken for text as they were; any other text as UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def table(text, folder, kind):
    """A row of a database, as text or as bytes."""
    path = folder / f"{kind.__name__}-{len(list(folder.iterdir()))}.sqlite3"
    database = sqlite3.connect(path)
    value = text if kind is str else as_bytes(text)
    database.execute("CREATE TABLE t (x)")
    database.execute("INSERT INTO t VALUES (?)", (value,))
    database.commit()
    database.close()
    return traces.of_sqlite(path)


def chunk(text, kind):
    """A PNG with one chunk of text."""
    content = text.encode()
    if kind == b"zTXt":
        content = b"Comment\0\0" + zlib.compress(content)
    whole = len(content).to_bytes(4, "big") + kind + content + b"crc."
    return traces.of_png(b"\x89PNG\r\n\x1a\n" + whole)


PLACES = {
    "message of an error": lambda t, _: traces.of_error(errors.RequestRejected(t)),
    "vendor's words by field": lambda t, _: traces.of_error(
        errors.RequestRejected("No.", field_errors={"probe": (t,)})
    ),
    "attribute of an error": lambda t, _: attribute(t),
    "frame": lambda t, _: frame(t),
    "cause": lambda t, _: cause(t),
    "context": lambda t, _: context(t),
    "message of a log record": lambda t, _: record(t),
    "argument of a log record": lambda t, _: record("%s", t),
    "extra of a log record": lambda t, _: record("x", extra_of_ours=t),
    "traceback in a log": lambda t, _: log_with_traceback(t),
    "raw of a result": lambda t, _: traces.of_result(match_result(raw={"a": [{"b": t}]})),
    "request id of a result": lambda t, _: traces.of_result(match_result(ids=Ids(vendor=t))),
    "event": lambda t, _: event(t),
    "repr": lambda t, _: traces.of_objects(Shows(t)),
    "file, page or output": lambda t, _: traces.of_text("JSONL", t),
    "bytes of a file": lambda t, _: traces.of_text("file", as_bytes(t)),
    "text in a database": lambda t, folder: table(t, folder, str),
    "bytes in a database": lambda t, folder: table(t, folder, bytes),
    "text of a PNG": lambda t, _: chunk(t, b"tEXt"),
    "packed text of a PNG": lambda t, _: chunk(t, b"zTXt"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", canaries.WAYS)
def test_a_planted_leak_is_found(tmp_path, place, way):
    """Each canary; of one with several pieces another one each time."""
    write, number = canaries.WAYS[way], len(place) + len(way)
    parts = {name: (pieces[number % len(pieces)],) for name, pieces in SECRETS.items()}
    planted = " | ".join(write(piece) for (piece,) in parts.values())
    texts = PLACES[place](planted, tmp_path)
    assert {name for _, name in canaries.leaks(texts, parts)} == set(parts)


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_found_where_nothing_is(tmp_path, place):
    """A text without canaries has no hits in any place."""
    texts = PLACES[place]("nothing to see", tmp_path)
    assert any(canaries.leaks(texts, {"it": (b"nothing to see",)}))
    assert canaries.leaks(texts, SECRETS) == {}


@pytest.mark.parametrize("name", NOT_OF_CALLERS)
def test_what_is_the_caller_s_is_found_where_it_may_not_be(name):
    """In events, logs, `repr` and output, and not in a result."""
    assert set(hits({name: canaries.CALLER_REF})) == {(name, "caller_ref")}
    assert hits({"result": canaries.CALLER_REF}) == {}


LEAKS = {
    "an error": lambda call: errors.RequestRejected(f"key {canaries.API_KEY}"),
    "a result": lambda call: match_result(raw={"image": call.probe.data.hex()}),
    "a log": lambda call: logging.getLogger("x").debug("%s", call.probe.data[:3000]),
    "a print": lambda call: print(canaries.CLIENT_SECRET),  # noqa: T201 - what is caught
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_backend_that_leaks_is_caught(said, leak):
    """Through a verifier, as the suite asks every backend."""

    def step(call):
        made = LEAKS[leak](call)
        if isinstance(made, Exception):
            raise made
        return match_result() if made is None else made

    events = []
    with FaceVerifier(FakeBackend(script=[step]), on_event=events.append) as verifier:
        limits = verifier.backend.capabilities.image_limits
        _, texts = said(verifier, events)
    assert hits(texts, limits=limits)


def test_a_call_that_leaks_nothing_is_not_caught(said):
    """The same backend, when it keeps quiet."""
    events = []
    with FaceVerifier(FakeBackend(), on_event=events.append) as verifier:
        _, texts = said(verifier, events)
        assert watch(verifier, events)[1].keys() < texts.keys()
    assert hits(texts) == {}
