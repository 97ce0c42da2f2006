import concurrent.futures
import signal
import threading

import pytest
from kit.attempts import sums
from kit.fakes import PROBE, REFERENCE, FakeBackend, Hold

import facematch_core as fm
from facematch_core.resilience import Budget
from facematch_core.store import MemoryStore


class Soft(Exception):
    pass


@pytest.fixture
def alarm():
    def ring(number, frame):
        raise Soft

    before = signal.signal(signal.SIGUSR1, ring)
    yield lambda: signal.raise_signal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def test_signal_handler_exception_propagates_with_an_unknown_charge(alarm):
    events = []
    backend = FakeBackend(script=[lambda _: alarm()])
    with pytest.raises(Soft):
        fm.FaceVerifier(backend, on_event=events.append).verify(PROBE, REFERENCE)
    assert (events[-1].kind, events[-1].error) == (fm.EventKind.UNKNOWN, "Soft")


class Silent(FakeBackend):
    """Does not report when it sends."""

    reports_sent = False

    def match(self, request):
        raise self.script.pop()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("backend_class", [FakeBackend, Silent])
def test_interruption_after_the_first_byte_has_an_unknown_charge(backend_class, interruption):
    events = []
    budget = Budget(5, name="shop")
    backend = backend_class(script=[interruption()])
    verifier = fm.FaceVerifier(backend, policies=[budget], on_event=events.append)
    with pytest.raises(interruption):
        verifier.verify(PROBE, REFERENCE)
    assert events[-1].kind is fm.EventKind.UNKNOWN
    assert events[-1].error == interruption.__name__
    assert sums(budget.store) == (0, 0, 1)


def test_signal_handler_exception_propagates_from_reconcile(alarm):
    class Records(FakeBackend):
        def reconcile(self, call, *, deadline):
            alarm()

    backend = Records(script=[fm.OutcomeUnknown("lost")])
    with pytest.raises(fm.OutcomeUnknown) as caught:
        fm.FaceVerifier(backend).verify(PROBE, REFERENCE, retention=fm.Retention.KEEP)
    with pytest.raises(Soft):
        fm.FaceVerifier(backend).reconcile(caught.value)


# Ctrl-C, and a store that is away


class Interrupted(MemoryStore):
    """Ctrl-C comes at the named step; after it the store is away."""

    def __init__(self, step):
        super().__init__()
        self.step = step
        self.is_away = False

    def _reach(self, step):
        if self.is_away:
            raise fm.StoreUnavailable("away")
        if step == self.step:
            self.is_away = True
            raise KeyboardInterrupt

    def reserve(self, *arguments, **options):
        self._reach("reserve")
        return super().reserve(*arguments, **options)

    def finalize(self, *arguments, **options):
        self._reach("finalize")
        return super().finalize(*arguments, **options)


@pytest.mark.parametrize(("step", "calls"), [("reserve", 0), ("finalize", 1)])
def test_ctrl_c_propagates_if_the_store_is_unavailable(step, calls):
    backend = FakeBackend()
    policies = [Budget(9, name="x", store=Interrupted(step))]
    verifier = fm.FaceVerifier(backend, policies=policies, retry=fm.Retry(first_s=0.001))
    with pytest.raises(KeyboardInterrupt):
        verifier.verify(PROBE, REFERENCE)
    assert len(backend.calls) == calls


def test_ctrl_c_while_a_pair_is_read_ends_the_batch():
    def pairs():
        yield PROBE, REFERENCE
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(fm.FaceVerifier(FakeBackend()).verify_many(pairs()))


@pytest.fixture
def interrupted_batch(caplog):
    """Run a batch that Ctrl-C interrupts in two calls at once.

    Return the ids of its calls, the exception's note, and the lines of the log.
    """

    def run(hold, backend, on_first=lambda: None):
        is_pressed = threading.Event()

        def interrupt(number, frame):
            if not is_pressed.is_set():
                is_pressed.set()
                on_first()
                raise KeyboardInterrupt

        def press():
            hold.wait_for(2)
            # Repeated, because a signal just before the main thread blocks does not wake it.
            while not is_pressed.wait(0.01):
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        before = signal.signal(signal.SIGINT, interrupt)
        pressing = threading.Thread(target=press)
        pressing.start()
        events = []
        verifier = fm.FaceVerifier(backend, on_event=events.append)
        pairs = [(PROBE, REFERENCE, f"person {number}") for number in range(2)]
        try:
            with pytest.raises(KeyboardInterrupt) as caught:
                list(verifier.verify_many(pairs, max_workers=2))
        finally:
            hold.go_on.set()
            pressing.join()
            signal.signal(signal.SIGINT, before)
        (note,) = caught.value.__notes__
        lines = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
        return {event.call_id for event in events}, note, lines

    return run


def test_ctrl_c_in_a_batch_tells_the_outcomes_that_nobody_saw(interrupted_batch):
    hold = Hold()

    def lose(request):
        hold(request)
        raise fm.OutcomeUnknown("lost")

    backend = FakeBackend(script=[lose, hold])
    ids, note, lines = interrupted_batch(hold, backend, on_first=hold.go_on.set)
    assert lines == [note]
    assert len(ids) == 2
    for told in ("OutcomeUnknown, charged unknown", "match, charged yes", *ids):
        assert told in note
    assert "person" not in note


def test_a_second_ctrl_c_does_not_wait_for_the_calls(interrupted_batch, monkeypatch):
    hold = Hold()

    def interrupted(_pool, *, wait):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(concurrent.futures.ThreadPoolExecutor, "shutdown", interrupted)
        _ids, note, lines = interrupted_batch(hold, FakeBackend(script=[hold, hold]))
    assert lines == [note]
    assert "still run, and may be charged: 2" in note


def test_ctrl_c_in_one_policy_still_ends_the_others():
    budget = Budget(9, name="shop")
    interrupted = Budget(9, name="second", store=Interrupted("finalize"))
    verifier = fm.FaceVerifier(FakeBackend(), policies=[budget, interrupted])
    with pytest.raises(KeyboardInterrupt):
        verifier.verify(PROBE, REFERENCE)
    assert sums(budget.store) == (1, 0, 0)
