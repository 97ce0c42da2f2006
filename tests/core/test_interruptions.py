import signal

import pytest
from kit.attempts import sums
from kit.fakes import PROBE, REFERENCE, FakeBackend

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
    reports_sent = False

    def match(self, request):
        return self.script.pop()(request)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("kind", [FakeBackend, Silent])
def test_interruption_after_the_first_byte_has_an_unknown_charge(kind, interruption):
    events = []
    store = MemoryStore()

    def interrupt(call):
        raise interruption

    policies = [Budget(5, name="shop", store=store)]
    hear = events.append
    verifier = fm.FaceVerifier(kind(script=[interrupt]), policies=policies, on_event=hear)
    with pytest.raises(interruption):
        verifier.verify(PROBE, REFERENCE)
    assert (events[-1].kind, events[-1].error) == (fm.EventKind.UNKNOWN, interruption.__name__)
    assert sums(store) == (0, 0, 1)


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

    def __init__(self, at):
        super().__init__()
        self.at = at
        self.came = False

    def _reach(self, step):
        if self.came:
            raise fm.StoreUnavailable("away")
        if step == self.at:
            self.came = True
            raise KeyboardInterrupt

    def reserve(self, *args, **more):
        self._reach("reserve")
        return super().reserve(*args, **more)

    def finalize(self, *args, **more):
        self._reach("finalize")
        return super().finalize(*args, **more)


@pytest.mark.parametrize("at", ["reserve", "finalize"])
def test_ctrl_c_propagates_if_the_store_is_unavailable(at):
    backend = FakeBackend()
    policies = [Budget(9, name="x", store=Interrupted(at))]
    verifier = fm.FaceVerifier(backend, policies=policies, retry=fm.Retry(first_s=0.001))
    with pytest.raises(KeyboardInterrupt):
        verifier.verify(PROBE, REFERENCE)
    assert len(backend.calls) == (at == "finalize")


def test_ctrl_c_in_one_policy_still_ends_the_others():
    store = MemoryStore()
    away = Interrupted("finalize")
    policies = [Budget(9, name="first", store=store), Budget(9, name="second", store=away)]
    with pytest.raises(KeyboardInterrupt):
        fm.FaceVerifier(FakeBackend(), policies=policies).verify(PROBE, REFERENCE)
    (state,) = store.budgets()
    assert (state.spent, state.reserved) == (1, 0)
