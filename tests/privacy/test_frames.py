"""No picture, key or caller's data in a local variable that an error's traceback keeps.

Each public method of each class, with each error: error trackers send these variables. The frames
of the tests, which are the caller's, keep theirs.
"""

import base64
import functools
import inspect
import io
import itertools
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import _pytest
import anyio
import pluggy
import pytest
import xdist
from core.sessions.vendor import ManySessions
from kit import canaries, traces
from kit.fakes import ALL_CAPABILITIES
from kit.rawserver import (
    RawServer,
    closed_port,
    hold,
    http_reply,
    read_request,
    reset,
    send,
)
from kit.sessions import CAN, START, TOKEN, session_record
from kit.watched import CALLERS

import facematch_core as fm
from facematch_core import Secret, errors
from facematch_core.backend import Backend
from facematch_didit import DiditAccount, DiditBackend

#: Of 12 KB each, with metadata: what a caller reads from an upload.
PROBE = canaries.probe().data
REFERENCE = canaries.reference().data
BROKEN = REFERENCE[:-900]
CALLERS_DATA = {"caller_ref": canaries.CALLER_REF, "metadata": canaries.METADATA}
SECRETS = canaries.canaries()
#: Whose frames, below a test's, have all tests in variables.
RUNNERS = (_pytest, pluggy, xdist)


class Failing(Backend):
    """Fails with an error, whatever it is asked."""

    name = "failing"
    reports_sent = True
    capabilities = ALL_CAPABILITIES
    session_capabilities = CAN
    environment = fm.Environment.PRODUCTION

    def __init__(self, make_error=lambda: errors.VendorUnavailable("It is down.")):
        self.make_error = make_error

    def fail(self, *arguments, **_):
        if on_sent := getattr(arguments[0], "on_sent", None):
            on_sent()
        raise self.make_error()

    match = check_liveness = start_session = read_session = delete_session = fail
    receive_session = reconcile = fail

    def reconcilable(self, _record):
        return True


def record():
    """Of a call that may have been charged."""
    about = {"started_at": START, "retention": fm.Retention.KEEP, "caller_ref": canaries.CALLER_REF}
    return fm.CallRecord(id="c-1", operation=fm.Operation.MATCH, backend="failing", **about)


def last_error(outcomes):
    for outcome in outcomes:
        if outcome.error:
            raise outcome.error


#: How each public method of a verifier is called, with further options.
VERIFIER = {
    "verify": lambda v, *p, **o: v.verify(*(p or (PROBE, REFERENCE)), **CALLERS_DATA | o),
    "check_liveness": lambda v, *p, **o: v.check_liveness(*(p or (PROBE,))[:1], **CALLERS_DATA | o),
    "verify_live": lambda v, *p, **o: v.verify_live(*(p or (PROBE, REFERENCE)), **CALLERS_DATA | o),
    "verify_many": lambda v, *p, **o: v.verify_many([p or (PROBE, REFERENCE)], **CALLERS_DATA | o),
    "reconcile": lambda v, *_, **o: v.reconcile(record(), **o),
}
BODY = b'{"name": "' + canaries.API_KEY.encode() + b'"}'
SESSIONS = {
    "plan": lambda s, **o: s.plan("customer-17", purpose="payout", **o),
    "start": lambda s, *p, **o: s.start(
        session_record("failing", compared_with="given"), reference=(p or (PROBE,))[0], **o
    ),
    "read": lambda s, **o: s.read(session_record("failing", session_id="s-1"), **o),
    "delete": lambda s, **o: s.delete(session_record("failing", session_id="s-1"), **o),
    "receive": lambda s, **o: s.receive(BODY, {"signature": canaries.API_KEY}, **o),
}
#: Take no picture, key or option.
PLAIN = {"close", "aclose", "thresholds"}


def public(cls):
    return {name for name, _ in inspect.getmembers(cls, callable) if not name.startswith("_")}


def test_every_public_method_is_listed():
    for cls in (fm.FaceVerifier, fm.Failover, fm.AsyncFaceVerifier):
        assert public(cls) - PLAIN == VERIFIER.keys(), cls
    assert public(fm.Sessions) - PLAIN == SESSIONS.keys()
    # Set for each object.
    assert public(fm.AsyncSessions) - PLAIN == SESSIONS.keys() - {"plan", "receive"}


def opened(kind, backend, **arguments):
    """Return the object of a class, with a backend."""
    verifier = fm.FaceVerifier(backend, **arguments)
    match kind:
        case "FaceVerifier":
            return verifier
        case "Failover":
            return fm.Failover([verifier])
        case "AsyncFaceVerifier":
            return fm.AsyncFaceVerifier(verifier)
        case "Sessions":
            return fm.Sessions(verifier)
    return fm.AsyncSessions(fm.Sessions(verifier))


DOORS = list(itertools.product(("FaceVerifier", "Failover", "AsyncFaceVerifier"), VERIFIER))
DOORS += itertools.product(("Sessions", "AsyncSessions"), SESSIONS)


def error_of(kind, name, verifier, *pictures, library="asyncio", **options):
    """Make a call; return its error."""
    call = functools.partial((VERIFIER | SESSIONS)[name], verifier, *pictures, **options)

    async def make():
        made = call()
        if name == "verify_many":
            last_error([outcome async for outcome in made])
        elif hasattr(made, "__await__"):
            await made

    try:
        if kind.startswith("Async"):
            anyio.run(make, backend=library)
        elif name == "verify_many":
            last_error(call())
        else:
            call()
    except BaseException as error:  # noqa: BLE001 - a bug and Ctrl-C, too
        return error
    return None


def frames_of_ours(link):
    """Yield the frames from the first one of facematch on, without the caller's own."""
    is_ours = False
    for entry in traceback.walk_tb(link.__traceback__):
        is_ours = is_ours or entry[0].f_globals.get("__name__", "").startswith("facematch_")
        if is_ours and not entry[0].f_code.co_filename.startswith(traces.TESTS):
            yield entry


def check(error):
    """Neither what is shown of a variable nor anything in it is a canary."""
    for link in traces.linked_errors(error):
        stack = traceback.StackSummary.extract(frames_of_ours(link), capture_locals=True)
        shown = {f"{at.filename}:{at.name}": repr(at.locals) for at in stack}
        assert canaries.leaks(shown, SECRETS | CALLERS) == {}
        for frame, _ in frames_of_ours(link):
            for name, value in frame.f_locals.items():
                if isinstance(value, Iterator):
                    continue  # of the caller's pairs
                hay = b"\n".join(traces.inside(value))
                place = f"{frame.f_code.co_qualname} {name}"
                assert canaries.leaks({place: hay}, SECRETS) == {}


def subclasses(cls):
    return {cls, *(deeper for below in cls.__subclasses__() for deeper in subclasses(below))}


def every_error():
    """Return what makes an error of each class, by the name of the class."""
    ours = [cls for cls in subclasses(errors.FaceMatchError) if cls.__module__ == errors.__name__]
    made = {cls.__name__: functools.partial(cls, "It failed.") for cls in ours}
    unsupported = functools.partial(made["Unsupported"], backend="failing", what="x")
    bugs = {"RuntimeError": RuntimeError, "MemoryError": MemoryError}
    return {**made, **bugs, "Unsupported": unsupported, "KeyboardInterrupt": KeyboardInterrupt}


@pytest.mark.parametrize(("kind", "name"), DOORS)
def test_no_error_of_a_backend_keeps_a_picture(kind, name):
    for of_class, make_error in every_error().items():
        # Python raises it in the main thread only.
        if of_class == "KeyboardInterrupt" and (kind.startswith("Async") or name == "verify_many"):
            continue
        error = error_of(kind, name, opened(kind, Failing(make_error)))
        assert (error is None) is (name == "plan" or is_answer(name, of_class)), of_class
        if error is not None:
            check(error)


def test_no_error_of_a_store_of_sessions_keeps_a_picture(address):
    for of_class, make_error in every_error().items():
        sessions = fm.Sessions(fm.FaceVerifier(Failing(make_error)))
        with fm.SessionStore(address, sessions) as store, pytest.raises(BaseException) as caught:
            store.of(of_class, purpose="payout", about=None).begin(reference=PROBE)
        check(caught.value)


def test_no_error_of_a_store_of_sessions_keeps_a_token(address):
    vendor = ManySessions(gives="token once", gives_token_once=True)

    def fail():
        raise fm.VendorUnavailable("It failed.")

    with fm.SessionStore(address, fm.Sessions(fm.FaceVerifier(vendor))) as store:
        payout = store.of("customer-17", purpose="payout", about=None)
        payout.begin(reference=PROBE)
        vendor.after_read = fail
        with pytest.raises(fm.VendorUnavailable) as caught:
            payout.use(max_age_s=60)
    token = {"token": (TOKEN.encode(),)}
    for link in traces.linked_errors(caught.value):
        for frame, _ in frames_of_ours(link):
            hay = b"\n".join(traces.inside(frame.f_locals))
            assert canaries.leaks({frame.f_code.co_qualname: hay}, token) == {}


def is_answer(name, of_class):
    """Return whether a session that does not exist is an answer."""
    return name == "delete" and of_class == "SessionNotFound"


#: What a caller does wrong: pictures and options, by the name of the mistake.
MISTAKES = {
    "an unknown option": ((), {"treshold": 50}),
    "a deadline that is no number": ((), {"deadline_s": "soon"}),
    "a picture in the metadata": ((), {"metadata": {"picture": PROBE}}),
    "a broken picture": ((BROKEN, REFERENCE), {}),
    "a picture as text": ((PROBE.decode("latin-1"), REFERENCE), {}),
    "a threshold out of range": ((), {"threshold": 150}),
    "a caller's reference of another type": ((), {"caller_ref": 7}),
    "options of another vendor": ((), {"options": PROBE}),
}
SESSION_MISTAKES = {
    "an unknown option": ((), {"treshold": 50}),
    "a deadline that is no number": ((), {"deadline_s": "soon"}),
    "a broken picture": ((BROKEN,), {}),
    "a link to another host": ((), {"return_url": "https://evil.example/"}),
    "options of another vendor": ((), {"options": PROBE}),
}


@pytest.mark.parametrize(("kind", "name"), DOORS)
def test_no_refusal_keeps_a_picture(kind, name):
    mistakes = SESSION_MISTAKES if name in SESSIONS else MISTAKES
    if name in ("plan", "read", "delete", "receive"):
        mistakes = {"an unknown option": ((), {"treshold": 50})}
    for pictures, options in mistakes.values():
        error = error_of(kind, name, opened(kind, Failing()), *pictures, **options)
        assert error is not None
        check(error)
    closed = opened(kind, Failing())
    anyio.run(closed.aclose) if kind.startswith("Async") else closed.close()
    error = error_of(kind, name, closed)
    assert isinstance(
        error, errors.VendorUnavailable if name == "receive" else errors.ConfigurationError
    )
    check(error)


def didit(url, **arguments):
    backend = DiditBackend(api_key=Secret(canaries.API_KEY), base_url=url)
    return fm.FaceVerifier(backend, **arguments)


def on_wire(clock, deadline_s):
    """Return what a vendor's server does, by what happens."""

    def pass_deadline(_connection):
        clock.advance(deadline_s)

    return {
        "reset": [read_request, reset],
        "an error": [read_request, send(http_reply(500, b"{}"))],
        "an answer that is no JSON": [read_request, send(http_reply(200, b"[["))],
        "an answer after the deadline": [read_request, pass_deadline, send(b"HTTP"), hold],
    }


@pytest.mark.parametrize("name", ["verify", "check_liveness", "verify_live", "verify_many"])
@pytest.mark.parametrize("library", [None, "asyncio", "trio"])
def test_no_error_of_the_network_keeps_a_picture(name, library, clock):
    kind = "AsyncFaceVerifier" if library else "FaceVerifier"
    wrap = fm.AsyncFaceVerifier if library else (lambda verifier: verifier)
    for happens, script in on_wire(clock, deadline_s=60).items():
        with RawServer(script) as server:
            verifier = wrap(didit(server.url, clock=clock))
            error = error_of(kind, name, verifier, library=library, deadline_s=60)
            assert isinstance(error, fm.VendorError), happens
            check(error)
    assert type(error) is errors.DeadlineExceeded
    with closed_port() as port:
        error = error_of(kind, name, wrap(didit(f"http://127.0.0.1:{port}")), library=library)
        assert type(error) is fm.VendorUnavailable
        check(error)


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_a_deadline_that_ends_before_a_thread_is_free_keeps_no_picture(library):
    """So does a call that is cancelled."""
    go_on = threading.Event()
    caught = []

    def wait():
        go_on.wait(30)
        return errors.VendorUnavailable("It is down.")

    async def call(verifier, **options):
        try:
            await verifier.verify(PROBE, REFERENCE, **CALLERS_DATA, **options)
        except BaseException as error:
            caught.append(error)
            raise

    async def main():
        held = fm.FaceVerifier(Failing(wait))
        async with (
            fm.AsyncFaceVerifier(held, max_concurrency=1) as verifier,
            anyio.create_task_group() as group,
        ):
            group.start_soon(call, verifier)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(fm.VendorUnavailable):
                await call(verifier, deadline_s=0.01)
            group.cancel_scope.cancel()
            go_on.set()

    anyio.run(main, backend=library)
    assert len(caught) == 2
    for error in caught:
        check(error)


OPENERS = ("open_verifier", "open_async_verifier", "open_sessions", "open_async_sessions")


@pytest.mark.parametrize("name", OPENERS)
@pytest.mark.parametrize(
    "mistake",
    [{"treshold": 50}, {"base_url": "htp://x"}, {"deadline_s": -1}, {"environment": "x"}],
    ids=str,
)
def test_no_failed_opening_keeps_a_key(name, mistake):
    with pytest.raises(fm.ConfigurationError) as caught:
        getattr(fm, name)("didit", api_key=canaries.API_KEY, **mistake)
    check(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Secret(canaries.API_KEY.encode()),
        lambda: DiditBackend(api_key=canaries.API_KEY, base_url="https://faces.example"),
        lambda: DiditBackend(api_key=canaries.API_KEY, connect_timeout_s=-1),
        lambda: DiditAccount(api_key=canaries.API_KEY, connect_timeout_s=-1),
        lambda: fm.SqlStore(f"mysql://facematch:{canaries.API_KEY}@127.0.0.1/x"),
        lambda: fm.Image.from_bytes(BROKEN),
        lambda: fm.Image.from_base64(base64.b64encode(PROBE) + b"?"),
        lambda: fm.Image.from_base64(base64.b64encode(BROKEN)),
        lambda: fm.Image.from_file(io.BytesIO(BROKEN)),
        lambda: fm.Image.of(BROKEN),
        lambda: fm.Image.read(PROBE.decode("latin-1")),
        lambda: fm.Image(PROBE),
        lambda: fm.Image.of([PROBE]),
    ],
)
def test_no_refused_key_address_or_picture_is_kept(make):
    with pytest.raises((fm.ConfigurationError, fm.InvalidImage, TypeError)) as caught:
        make()
    check(caught.value)


@pytest.mark.parametrize("is_async", [False, True])
def test_an_error_that_is_kept_keeps_no_picture_alive(is_async):
    """Nor does a thread that waits for its next call."""
    data = [bytes(bytearray(PROBE)), bytes(bytearray(REFERENCE))]
    before = [sys.getrefcount(each) for each in data]

    async def call(verifier):
        with pytest.raises(fm.VendorUnavailable) as caught:
            await fm.AsyncFaceVerifier(verifier).verify(*data)
        return caught

    with closed_port() as port:
        verifier = didit(f"http://127.0.0.1:{port}")
        if is_async:
            caught = anyio.run(call, verifier)
        else:
            with pytest.raises(fm.VendorUnavailable) as caught:
                verifier.verify(*data)
    assert caught.value.__traceback__
    assert [sys.getrefcount(each) for each in data] == before


def test_frames_of_the_caller_keep_their_variables():
    """Such as those of an iterator that a run reads from."""

    def pairs():
        file = "pairs.csv"
        yield from ()
        raise LookupError(file)

    with fm.FaceVerifier(Failing()) as verifier, pytest.raises(LookupError) as caught:
        list(verifier.verify_many(pairs()))
    variables = [frame.f_locals for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert variables[-1]["file"] == "pairs.csv"
    assert variables[0]["verifier"] is verifier


@pytest.mark.parametrize("kind", ["FaceVerifier", "AsyncFaceVerifier"])
@pytest.mark.parametrize("name", ["verify", "check_liveness", "verify_live"])
def test_the_running_frames_show_no_picture_to_a_hook(kind, name):
    """An error tracker may add the current stack to what a hook sends or logs."""
    shown = {}

    def hear(event):
        if event.kind is fm.EventKind.SENT:
            return  # on purpose: the body is about to be sent, and the transport's frames have it
        # Not those of whoever runs the tests, which show thousands of them.
        apart = (traces.TESTS, *(str(Path(of.__file__).parent) for of in RUNNERS))
        running = [
            entry
            for entry in traceback.walk_stack(None)
            if not entry[0].f_code.co_filename.startswith(apart)
        ]
        for at in traceback.StackSummary.extract(running, capture_locals=True):
            shown[f"{event.kind} {at.filename}:{at.lineno}"] = repr(at.locals)

    backend = Failing()
    error = error_of(kind, name, opened(kind, backend, on_event=hear))
    assert isinstance(error, fm.VendorError)
    assert any("started" in place for place in shown)
    assert any("unknown" in place for place in shown)
    assert canaries.leaks(shown, SECRETS) == {}


@pytest.mark.parametrize(
    "cls",
    [
        fm.FaceVerifier,
        fm.Failover,
        fm.Sessions,
        fm.SessionStore,
        fm.AsyncFaceVerifier,
        fm.AsyncSessions,
        fm.AsyncSessionStore,
    ],
)
def test_an_object_whose_init_failed_has_a_repr(cls):
    """A subclass's frame shows it."""
    assert cls.__name__ in repr(object.__new__(cls))
