"""What ends a call from outside: a signal handler of the program's, or a caller that has gone."""

import functools
import signal

import PIL.Image
import PIL.ImageFile
import pytest
from kit.attempts import sums
from kit.fakes import FakeBackend, match_result, picture

import facematch_core as fm
from facematch_core._cancellation import CANCELLATION, CallCancelled, Cancellation
from facematch_core.resilience import Budget, Policy
from facematch_core.store import MemoryStore

A, B = picture(), picture((10, 20, 30))


class Soft(Exception):
    """The program's own, out of its signal handler."""


def ring(number, frame):
    raise Soft


class Bell:
    """Handlers that are no plain function."""

    def method(self, number, frame):
        raise Soft

    def __call__(self, number, frame):
        self.method(number, frame)


HANDLERS = {
    "function": ring,
    "method": Bell().method,
    "partial": functools.partial(ring),
    "object": Bell(),
}


@pytest.fixture
def alarm():
    """Sets the handler of a signal, and raises it."""
    before = signal.getsignal(signal.SIGUSR1)

    def raise_it(handler=ring):
        signal.signal(signal.SIGUSR1, handler)
        signal.raise_signal(signal.SIGUSR1)

    yield raise_it
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_what_a_signal_handler_raises_reaches_its_program(alarm, handler):
    """As itself, and an event says that the bill is open."""
    events = []
    backend = FakeBackend(script=[lambda _: alarm(handler)])
    with pytest.raises(Soft):
        fm.FaceVerifier(backend, on_event=events.append).verify(A, B)
    assert events[-1].kind is fm.EventKind.UNKNOWN
    assert events[-1].error == "Soft"


def test_also_if_a_library_gave_it_another_name(alarm):
    def hide(_):
        try:
            alarm()
        except Soft as error:
            raise OSError("reset") from error

    with pytest.raises(Soft) as caught:
        fm.FaceVerifier(FakeBackend(script=[hide])).verify(A, B)
    assert caught.value.__context__ is None


def test_before_the_first_byte_nothing_is_charged(alarm):
    class Early(FakeBackend):
        def match(self, call):
            alarm()

    events = []
    with pytest.raises(Soft):
        fm.FaceVerifier(Early(), on_event=events.append).verify(A, B)
    assert events[-1].kind is fm.EventKind.REFUSED


def test_out_of_the_hook_and_out_of_a_search(alarm):
    with pytest.raises(Soft):
        fm.FaceVerifier(FakeBackend(), on_event=lambda _: alarm()).verify(A, B)

    class Records(FakeBackend):
        def reconcile(self, call, *, deadline_s=None):
            alarm()

    backend = Records(script=[fm.OutcomeUnknown("lost")])
    with pytest.raises(fm.OutcomeUnknown) as caught:
        fm.FaceVerifier(backend).verify(A, B, retention=fm.Retention.KEEP)
    with pytest.raises(Soft):
        fm.FaceVerifier(backend).reconcile(caught.value)


def test_a_fault_of_a_plug_in_is_none_of_the_callers(alarm):
    """An exception of the same class that no handler raised, and one beside a handler."""

    def fails(_):
        raise Soft

    signal.signal(signal.SIGUSR1, ring)
    with pytest.raises(fm.OutcomeUnknown):
        fm.FaceVerifier(FakeBackend(script=[fails])).verify(A, B)


# A caller that has gone.


class Steps(FakeBackend):
    """Asks three times for one call; its caller goes while the first answer is awaited."""

    def __init__(self, billing):
        super().__init__()
        self.billing, self.sent = billing, 0

    def match(self, call):
        call.on_sent()
        cancellation = CANCELLATION.get()
        for _ in range(3):
            if cancellation.cancelled:
                raise CallCancelled(self.billing)
            self.sent += 1
            cancellation.cancel()
        return match_result()


class Noting(Policy):
    """Keeps what became of a try."""

    outcome = None

    def enter(self, context):
        return lambda outcome: setattr(self, "outcome", outcome)


@pytest.mark.parametrize(
    ("charged", "kind", "counted"),
    [
        (fm.Charged.YES, fm.EventKind.CHARGED, (1, 0, 0)),
        (fm.Charged.NO, fm.EventKind.REFUSED, (0, 0, 0)),
        (None, fm.EventKind.UNKNOWN, (0, 0, 1)),
    ],
)
def test_a_cancelled_call_of_several_requests_says_what_it_has_paid(charged, kind, counted):
    """In its event and to its budget; what nobody says stays unknown."""
    billing = None if charged is None else fm.Billing(charged, "of the first request")
    backend, events, store, noted = Steps(billing), [], MemoryStore(), Noting()
    policies = [Budget(5, name="shop", store=store), noted]
    token = CANCELLATION.set(Cancellation())
    try:
        with pytest.raises(CallCancelled):
            fm.FaceVerifier(backend, policies=policies, on_event=events.append).verify(A, B)
    finally:
        CANCELLATION.reset(token)
    assert backend.sent == 1
    assert events[-1].kind is kind
    assert sums(store) == counted
    assert noted.outcome.sent


class Late(Policy):
    """Whose note of an outcome is interrupted."""

    def __init__(self, alarm):
        self.alarm = alarm

    def enter(self, context):
        return lambda _outcome: self.alarm()


def test_out_of_a_policy_that_notes_an_outcome(alarm):
    """The others learn it all the same."""
    noted = Noting()
    policies = [noted, Late(alarm)]
    with pytest.raises(Soft):
        fm.FaceVerifier(FakeBackend(), policies=policies).verify(A, B)
    assert noted.outcome.answered


def test_out_of_a_picture_that_is_taken(alarm, monkeypatch):
    """From a file object, a file, or Pillow; not as a fault of the picture."""

    class Timeout(OSError):
        """As many programs raise it."""

    def ring_os(number, frame):
        raise Timeout

    class File:
        def read(self, _size):
            alarm()

    with pytest.raises(Soft):
        fm.Image.from_file(File())
    with monkeypatch.context() as patched:
        patched.setattr("builtins.open", lambda *_, **__: alarm(ring_os))
        with pytest.raises(Timeout):
            fm.Image.read("selfie.jpg")
    with monkeypatch.context() as patched:
        patched.setattr(PIL.Image.Image, "load", lambda _: alarm())
        with pytest.raises(Soft):
            fm.Image.from_pil(PIL.Image.new("RGB", (8, 8)))
    with monkeypatch.context() as patched:
        patched.setattr(PIL.ImageFile.ImageFile, "load", lambda _: alarm())
        with pytest.raises(Soft):
            A.to_pil()
