"""R21, R24, R25: options and pictures arrive or are rejected; keys and faces do not leak.

R19, R28, R30, R31: guarantees that the core makes to an `HttpBackend`, tested for engines, vendors'
libraries, and plug-ins that send requests or log in with their own code. R63: logins.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import itertools
import json
import os
import pickle
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import attrs
import pytest

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import PictureRequest, Secret
from facematch_core.base.deadline import Deadline
from facematch_core.base.threads import HelperThreads, StillRunning
from facematch_core.call.run import PICTURES
from facematch_core.http import HttpBackend
from facematch_core.testing import bench as benches
from facematch_core.testing import leaks, pictures
from facematch_core.testing.bench import (
    FAIL,
    PASS,
    Bench,
    Result,
    Rules,
    assert_equal,
    rule,
    run_parts,
)
from facematch_core.testing.pairs import PairSimulator
from facematch_core.testing.simulator import (
    FAILURES,
    NOT_PASSING,
    OPERATION_OF,
    PASSING,
    STALLS,
    EngineSimulator,
    HttpSimulator,
    SimulatorReply,
    SimulatorRequest,
    Situation,
)

from .money import check_failure, reconcile, record_of

#: The pictures of a call, by operation.
PICTURE_NAMES = {fm.Operation.MATCH: PICTURES, fm.Operation.LIVENESS: PICTURES[:1]}
#: A caller's reference (longer than an id) and metadata (with values of several types).
CALLER_REF = "order 7/3f2b8c1e-9d47-4a6b-8e15-0c7d2a9b4f63/desk 3"
METADATA = {"desk": 3, "open": True, "cases": ["7", {"of": 2.5}], "floor": None}
NOT_RECEIVED = "nothing"
#: Responses parsed by different code paths of a plug-in, all failures, and a missing response.
LEAK_SITUATIONS = (
    Situation.SAME_PERSON,
    Situation.LIVE,
    Situation.NO_FACE,
    Situation.UNKNOWN_STATUS,
    Situation.UNKNOWN_WARNING,
    *FAILURES,
    Situation.SLOW,
)
#: Deadlines in seconds, the longer ones for busy machines.
DEADLINES_S = (0.05, 0.2, 0.6)
#: The longest time that a call may take, as a multiple of its deadline.
MAX_LATENESS = 3
#: Situations in which a login fails.
FAILED_LOGINS = (Situation.LOST_ANSWER, Situation.GATEWAY_ERROR, Situation.UNREADABLE_200)
#: Why these rules do not apply to a plug-in based on `HttpBackend`.
CORE_GUARANTEES_IT = "is an HttpBackend: the core guarantees this"


class OptionRules(Rules):
    """Rules about options, pictures and privacy."""

    @rule("R51")
    def test_r24_pictures_beyond_the_limits(self, bench: Bench) -> None:
        """A picture that the vendor would reject is not sent, unless it may be converted to fit. A
        picture that the vendor accepts is not rejected.

        An upload that can only fail costs time, and with some vendors money.
        """
        capabilities = bench.capabilities
        simulator = bench.simulator
        beyond_probe = simulator.refused_pictures(capabilities.image_limits)
        beyond_reference = beyond_probe
        reference_limits = simulator.reference_limits or capabilities.reference_limits
        if reference_limits:
            beyond_reference = pictures.pictures_beyond(reference_limits)
        for operation in bench.operations:
            self._r24_check_refused(bench, operation, "probe", beyond_probe)
            if operation is fm.Operation.MATCH:
                self._r24_check_refused(bench, operation, "reference", beyond_reference)
            if simulator.looks_at_pictures:
                self._r24_check_declared_limits(bench, operation)
        has_limits = bool(beyond_probe) or bool(beyond_reference)
        bench.skip_unless_applicable(has_limits, "declares no limit that a test picture exceeds")

    def _r24_check_refused(
        self, bench: Bench, operation: fm.Operation, name: str, beyond: Mapping[str, fm.Image]
    ) -> None:
        """Assert that no picture beyond a limit is sent in the place of the probe or reference."""
        verifier = bench.open_verifier(fit_images=False)
        for limit_name, picture in beyond.items():
            probe, reference = bench.simulator.pictures_for(PASSING[operation])
            images = (probe, picture) if name == "reference" else (picture, reference)
            outcome = bench.call_verifier(
                operation, PASSING[operation], verifier=verifier, images=images
            )
            assert isinstance(outcome.error, fm.InvalidImage), (
                f"a {name} beyond the vendor's limit ({limit_name}) gave {outcome.summary}"
            )
            assert_equal("the number of requests", outcome.requests, 0)

    def _r24_check_declared_limits(self, bench: Bench, operation: fm.Operation) -> None:
        """Assert that the vendor accepts exactly the pictures that are declared as accepted."""
        limits = bench.capabilities.image_limits
        side_px = max(320, limits.min_side_px)
        accepted = pictures.noise(0, (side_px, side_px))
        usual = bench.call_backend(operation, PASSING[operation], probe=accepted).require_result()

        def is_accepted(limit_name: str, picture: fm.Image) -> bool:
            # Without the verifier, which would reject the picture.
            result = bench.call_backend(operation, PASSING[operation], probe=picture).result
            if result is None:
                return False
            # A vendor may report no face in a picture that is too small.
            return limit_name == "few bytes" or result.decision is usual.decision

        for limit_name, picture in pictures.pictures_within(limits).items():
            assert is_accepted(limit_name, picture), (
                f"the vendor rejects a picture of {picture.size_bytes} bytes ({limit_name}), "
                "within the declared limits"
            )
        max_bytes = None
        if limits.max_bytes is not None and not limits.max_bytes_from:  # not the user's own limit
            # A megabyte may be 1,000,000 or 1,048,576 bytes.
            max_bytes = int(limits.max_bytes * 1.06)
        wider_limits = attrs.evolve(limits, max_bytes=max_bytes)
        for limit_name, picture in pictures.pictures_beyond(wider_limits).items():
            if limit_name.startswith("format"):
                continue  # A vendor may accept more formats than it documents.
            assert not is_accepted(limit_name, picture), (
                f"the vendor accepts a picture beyond the declared limits ({limit_name})"
            )

    @rule("R51")
    def test_r25_options_are_refused_or_arrive(self, bench: Bench) -> None:
        """Declared options arrive at the vendor. Pictures arrive as prepared, and probe and
        reference are not swapped. Nothing is stored unless the caller asks for it.

        The vendor checks liveness in the probe, not in the passport, and finds no face in a picture
        turned on its side. Storing a face requires a legal basis.
        """
        run_parts(
            bench,
            self._r25_arguments,
            self._r25_own_options,
            self._r25_pictures,
            self._r25_nothing_stored,
        )

    def _r25_arguments(self, bench: Bench) -> None:
        capabilities = bench.capabilities
        for operation in bench.operations:
            for retention in capabilities.retention:
                received = _received_value(bench, operation, "retention", retention)
                # A backend with a single retention need not send it.
                is_needless = len(capabilities.retention) == 1 and received is NOT_RECEIVED
                if not is_needless:
                    assert_equal("retention in the simulator's `received`", received, retention)
            if capabilities.sends_caller_ref:
                received = _received_value(bench, operation, "caller_ref", CALLER_REF)
                assert_equal("caller_ref in the simulator's `received`", received, CALLER_REF)
            if capabilities.sends_metadata:
                received = _received_value(bench, operation, "metadata", METADATA)
                assert_equal("metadata in the simulator's `received`", received, METADATA)

    def _r25_own_options(self, bench: Bench) -> None:
        """Assert that different options arrive as different values.

        An operation that does not take them must refuse them.
        """
        options_class: Any = bench.capabilities.options
        bench.skip_unless_applicable(options_class, "has no options of its own")
        usual_options = bench.simulator.options(options_class)
        is_received = False
        dropped = []
        for options in bench.simulator.other_options(options_class):
            operations = [
                operation
                for operation in bench.operations
                if not bench.refuses_options(operation, options)
            ]
            assert operations, f"no call takes {options}, but `options` are declared"
            for operation in operations:
                usual_value = _received_value(bench, operation, "options", usual_options)
                value = _received_value(bench, operation, "options", options)
                if usual_value is not NOT_RECEIVED or value is not NOT_RECEIVED:
                    is_received = True
                if value == usual_value:
                    dropped.append(
                        f"{operation}, {options}: the vendor received {value!r}, as with "
                        f"{usual_options}; send them, or raise `Unsupported`"
                    )
        # If nothing arrives in any operation, the simulator may not observe it.
        bench.skip_unless_testable(
            is_received,
            f"needs `other_options`, and `options` in `received`, for {options_class.__name__}",
        )
        bench.context = ""  # each sentence names its operation
        assert not dropped, "; ".join(dropped)

    def _r25_pictures(self, bench: Bench) -> None:
        for operation in bench.operations:
            probe, reference = bench.simulator.pictures_for(PASSING[operation])
            noted = pictures.add_note(probe), pictures.add_note(reference)
            # As phones store them, with an EXIF orientation; two pairs cover two of its kinds each.
            turned_pairs = [
                (pictures.turn(probe, 6), pictures.turn(reference, 8)),
                (pictures.turn(probe, 3), pictures.turn(reference, 5)),
            ]
            for pair in ((probe, reference), noted, *turned_pairs):
                self._r25_check_pictures_arrive(bench, operation, pair, {})
            for options in bench.option_sets(operation):
                self._r25_check_pictures_arrive(bench, operation, (probe, reference), options)
            # An engine may receive the prepared picture and still read it in a wrong orientation.
            if isinstance(bench.simulator, EngineSimulator):
                for pair in turned_pairs:
                    result = bench.call_verifier(
                        operation, PASSING[operation], images=pair
                    ).require_result()
                    assert_equal(
                        "the decision for pictures with EXIF rotation",
                        result.decision,
                        PASS[operation],
                    )

    def _r25_check_pictures_arrive(
        self, bench: Bench, operation: fm.Operation, pair: benches.Pair, options: dict[str, Any]
    ) -> None:
        """Assert that the pictures of a call arrive at the vendor as prepared."""
        prepared = dict(zip(PICTURES, bench.prepare(pair), strict=True))
        digests = {image.sent_digest for image in prepared.values()}
        bench.require_of_simulator(len(digests) == 2, "its two pictures are the same: use others")
        bench.call_verifier(operation, PASSING[operation], images=pair, **options).require_result()
        received = bench.simulator.received
        arrived = {}
        for name in PICTURES:
            if received.get(name) is not None:
                arrived[name] = received[name]
        reason = "has no pictures in `received`"
        if isinstance(bench.simulator, PairSimulator):
            reason = "finds no picture in a request at the places in its `picture_names`"
        bench.skip_unless_testable(arrived, reason)
        assert_equal(
            f"the list of pictures sent with {options}", tuple(arrived), PICTURE_NAMES[operation]
        )
        for name, data in arrived.items():
            bench.require_of_simulator(
                type(data) is bytes, "`received` must have pictures as bytes"
            )
            is_prepared = hashlib.sha256(data).hexdigest() == prepared[name].sent_digest
            assert is_prepared, f"the {name} that arrived is not the prepared picture"

    def _r25_nothing_stored(self, bench: Bench) -> None:
        keeps_little = fm.Retention.MINIMAL in bench.capabilities.retention
        bench.skip_unless_applicable(keeps_little, "declares that everything is kept")
        arguments = {
            "caller_ref": "visitor 7",
            "metadata": {"desk": 3},
            "threshold": benches.MIDDLE_SCORE,
        }
        for operation in bench.operations:
            self._r25_check_not_stored(bench, operation, {})
            self._r25_check_not_stored(bench, operation, arguments)
            for options in bench.option_sets(operation):
                if "retention" not in options:
                    self._r25_check_not_stored(bench, operation, options)

    def _r25_check_not_stored(
        self, bench: Bench, operation: fm.Operation, options: dict[str, Any]
    ) -> None:
        outcome = bench.call_verifier(operation, PASSING[operation], **options)
        result = outcome.require_result()
        if options:
            bench.context += f" with {' and '.join(options)}"
        received = bench.simulator.received
        retention = received.get("retention", fm.Retention.MINIMAL)
        label = "the retention that the vendor received"
        assert_equal(label, retention, fm.Retention.MINIMAL)
        assert result.ids.session is None, "`ids.session` names a record at the vendor"
        stored_s = received.get("kept_s", 0.0)
        # During the call, the vendor may need to store a face for some minutes.
        assert stored_s <= 600, f"the vendor keeps a face or template for {stored_s:g} s"
        # A job that is found by its own id is not a record of the person.
        record = attrs.evolve(record_of(bench, operation, result), vendor_id=None)
        if bench.backend.reconcilable(record):
            found = reconcile(bench, record).result
            assert found is None, "the call is in the vendor's records, without Retention.KEEP"

    @pytest.mark.parametrize("situation", LEAK_SITUATIONS, ids=str)
    @rule("R51")
    def test_r21_nothing_leaks(self, bench: Bench, situation: Situation, capfd: Any) -> None:
        """No key, token or picture leaks into a result, an error, its frames, an event, a log, or
        the `repr` or pickle of the backend.

        Many people read databases and error trackers. A face cannot be changed like a password.
        """
        for operation in bench.operations_for(situation):
            hidden = _hidden_values(bench, bench.simulator.pictures_for(situation))
            steps: list[int | None] = [None]
            # A missing response has nothing to leak, so the step does not matter.
            if situation is not Situation.SLOW:
                steps = bench.steps_to_fail(operation, situation)
            for step in steps:
                outputs = list(self._r21_outputs_of_call(bench, operation, situation, step))
                outputs.append(Output("the console", "".join(capfd.readouterr())))
                leaked = set[str]()
                for output in outputs:
                    forms = set(leaks.unescaped_forms(output.text))
                    for value_name, value in hidden:
                        for encoding in leaks.find_encodings(value, forms):
                            leaked.add(f"{value_name} is in {output.name} ({encoding})")
                assert not leaked, "; ".join(sorted(leaked))

    def _r21_outputs_of_call(
        self, bench: Bench, operation: fm.Operation, situation: Situation, step: int | None
    ) -> Iterator[Output]:
        """Make a call with and without the verifier; yield each output."""
        methods = [bench.call_verifier, bench.call_backend]
        if situation is Situation.SLOW:
            # One call only, because it is slow: by the verifier if the backend keeps no deadline.
            keeps_deadline = bench.backend.keeps_deadline
            methods = [bench.call_backend if keeps_deadline else bench.call_verifier]
        recorder = warnings.catch_warnings(record=True, action="always")
        with leaks.capture_log() as log, recorder as python_warnings:
            outcomes = [call(operation, situation, step=step) for call in methods]
        yield Output("the log", log.getvalue())
        messages = [str(warning.message) for warning in python_warnings or ()]
        yield Output("a warning", " ".join(messages))
        # The backend may hold a token after the call.
        yield Output("the backend's text", f"{bench.backend!r} {bench.backend}")
        with contextlib.suppress(Exception):  # it may not be picklable
            pickled = pickle.dumps(bench.backend)
            yield Output("the backend's pickle", pickled.decode("latin-1"))
        for outcome in outcomes:
            yield Output("an event", repr(outcome.events))
            pickled = pickle.dumps((outcome.result, outcome.error))
            yield Output("a pickle", pickled.decode("latin-1"))
            if outcome.error is not None:
                yield Output("the error with its frames", leaks.told_by(outcome.error))
            if outcome.result is not None:
                document = json.dumps(outcome.result.to_dict(), ensure_ascii=False)
                yield Output("the result", f"{outcome.result!r} {outcome.result} {document}")


@attrs.frozen
class Output:
    """A text that a call leaves behind."""

    name: str
    text: str


def _received_value(bench: Bench, operation: fm.Operation, option: str, value: Any) -> Any:
    """Make a call with an option; return what the vendor received of it, or NOT_RECEIVED."""
    outcome = bench.call_verifier(operation, PASSING[operation], **{option: value})
    assert outcome.error is None, f"with {option}={value!r} it raised {outcome.error!r}"
    return bench.simulator.received.get(option, NOT_RECEIVED)


def _hidden_values(bench: Bench, images: benches.Pair) -> set[tuple[str, bytes]]:
    """Return the name and bytes of each secret and each piece of a picture."""
    hidden = {(SECRET_NAME, secret) for secret in secret_parts_of(bench)}
    for image in itertools.chain(images, bench.prepare(images)):
        samples = leaks.picture_samples(image)
        bench.require_of_simulator(samples, "its pictures are too plain for leak tests: use others")
        hidden |= {("a picture", sample) for sample in samples}
    return hidden


SECRET_NAME = "a secret, or its beginning or end,"  # noqa: S105 - a description


def secret_parts_of(bench: Bench) -> set[bytes]:
    """Return the simulator's secrets; of a long one, both ends.

    Even the first characters of a key in a log are a leak.
    """
    parts = set()
    for secret in bench.simulator.secrets:
        if len(secret) < 24:
            parts.add(secret.encode())
        else:
            parts.add(secret[:12].encode())
            parts.add(secret[-12:].encode())
    return parts


class OwnSenderRules(Rules):
    """Deadlines, threads, closing and settings of a plug-in with its own HTTP code."""

    @rule("R51")
    def test_r19_deadline_holds(self, bench: Bench) -> None:
        """`deadline_s` ends a call that would never end, and the next call is not affected.

        A call must not hang for minutes. Returning the previous visitor's response would be worse.
        """
        bench.skip_unless_applicable(bench.bypasses_core_sender, CORE_GUARANTEES_IT)
        simulator = bench.simulator
        stalls = [
            stall
            for stall in STALLS
            if stall in simulator.situations or stall not in simulator.cannot_happen
        ]
        bench.skip_unless_available(*(stalls or STALLS))
        for operation, stall in itertools.product(bench.operations, stalls):
            self._r19_check_deadline(bench, operation, stall)
            self._r19_check_next_call(bench, operation, NOT_PASSING[operation], FAIL[operation])
            self._r19_check_next_call(bench, operation, PASSING[operation], PASS[operation])

    def _r19_check_next_call(
        self, bench: Bench, operation: fm.Operation, situation: Situation, decision: object
    ) -> None:
        result = bench.call_verifier(operation, situation).require_result()
        assert_equal("the decision after a call that timed out", result.decision, decision)

    def _r19_check_deadline(self, bench: Bench, operation: fm.Operation, stall: Situation) -> None:
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
    def test_r28_calls_do_not_mix_or_pile_up(self, bench: Bench) -> None:
        """Threads that share a verifier each get their own response, and every call is counted.

        A web server verifies two visitors at once: a swapped response lets a stranger in.
        """
        bench.skip_unless_applicable(bench.bypasses_core_sender, CORE_GUARANTEES_IT)
        for operation in bench.operations:
            self._r28_check_threads(bench, operation)

    def _r28_check_threads(self, bench: Bench, operation: fm.Operation) -> None:
        """Assert that threads with different pictures and thresholds do not mix."""
        simulator = bench.simulator
        verifier = bench.open_verifier()
        situation = PASSING[operation]
        option_sets: list[dict[str, Any]] = [{}]
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

        def call_often(call: Callable[[], Result]) -> list[Result]:
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
    def test_r30_closing_is_final_and_only_ones_own(self, bench: Bench) -> None:
        """`close` is idempotent and closes no other backend; a new backend works with its own key,
        and in any time zone.

        A service may close a backend in several places. Hidden shared state would break the others.
        A signature with the local day is rejected for hours of each day.
        """
        bench.skip_unless_applicable(bench.bypasses_core_sender, CORE_GUARANTEES_IT)
        environment = dict(os.environ)
        for operation in bench.operations:
            other = bench.open_backend()
            verifier = bench.open_verifier()
            self._r30_check_passes(bench, operation, "newly opened", verifier=verifier)
            verifier.close()
            verifier.close()
            verifier.backend.close()
            other.close()
            self._r30_check_passes(bench, operation, "open while others were closed")
            self._r30_use_other_keys(bench, operation)
            self._r30_check_passes(bench, operation, "open while others had other keys")
            variables = bench.backend.environment_variables.values()
            with mock.patch.dict(os.environ, dict.fromkeys(variables, "nobody's-key-0000")):
                description = "opened with its keys, beside others in the environment,"
                own_keys = bench.open_verifier()
                self._r30_check_passes(bench, operation, description, verifier=own_keys)
            with _on_another_day():
                self._r30_check_passes(bench, operation, "called where it is another day")
        assert dict(os.environ) == environment, "a call changed os.environ"

    def _r30_use_other_keys(self, bench: Bench, operation: fm.Operation) -> None:
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

    def _r30_check_passes(
        self,
        bench: Bench,
        operation: fm.Operation,
        description: str,
        verifier: fm.FaceVerifier | None = None,
    ) -> None:
        outcome = bench.call_verifier(operation, PASSING[operation], verifier=verifier)
        label = f"the outcome of a backend that was {description}"
        assert_equal(label, outcome.summary, f"the result {PASS[operation]}")

    @rule()
    def test_r31_settings_are_held(self, bench: Bench) -> None:
        """An unknown setting is rejected without showing its value, `diagnose` sends nothing and
        shows no key, and no call writes a file.

        If a misspelt `threshold` were ignored, the wrong person could pass. A file could leak.
        """
        bench.skip_unless_applicable(bench.bypasses_core_sender, CORE_GUARANTEES_IT)
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
        with leaks.capture_log() as log, leaks.files_written() as files:
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

    @rule("R51")
    def test_r63_login_ends_at_the_deadline(self, bench: Bench) -> None:
        """A login ends at the deadline of its call, also while another thread logs in. A failed
        login is free, and the next call logs in again.

        Tokens expire under load. If one login hangs, all visitors would wait for it.
        """
        is_http = isinstance(bench.backend, HttpBackend)
        bench.skip_unless_applicable(
            is_http, "is not an HttpBackend, so its login cannot be redirected"
        )
        operation = bench.operations[0]
        bench.simulator.set_situation(PASSING[operation])
        with LoginServer() as server, bench.redirect_logins(server.url):
            # Without a deadline, so that a busy machine sends it, too.
            server.set_situation(Situation.GATEWAY_ERROR)
            bench.run_request(bench.make_request(operation, PASSING[operation]))
            bench.skip_unless_applicable(server.login_arrived.is_set(), "does not log in")
            server.set_situation(Situation.SLOW)
            self._r63_deadline_holds(bench, server, "while its login hangs")
            self._r63_deadline_holds_beside_hung_login(bench, server)
            for situation in FAILED_LOGINS:
                server.set_situation(situation)
                outcome = bench.run_request(bench.make_request(operation, PASSING[operation]))
                _check_failed_login(outcome, f"a login that ends in {situation.name}")
        outcome = bench.call_verifier(operation, PASSING[operation])
        assert_equal(
            "the outcome after failed logins", outcome.summary, f"the result {PASS[operation]}"
        )

    def _r63_deadline_holds(self, bench: Bench, server: LoginServer, when: str) -> None:
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

    def _r63_deadline_holds_beside_hung_login(self, bench: Bench, server: LoginServer) -> None:
        """Assert that a call ends at its deadline while another thread's login hangs."""
        operation = bench.operations[0]
        deadline = Deadline.after(benches.CALL_LIMIT_S, bench.clock)
        other_request = bench.make_request(operation, PASSING[operation], deadline=deadline)
        server.set_situation(Situation.SLOW)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_call_backend, bench.backend, other_request)
            try:
                server.login_arrived.wait(benches.CALL_LIMIT_S)
                self._r63_deadline_holds(bench, server, "while another thread logs in")
            finally:
                server.set_situation(Situation.GATEWAY_ERROR)  # ends the login that hangs


class LoginServer(HttpSimulator):
    """Receives the logins of a backend; no situation gives a token."""

    situations = HttpSimulator.FAULTS

    def __init__(self) -> None:
        super().__init__()
        #: Set when a login arrives after the last `set_situation`.
        self.login_arrived = threading.Event()
        self.set_situation(Situation.SLOW)

    def backend(self, **settings: Any) -> Any:
        raise NotImplementedError("The backend is the one whose logins are redirected.")

    def set_situation(self, situation: Situation, **options: Any) -> None:
        self.login_arrived.clear()
        super().set_situation(situation, **options)

    def counts(self, request: SimulatorRequest) -> bool:
        self.login_arrived.set()
        return True

    def answer(
        self, request: SimulatorRequest, situation: Situation, score: float | None
    ) -> SimulatorReply:
        return SimulatorReply(body={})


@contextlib.contextmanager
def _on_another_day() -> Iterator[None]:
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


def _read_time_zone() -> None:
    if sys.platform != "win32":  # which has no such function
        time.tzset()


def _check_failed_login(outcome: benches.Outcome, label: str) -> None:
    assert isinstance(outcome.error, fm.VendorError), f"{label} gives {outcome.summary}"
    assert_equal(f"the charge of {label}", outcome.error.billing.charged, fm.Charged.NO)
    assert_equal(f"the number of requests with a picture of {label}", outcome.requests, 0)


def _call_backend(backend: Any, request: PictureRequest) -> Any:
    if request.operation is fm.Operation.MATCH:
        return backend.match(request)
    return backend.check_liveness(request)


def _decision_and_threshold(result: Result) -> tuple[str, float | None]:
    return str(result.decision), None if result.threshold is None else result.threshold.value
