"""Rules for a backend that sends or logs in by its own code, as one around an SDK does.

The core makes these promises to an `HttpBackend`. To test yours, copy this file beside your tests:

    class TestOwnSender(OwnSenderRules):
        @pytest.fixture
        def simulator(self): ...  # as in your contract
"""

import contextlib
import functools
import inspect
import itertools
import json
import os
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import facematch_core as fm
from facematch_core import Secret, models
from facematch_core.backend import Backend
from facematch_core.testing import Situation, leaks
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import FAIL, PASS, Rules, assert_equal, rule
from facematch_core.testing.contract.money import check_failure
from facematch_core.testing.contract.options import secret_parts_of
from facematch_core.testing.simulator import (
    NOT_PASSING,
    OPERATION_OF,
    PASSING,
    STALLS,
    author_of,
)

#: Deadlines in seconds, the longer ones for busy machines.
DEADLINES_S = (0.05, 0.2, 0.6, 4.0)
#: The longest time that a call may take, as a multiple of its deadline.
MAX_LATENESS = 3


class OwnSenderRules(Rules):
    """Deadlines, threads, closing and settings of a plug-in with its own HTTP code."""

    @rule("R51")
    def test_deadline_holds(self, bench):
        """`deadline_s` ends a call that would never end, and the next call is not affected.

        A call must not hang for minutes. Returning the previous visitor's response would be worse.
        """
        simulator = bench.simulator
        stalls = [
            stall
            for stall in STALLS
            if stall in simulator.situations or stall not in simulator.cannot_happen
        ]
        bench.skip_unless_available(*(stalls or STALLS))
        for operation, stall in itertools.product(bench.operations, stalls):
            self._check_deadline(bench, operation, stall)
            self._check_next_call(bench, operation, NOT_PASSING[operation], FAIL[operation])
            self._check_next_call(bench, operation, PASSING[operation], PASS[operation])

    def _check_next_call(self, bench, operation, situation, decision):
        result = bench.call_verifier(operation, situation).require_result()
        assert_equal("the decision after a call that timed out", result.decision, decision)

    def _check_deadline(self, bench, operation, stall):
        steps = bench.steps_to_fail(operation, stall)
        # Test SLOW at the first and last steps (before and after any wait), DRIPPING at the last.
        stalled_steps = {steps[-1]}
        if stall is Situation.SLOW:
            stalled_steps.add(steps[0])
        for step in stalled_steps:
            # Try again with more time: a busy machine may be late, or send nothing in time.
            for deadline_s in DEADLINES_S:
                if Situation.UNREACHABLE in bench.simulator.situations:
                    # A late request from an earlier call must not be counted here.
                    bench.simulator.set_situation(Situation.UNREACHABLE)
                started_s = time.monotonic()
                outcome = bench.call_verifier(operation, stall, step=step, deadline_s=deadline_s)
                took_s = time.monotonic() - started_s
                is_in_time = took_s < MAX_LATENESS * deadline_s
                if is_in_time and outcome.requests >= (step or 1):
                    break
            assert is_in_time, (
                f"a deadline of {deadline_s:g} s took {took_s:.2f} s: {outcome.summary}"
            )
            check_failure(bench, operation, stall, step, outcome)

    @rule("R51")
    def test_calls_do_not_mix_or_pile_up(self, bench):
        """Threads that share a verifier each get their own response, and every call is counted.

        A web server verifies two visitors at once: a swapped response lets a stranger in.
        """
        for operation in bench.operations:
            self._check_threads(bench, operation)

    def _check_threads(self, bench, operation):
        """Assert that threads with different pictures and thresholds do not mix."""
        simulator = bench.simulator
        verifier = bench.open_verifier()
        situation = PASSING[operation]
        option_sets = [{}]
        applies_rule_itself = bench.capabilities.threshold_rule is not models.ThresholdRule.VENDOR
        if bench.score_scale(operation) and applies_rule_itself:
            case = bench.find_scored_case(operation)
            situation = case.situation
            # One threshold that the score passes, and one that it does not.
            option_sets = [{"threshold": case.score - 1}, {"threshold": case.score + 1}]
            bench.call_verifier(operation, situation, score=case.score_to_set)
        else:
            bench.call_verifier(operation, situation)
        calls = []
        for options in option_sets:
            for shown in (situation, NOT_PASSING[operation]):
                pair = simulator.pictures_for(shown)
                calls.append(benches.application_call(verifier, operation, pair, **options))
        # More threads than kinds of calls.
        calls *= 8 // len(calls)
        verdicts_alone = [_decision_and_threshold(call()) for call in calls]
        requests_before = simulator.requests_seen
        charges_before = simulator.charges
        start = threading.Barrier(len(calls))

        def call_often(call):
            start.wait()
            return [call() for _ in range(4)]

        with ThreadPoolExecutor(len(calls)) as pool:
            results_by_call = list(pool.map(call_often, calls))
        charges = 0
        for verdict_alone, results in zip(verdicts_alone, results_by_call, strict=True):
            verdicts = {_decision_and_threshold(result) for result in results}
            label = "the results beside other threads"
            assert_equal(label, verdicts, {verdict_alone})
            charges += sum(result.billing.charges or 0 for result in results)
        requests = len(calls) * 4 * bench.request_count(operation)
        assert_equal(
            "the vendor's count of requests in threads",
            simulator.requests_seen - requests_before,
            requests,
        )
        assert_equal(
            "the vendor's count of charges in threads", simulator.charges - charges_before, charges
        )

    @rule("R51")
    def test_closing_is_final_and_only_ones_own(self, bench):
        """`close` is idempotent and closes no other backend; a new backend works with its own key,
        and in any time zone.

        A service may close a backend in several places. Hidden shared state would break the others.
        A signature with the local day is rejected for hours of each day.
        """
        environment = dict(os.environ)
        for operation in bench.operations:
            other = bench.open_backend()
            verifier = bench.open_verifier()
            self._check_passes(bench, operation, "newly opened", verifier=verifier)
            verifier.close()
            verifier.close()
            verifier.backend.close()
            other.close()
            self._check_passes(bench, operation, "open while others were closed")
            self._use_other_keys(bench, operation)
            self._check_passes(bench, operation, "open while others had other keys")
            variables = bench.backend.environment_variables.values()
            with mock.patch.dict(os.environ, dict.fromkeys(variables, "nobody's-key-0000")):
                description = "opened with its keys, beside others in the environment,"
                own_keys = bench.open_verifier()
                self._check_passes(bench, operation, description, verifier=own_keys)
            with _on_another_day():
                self._check_passes(bench, operation, "called where it is another day")
        assert dict(os.environ) == environment, "a call changed os.environ"

    def _use_other_keys(self, bench, operation):
        """For each setting that is a secret, make a call by a backend with another value of it."""
        settings = inspect.signature(type(bench.backend)).parameters
        for name, secret in bench.backend_secrets().items():
            if name not in settings:
                continue
            last_digits = "1111" if secret.endswith("0000") else "0000"
            other_key = Secret(secret[:-4] + last_digits)
            # The backend may reject the made-up key because of its format.
            with contextlib.suppress(fm.ConfigurationError):
                other = bench.open_backend(**{name: other_key})
                verifier = fm.FaceVerifier(other, clock=bench.clock)
                bench.call_verifier(operation, PASSING[operation], verifier=verifier)

    def _check_passes(
        self,
        bench,
        operation,
        description,
        verifier=None,
    ):
        outcome = bench.call_verifier(operation, PASSING[operation], verifier=verifier)
        label = f"the outcome of a backend that was {description}"
        assert_equal(label, outcome.summary, f"the result {PASS[operation]}")

    @rule()
    def test_settings_are_held(self, bench):
        """An unknown setting is rejected without showing its value, `diagnose` sends nothing and
        shows no key, and no call writes a file.

        If a misspelt `threshold` were ignored, the wrong person could pass. A file could leak.
        """
        unknown_value = "kit0odd5d41402abc4b2a76"
        error_text = None
        try:
            bench.simulator.backend(surely_not_a_setting=unknown_value).close()
        except Exception as error:  # noqa: BLE001 - whatever it raises is judged
            error_text = f"{error} {error!r}"
        assert error_text is not None, "an unknown setting is accepted"
        is_shown = unknown_value in error_text
        assert not is_shown, "the error for an unknown setting shows its value"
        requests_before = bench.simulator.requests_seen
        with leaks.capture_log() as log, _files_written() as files:
            # `facematch doctor --json` prints it in this form.
            diagnosis = json.dumps(dict(bench.backend.diagnose()), allow_nan=False)
            requests = bench.simulator.requests_seen - requests_before
            assert_equal("the number of requests by `diagnose`", requests, 0)
            situations = (*OPERATION_OF, Situation.OUTAGE)
            for operation, situation in bench.available_cases(situations):
                bench.call_verifier(operation, situation)
        for secret in secret_parts_of(bench):
            encodings = leaks.find_leaks(secret, diagnosis, log.getvalue())
            assert not encodings, "`diagnose` returns a secret, or it or a call logs one"
        assert not files, f"a call writes a file: {files[0]}"


@contextlib.contextmanager
def _on_another_day():
    """Set a time zone in which it is another day than in UTC: a signature has the day of UTC."""
    has_noon_passed = time.gmtime().tm_hour >= 12
    # POSIX counts zones to the west: 14 hours later than UTC, or 12 earlier.
    zone = "KIT-14" if has_noon_passed else "KIT12"
    try:
        with mock.patch.dict(os.environ, {"TZ": zone}):
            _read_time_zone()
            yield
    finally:
        _read_time_zone()


def _read_time_zone():
    if sys.platform != "win32":  # which has no such function
        time.tzset()


def _decision_and_threshold(result):
    return str(result.decision), None if result.threshold is None else result.threshold.value


#: Flags of `open` for writing.
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND
#: The list of written files of each active `_files_written` context.
_active_lists = []
#: Added only once: an audit hook cannot be removed.
_add_hook = functools.cache(sys.addaudithook)


@contextlib.contextmanager
def _files_written():
    """Collect the files that a backend opens for writing in the block, in any thread."""
    _add_hook(_note_written_file)
    files = []
    _active_lists.append(files)
    try:
        yield files
    finally:
        _active_lists.pop()


def _note_written_file(event, arguments):
    """Add a file to the active list if a backend's method, not a simulator's, opens it to write."""
    if event != "open" or not _active_lists:
        return
    path, _, flags = arguments
    if not (flags or 0) & _WRITES:
        return
    # An integer is the number of an open file.
    if not isinstance(path, (str, bytes, os.PathLike)) or path == os.devnull:
        return
    for frame, _ in traceback.walk_stack(None):
        if str(frame.f_globals.get("__name__")).startswith(("importlib.", "_frozen_importlib")):
            return  # Python itself writes bytecode files.
        author = author_of(frame)
        if author is None:
            continue
        if issubclass(type(author), Backend):
            _active_lists[-1].append(f"{os.fsdecode(path)} ({frame.f_code.co_qualname})")
        return
