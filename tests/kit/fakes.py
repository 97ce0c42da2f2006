"""A scripted backend, and pictures, for the tests of the core."""

import functools
import io
import json
import os
import shlex
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import attrs
import tomli_w
from PIL import Image as PillowImage

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import Backend, Capabilities, LivenessRequest, MatchRequest
from facematch_core.base.deadline import NO_DEADLINE, Deadline, SystemClock
from facematch_core.base.threads import HelperThreads
from facematch_core.config import opening as config
from facematch_core.http import HttpReply

SCALE = "fake/v1"


@functools.cache
def picture(colour=(120, 130, 140), size=(40, 30), kind="JPEG") -> fm.Image:
    buffer = io.BytesIO()
    PillowImage.new("RGB", size, colour).save(buffer, kind)
    return fm.Image.from_bytes(buffer.getvalue())


#: The two pictures of a comparison.
PROBE = picture()
REFERENCE = picture((10, 20, 30))


def as_deadlines(options, clock=None):
    """Return `options` with a `deadline` in place of `deadline_s` and `send_within_s`."""
    options = dict(options)
    clock = clock or options.get("clock") or SystemClock()
    if "deadline_s" in options:
        options["deadline"] = Deadline.after(options.pop("deadline_s"), clock)
    if "send_within_s" in options:
        deadline = options.get("deadline", NO_DEADLINE)
        options["deadline"] = deadline.sending_within(options.pop("send_within_s"))
    return options


def match_call(
    threshold=None, rule=models.ThresholdRule.AT_LEAST, operation=fm.Operation.MATCH, **fields
):
    """Return a call of this operation, with a threshold of the caller if one is given."""
    fields = as_deadlines(fields)
    if threshold is not None:
        fields["threshold"] = fm.Threshold(threshold, rule, models.ThresholdSource.CALLER)
    if operation is fm.Operation.LIVENESS:
        return LivenessRequest(probe=picture(), **fields)
    return MatchRequest(probe=picture(), reference=picture((1, 2, 3)), **fields)


def json_reply(body, status=200, **headers):
    """Return a vendor's reply; a body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(status=status, body=data, headers=headers)


@attrs.frozen
class FakeOptions:
    level: int = 1


ALL_CAPABILITIES = Capabilities(
    operations=frozenset({fm.Operation.MATCH, fm.Operation.LIVENESS}),
    retention=frozenset(fm.Retention),
    options=FakeOptions,
    threshold_rule=models.ThresholdRule.AT_LEAST,
    default_threshold=50.0,
    default_liveness_threshold=30.0,
    score_scale=SCALE,
    liveness_scale=SCALE,
    billed_operations=frozenset({fm.Operation.MATCH, fm.Operation.LIVENESS}),
)


class Hold:
    """A step of a script that waits until the test lets it go on."""

    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.go_on = threading.Event()

    def __call__(self, *_arguments):
        self.entered.release()
        assert self.go_on.wait(30)

    def wait_for(self, calls=1):
        """Wait until so many calls have come to it."""
        for _ in range(calls):
            assert self.entered.acquire(timeout=30)


def begin_before_the_deadline(monkeypatch, has_begun):
    """Let no deadline pass before `has_begun` is set in the thread that asks a backend.

    A machine may be too busy to begin a thread within a short deadline.
    """
    start = HelperThreads.start

    def start_and_wait(self, work, deadline, key=None):
        future = start(self, work, deadline, key)
        assert has_begun.wait(30)
        return future

    monkeypatch.setattr(HelperThreads, "start", start_and_wait)


class FakeBackend(Backend):
    """Answers with `score`, or with whatever `script` holds: results, errors, callables."""

    name = "fake"
    reports_sent = True
    capabilities = ALL_CAPABILITIES

    def __init__(
        self, score=80.0, script=(), *, environment=fm.Environment.PRODUCTION, **capabilities
    ):
        self.score = score
        self.script = list(script)
        self.calls = []
        #: Seconds that each call had, and its share for the first byte; None for no limit.
        self.times = []
        self.closed = 0
        self._environment = environment
        self._lock = threading.Lock()
        if capabilities:
            self.capabilities = attrs.evolve(ALL_CAPABILITIES, **capabilities)

    @property
    def environment(self):
        return self._environment

    def match(self, request):
        decisions = (fm.Decision.MATCH, fm.Decision.NO_MATCH)
        return self._answer(request, fm.MatchResult, *decisions)

    def check_liveness(self, request):
        decisions = (fm.LivenessDecision.LIVE, fm.LivenessDecision.NOT_LIVE)
        return self._answer(request, fm.LivenessResult, *decisions)

    def _answer(self, request, result_class, passed, failed):
        scripted = self._next_of_script(request)
        if scripted is not None:
            return scripted
        passes = request.threshold is None or request.threshold.passes(self.score)
        return result_class(
            decision=passed if passes else failed,
            score=fm.Score(self.score, SCALE),
            backend=self.name,
            billing=fm.Billing(fm.Charged.YES, "the script says so"),
        )

    def _next_of_script(self, request):
        """Record a call, and return or raise what the script has for it; None at its end."""
        with self._lock:
            self.calls.append(request)
            share = request.deadline.share
            share_s = None if share is None else share.timeout_s()
            self.times.append((request.deadline.timeout_s(), share_s))
            step = self.script.pop(0) if self.script else None
        # What is unavailable, and not on any ground, was never reached.
        if not isinstance(step, fm.VendorUnavailable) or step.status_code or step.billing.ground:
            request.on_sent()
        if isinstance(step, BaseException):
            raise step
        return step(request) if callable(step) else step

    def close(self):
        self.closed += 1


def match_result(decision=fm.Decision.MATCH, **fields):
    return fm.MatchResult(decision=decision, backend="fake", **fields)


def liveness_result(decision=fm.LivenessDecision.LIVE, **fields):
    return fm.LivenessResult(decision=decision, backend="fake", **fields)


def as_words(*words):
    """Return the words of a command line; one text alone is taken apart as a shell does."""
    return shlex.split(str(words[0])) if len(words) == 1 else [str(word) for word in words]


def invoke_facematch(*words, **options):
    from click.testing import CliRunner

    from facematch_core.cli.app import facematch

    answer = CliRunner().invoke(facematch, as_words(*words), **options)
    # Nothing may reach people as a traceback.
    assert answer.exception is None or isinstance(answer.exception, SystemExit)
    assert "Traceback" not in answer.output
    return answer


def open_profile(at_end, folder, usual, profiles, name=None, **arguments):
    path = folder / "facematch.toml"
    path.write_text(tomli_w.dumps({"profiles": profiles}))
    return at_end.enter_context(fm.open_verifier(profile=name or usual, config=path, **arguments))


def together(count, step):
    """`step` in so many threads at once; the results or errors."""
    start = threading.Barrier(count)

    def run_step(_):
        start.wait(timeout=30)
        try:
            return step()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run_step, range(count)))


def child_says_yes(question):
    """Whether a fork of this process answers yes; one that hangs is ended, and that is no."""
    child = os.fork()
    if child == 0:
        # Whatever happens, it must not go on as a second pytest.
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(240)
            os._exit(0 if question() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def found_match(call, score, **more):
    result = match_result(
        score=fm.Score(score, SCALE),
        billing=fm.Billing(fm.Charged.YES),
        ids=models.Ids(call=call.id),
        **more,
    )
    return fm.Reconciliation(outcome=fm.Reconciled.FOUND, call=call, reason="there", result=result)


def open_always(monkeypatch, backend):
    class Opened(type(backend)):
        def __new__(cls):
            return backend

        def __init__(self):
            pass

    monkeypatch.setattr(config, "backend_class", lambda _name: Opened)
    return backend
