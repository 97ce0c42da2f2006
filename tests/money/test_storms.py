"""Everything breaks at once: the books agree, each call ends in time, no thread is too many."""

import asyncio
import collections
import contextlib
import gc
import random
import socket
import threading
import time
from unittest import mock as patches

import anyio
import attrs
import pytest
from kit.fakes import picture

import facematch_core as fm
from facematch_core.backend import Capabilities, RemoteBackend
from facematch_core.errors import FaceMatchError, VendorError
from facematch_core.resilience import Budget, CircuitBreaker, RateLimiter, RateWindow, Retry
from facematch_core.store import MemoryStore
from facematch_didit import DiditBackend
from facematch_mock_server import Fault, MockServer

A, B = picture(), picture((20, 30, 40))
STORM_FAULTS = (
    Fault(stage="connect", kind="delay", seconds=1.5),
    Fault(stage="connect", kind="reset"),
    Fault(stage="mid_upload", kind="reset"),
    Fault(stage="after_upload", kind="reset", executed=True),
    Fault(stage="after_upload", kind="reset", executed=False),
    Fault(stage="after_upload", kind="delay", seconds=2, executed=True),
    Fault(stage="mid_headers", kind="garbage"),
    Fault(stage="mid_body", kind="truncate"),
    Fault(stage="answer", kind="html", status=502, executed=True),
    Fault(stage="answer", kind="status", status=429),
    Fault(stage="answer", kind="status", status=503),
)
LAST_EVENTS = {"charged", "refused", "unknown"}
#: What the documented numbers allow of threads by the beginning of their names.
MOST = {"facematch-call": 8, "facematch-look-up": 8}


@attrs.frozen(kw_only=True)
class SlowLibrary(RemoteBackend):
    """A vendor whose library takes its time, and charges somewhere in the middle of it."""

    name = "library"
    reports_sent = True
    capabilities = Capabilities(
        score_scale="library/v1",
        default_threshold=50.0,
        billed_operations=frozenset({fm.Operation.MATCH}),
    )
    dice: random.Random
    charges: list = attrs.field(factory=list)

    def match(self, call):
        call.on_sent()
        time.sleep(self.dice.choice([0.0, 0.01, 0.05, 0.5, 1.5]))
        self.charges.append(call.call_id)
        time.sleep(self.dice.choice([0.0, 0.0, 0.5]))
        score = fm.Score(60.0, "library/v1")
        billing = fm.Billing(fm.Charged.YES, "of the test")
        return fm.MatchResult(
            decision=fm.Decision.MATCH, score=score, backend=self.name, billing=billing
        )


class Storm:
    """What happened, counted while it did.

    Attributes:
        calls: How many calls were begun, by their callers' counts.
        latest_s: How long after its deadline the latest call came back.
        threads: The most threads seen at a time, by the beginning of their names.
    """

    def __init__(self, seed, seconds, store=None):
        self.dice, self.ends_at = random.Random(seed), time.monotonic() + seconds
        self.store = store or MemoryStore()
        self.mock = MockServer(seed=seed, switches={"write_limit": 10**6})
        self.calls, self.latest_s = 0, 0.0
        self.threads = collections.Counter()
        self.steps, self.lock = collections.defaultdict(set), threading.Lock()
        self.failures, self.records = [], collections.deque(maxlen=50)

    def hear(self, event):
        with self.lock:
            self.steps[event.call_id].add(event.kind.value)

    def verifier(self, backend, **more):
        policies = [
            CircuitBreaker(failures=200),
            RateLimiter(RateWindow(300, 1), max_wait_s=5),
            Budget(10**6, name=backend.name, store=self.store),
        ]
        return fm.FaceVerifier(backend, policies=policies, on_event=self.hear, **more)

    def run(self):
        look_up = socket.getaddrinfo

        def slow(host, *more, flags=0, **named):
            # An address is not looked up.
            if not flags & socket.AI_NUMERICHOST and self.dice.random() < 0.2:
                time.sleep(self.dice.choice([0.1, 1.0, 2.0]))
            return look_up(host, *more, flags=flags, **named)

        with self.mock, patches.patch("socket.getaddrinfo", slow):
            # By a name, so that it is looked up.
            url = self.mock.url.replace("127.0.0.1", "localhost")
            didit = DiditBackend(api_key=self.mock.live_key, base_url=url)
            library = SlowLibrary(dice=self.dice)
            retry = Retry(times=2, first_s=0.01)
            self.verifiers = [
                self.verifier(didit),
                self.verifier(didit, retry=retry),
                self.verifier(library),
            ]
            members = {"didit": self.verifier(didit), "library": self.verifier(library)}
            self.verifiers.append(fm.Failover(members))
            workers = [
                *[threading.Thread(target=self.guard, args=[self.ask]) for _ in range(8)],
                threading.Thread(target=self.guard, args=[self.abandon]),
                threading.Thread(target=self.guard, args=[self.watch]),
                threading.Thread(target=self.guard, args=[self.ask_async]),
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join(self.ends_at - time.monotonic() + 60)
                assert not worker.is_alive(), "a call came back never"
            for verifier in self.verifiers:
                verifier.close()
            self.wait_for_ends()
            charges = {"didit": len(self.mock.control.charges()), "library": len(library.charges)}
        assert not self.failures, self.failures[0]
        counted = collections.Counter()
        for state in self.store.budgets():
            counted[state.key.name] += state.spent + state.unknown + state.reserved
        return charges, counted

    def guard(self, work):
        try:
            while time.monotonic() < self.ends_at:
                work()
        except BaseException as error:
            self.failures.append(error)
            raise

    def wait_for_ends(self):
        limit = time.monotonic() + 30
        while self.open_calls() and time.monotonic() < limit:
            time.sleep(0.05)

    def open_calls(self):
        with self.lock:
            return [call for call, steps in self.steps.items() if not self.is_over(steps)]

    @staticmethod
    def is_over(steps):
        return bool(LAST_EVENTS & steps) or "answered" in steps

    def ask(self):
        verifier, deadline_s = self.dice.choice(self.verifiers), self.dice.uniform(0.05, 1.5)
        if self.dice.random() < 0.3 and len(self.mock.control.faults()) < 4:
            self.mock.control.add_fault(self.dice.choice(STORM_FAULTS))
        started = time.monotonic()
        try:
            kind = self.dice.random()
            if kind < 0.1 and self.records:
                verifier.reconcile(self.records.pop(), deadline_s=deadline_s)
            elif kind < 0.2 and verifier is not self.verifiers[2]:
                verifier.verify_live(A, B, deadline_s=deadline_s)
            else:
                keep = verifier is not self.verifiers[2] and kind < 0.5
                retention = fm.Retention.KEEP if keep else fm.Retention.MINIMAL
                verifier.verify(A, B, deadline_s=deadline_s, retention=retention)
        except VendorError as error:
            if error.call is not None:
                self.records.append(error.call)
        except (FaceMatchError, IndexError):
            pass
        late_s = time.monotonic() - started - deadline_s
        with self.lock:
            self.calls += 1
            self.latest_s = max(self.latest_s, late_s)

    def abandon(self):
        verifier = self.dice.choice(self.verifiers)
        run = verifier.verify_many([(A, B)] * 20, max_workers=4, deadline_s=0.5, stop_on=())
        for _, _outcome in zip(range(self.dice.randrange(4)), run, strict=False):
            self.calls += 1
        if self.dice.random() < 0.5:
            run.close()
        else:
            cycle = [run]
            cycle.append(cycle)
            if self.dice.random() < 0.3:
                del run, cycle
                gc.collect()

    def watch(self):
        names = collections.Counter(
            next((name for name in MOST if thread.name.startswith(name)), "")
            for thread in threading.enumerate()
        )
        for name in MOST:
            self.threads[name] = max(self.threads[name], names[name])
        time.sleep(0.01)

    def ask_async(self):
        async def call(verifier):
            started, deadline_s = time.monotonic(), self.dice.uniform(0.05, 1.0)
            with anyio.move_on_after(self.dice.choice([0.01, 0.1, 9])):
                with contextlib.suppress(FaceMatchError):
                    await verifier.verify(A, B, deadline_s=deadline_s)
                self.latest_s = max(self.latest_s, time.monotonic() - started - deadline_s)
            self.calls += 1

        async def main():
            # Closed by the end of the storm, and not before.
            inner = self.verifier(
                DiditBackend(
                    api_key=self.mock.live_key, base_url=self.verifiers[0].backend.base_url
                )
            )
            async with (
                fm.AsyncFaceVerifier(inner, max_concurrency=6) as verifier,
                anyio.create_task_group() as group,
            ):
                for _ in range(30):
                    group.start_soon(call, verifier)

        asyncio.run(main())


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_in_a_storm_no_more_is_charged_than_counted_and_every_call_ends_in_time(seed):
    storm = Storm(seed, 20)
    charges, counted = storm.run()
    assert storm.calls > 50
    assert all(charges[name] <= counted[name] for name in charges), (charges, counted)
    assert storm.open_calls() == []
    # What hangs in it hangs for good.
    assert storm.latest_s < 10
    # A verifier has eight, and so have names.
    verifiers = len(storm.verifiers) + 2
    assert storm.threads["facematch-call"] <= MOST["facematch-call"] * verifiers
    assert storm.threads["facematch-look-up"] <= MOST["facematch-look-up"]
