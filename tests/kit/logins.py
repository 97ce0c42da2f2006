"""Rules about a login: it ends at the deadline of its call, and a failed one is free."""

import contextlib
import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import attrs

import facematch_core as fm
from facematch_core.base.deadline import Deadline
from facematch_core.base.threads import HelperThreads, StillRunning
from facematch_core.testing import HttpSimulator, SimulatorReply, Situation
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import PASS, Rules, assert_equal, rule
from facematch_core.testing.simulator import PASSING

#: Deadlines in seconds, the longer ones for busy machines.
DEADLINES_S = (0.05, 0.2, 0.6, 4.0)
#: The longest time that a call may take, as a multiple of its deadline.
MAX_LATENESS = 3
#: Situations in which a login fails.
FAILED_LOGINS = (Situation.LOST_ANSWER, Situation.GATEWAY_ERROR, Situation.UNREADABLE_200)


class LoginRules(Rules):
    """A login before a call, redirected to a server that gives no token."""

    @rule("R51")
    def test_login_ends_at_the_deadline(self, bench):
        """A login ends at the deadline of its call, also while another thread logs in. A failed
        login is free, and the next call logs in again.

        Tokens expire under load. If one login hangs, all visitors would wait for it.
        """
        operation = bench.operations[0]
        bench.simulator.set_situation(PASSING[operation])
        with LoginServer() as server, redirect_logins(bench.backend, server.url):
            # Without a deadline, so that a busy machine sends it, too.
            server.set_situation(Situation.GATEWAY_ERROR)
            bench.run_request(bench.make_request(operation, PASSING[operation]))
            assert server.login_arrived.is_set(), "it does not log in"
            server.set_situation(Situation.SLOW)
            self._deadline_holds(bench, server, "while its login hangs")
            self._deadline_holds_beside_hung_login(bench, server)
            for situation in FAILED_LOGINS:
                server.set_situation(situation)
                outcome = bench.run_request(bench.make_request(operation, PASSING[operation]))
                _check_failed_login(outcome, f"a login that ends in {situation.name}")
        outcome = bench.call_verifier(operation, PASSING[operation])
        assert_equal(
            "the outcome after failed logins", outcome.summary, f"the result {PASS[operation]}"
        )

    def _deadline_holds(self, bench, server, when):
        """Assert that a call whose login gets no response ends at its deadline."""
        operation = bench.operations[0]
        for deadline_s in DEADLINES_S:
            deadline = Deadline.after(deadline_s, bench.clock)
            call = bench.make_request(operation, PASSING[operation], deadline=deadline)
            has_ended = False
            try:
                outcome = HelperThreads(1, "facematch-kit").run(
                    functools.partial(bench.run_request, call),
                    Deadline.after(MAX_LATENESS * deadline_s),
                )
            except StillRunning:
                continue
            has_ended = True
            if not server.login_arrived.is_set():
                continue  # A busy machine has not sent the login in time.
            _check_failed_login(outcome, f"a call {when}")
            return
        assert has_ended, f"{when}, a call goes on after its deadline of {deadline_s:g} s"

    def _deadline_holds_beside_hung_login(self, bench, server):
        """Assert that a call ends at its deadline while another thread's login hangs."""
        operation = bench.operations[0]
        deadline = Deadline.after(benches.CALL_LIMIT_S, bench.clock)
        other_request = bench.make_request(operation, PASSING[operation], deadline=deadline)
        server.set_situation(Situation.SLOW)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_call_backend, bench.backend, other_request)
            try:
                server.login_arrived.wait(benches.CALL_LIMIT_S)
                self._deadline_holds(bench, server, "while another thread logs in")
            finally:
                server.set_situation(Situation.GATEWAY_ERROR)  # ends the login that hangs


@contextlib.contextmanager
def redirect_logins(backend, url):
    """Send each login to `url` instead. A request of a call passes `on_sent`, a login does not."""
    send = backend.client.send

    def redirect(request, **options):
        if "on_sent" not in options:
            request = attrs.evolve(request, url=url)
        return send(request, **options)

    with mock.patch.object(backend.client, "send", redirect):
        yield


class LoginServer(HttpSimulator):
    """Receives the logins of a backend; no situation gives a token."""

    situations = HttpSimulator.FAULTS

    def __init__(self):
        super().__init__()
        #: Set when a login arrives after the last `set_situation`.
        self.login_arrived = threading.Event()
        self.set_situation(Situation.SLOW)

    def backend(self, **settings):
        raise NotImplementedError("The backend is the one whose logins are redirected.")

    def set_situation(self, situation, **options):
        self.login_arrived.clear()
        super().set_situation(situation, **options)

    def counts(self, request):
        self.login_arrived.set()
        return True

    def answer(self, request, situation, score):
        return SimulatorReply(body={})


def _check_failed_login(outcome, label):
    assert isinstance(outcome.error, fm.VendorError), f"{label} gives {outcome.summary}"
    assert_equal(f"the charge of {label}", outcome.error.billing.charged, fm.Charged.NO)
    assert_equal(f"the number of requests with a picture of {label}", outcome.requests, 0)


def _call_backend(backend, request):
    if request.operation is fm.Operation.MATCH:
        return backend.match(request)
    return backend.check_liveness(request)
