"""What is broken off in an odd place costs, counts and waits as it should."""

import threading
import time

import pytest
from kit.fakes import FakeBackend, picture

import facematch_core as fm
from facematch_core.backend import SdkBackend
from facematch_core.resilience import Policy
from facematch_core.store import MemoryStore

A, B = picture(), picture((1, 2, 3))


class Interrupted(MemoryStore):
    """Ctrl-C comes at the named step; after it the store is away."""

    def __init__(self, at):
        super().__init__()
        self.at, self.came = at, False

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


def budget(name, store):
    return fm.Budget(9, name=name, store=store)


@pytest.mark.parametrize("at", ["reserve", "finalize"])
def test_ctrl_c_stays_one_when_the_store_is_away(at):
    """It is not repeated as a call that was merely refused."""
    backend = FakeBackend()
    verifier = fm.FaceVerifier(
        backend, policies=[budget("x", Interrupted(at))], retry=fm.Retry(first_s=0.001)
    )
    with pytest.raises(KeyboardInterrupt):
        verifier.verify(A, B)
    assert len(backend.calls) == (at == "finalize")


def test_ctrl_c_in_one_policy_lets_the_others_hear_of_the_end():
    """The budget before it counts the call."""
    store = MemoryStore()
    policies = [budget("first", store), budget("second", Interrupted("finalize"))]
    with pytest.raises(KeyboardInterrupt):
        fm.FaceVerifier(FakeBackend(), policies=policies).verify(A, B)
    (state,) = store.budgets()
    assert (state.spent, state.reserved) == (1, 0)


class Watching(Policy):
    """Notes what each call is told of its time."""

    def __init__(self):
        self.checked, self.entered = [], []

    def check(self, contexts):
        self.checked += contexts

    def enter(self, context):
        self.entered.append(context)
        return lambda _outcome: None


def test_each_member_is_told_of_its_share_and_of_the_whole():
    """What comes before the first byte has the share; what comes after it the deadline."""
    watching = Watching()
    first = fm.FaceVerifier(FakeBackend(), policies=[watching])
    members = {"first": first, "second": fm.FaceVerifier(FakeBackend())}
    began = time.monotonic()
    fm.Failover(members, deadline_s=1000).verify_live(A, B)
    for context in watching.entered:
        assert began + 400 < context.until < began + 600 < began + 900 < context.deadline_at
    assert len(watching.entered) == 2
    assert [context.until < began + 1100 for context in watching.checked] == [True, True]


def test_a_library_whose_thread_cannot_be_started_is_not_asked(monkeypatch):
    """And nothing is charged."""
    asked, spoken = [], []

    class Acme(SdkBackend):
        name = "acme"

        def ask(self, call):
            asked.append(call)

        def parse(self, call, answer):
            raise AssertionError

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    verifier = fm.FaceVerifier(Acme(), on_event=spoken.append)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(fm.VendorUnavailable) as caught:
        verifier.verify(A, B, deadline_s=5)
    assert (asked, caught.value.billing.charged) == ([], fm.Charged.NO)
    assert spoken[-1].kind is fm.EventKind.REFUSED
