"""R21, R24, R25: options and pictures arrive or are rejected; keys and faces do not leak.

R19, R28, R30, R31: guarantees that the core makes to an `HttpBackend`, tested for engines, vendors'
libraries, and plug-ins that send requests or log in with their own code. R63: logins.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import os
import pickle
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import attrs
import pytest

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import Secret
from facematch_core.base.deadline import Deadline
from facematch_core.base.threads import HelperThreads, StillRunning
from facematch_core.call.run import PICTURES
from facematch_core.config.settings import declared_settings
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
from facematch_core.testing.simulator import (
    FAILURES,
    NOT_PASSING,
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
LEAKING = (
    *(Situation.SAME_PERSON, Situation.LIVE, Situation.NO_FACE, Situation.UNKNOWN_STATUS),
    *(Situation.UNKNOWN_WARNING, *FAILURES, Situation.SLOW),
)
#: Deadlines in seconds, the longer ones for busy machines; a call may take LATE times as long.
DEADLINES_S, LATE = (0.1, 0.3, 0.6), 3
#: Situations in which a login fails.
FAILED_LOGINS = (Situation.LOST_ANSWER, Situation.GATEWAY_ERROR, Situation.UNREADABLE_200)
#: Why these rules do not apply to a plug-in based on `HttpBackend`.
CORE = "is an HttpBackend: the core guarantees this"


class OptionRules(Rules):
    """Rules about options, pictures and privacy."""

    @rule("R51")
    def test_r24_pictures_beyond_the_limits(self, bench: Bench) -> None:
        """A picture that the vendor would reject is not sent, unless it may be converted to fit. A
        picture that the vendor accepts is not rejected.

        An upload that can only fail costs time, and with some vendors money.
        """
        limits, simulator = bench.capabilities.image_limits, bench.simulator
        strict = bench.open_verifier(fit_images=False)
        beyond = dict.fromkeys(PICTURES, simulator.refused_pictures(limits))
        if others := simulator.reference_limits or bench.capabilities.reference_limits:
            beyond["reference"] = pictures.pictures_beyond(others)
        for operation in bench.operations:
            usual = dict(zip(PICTURES, simulator.pictures_for(PASSING[operation]), strict=True))
            for place in PICTURE_NAMES[operation]:
                for wrong, picture in beyond[place].items():
                    probe, reference = (usual | {place: picture}).values()
                    how: dict[str, Any] = {"verifier": strict, "images": (probe, reference)}
                    outcome = bench.call_verifier(operation, PASSING[operation], **how)
                    gave = f"a {place} beyond the vendor's limit ({wrong}) gave {outcome.summary}"
                    assert isinstance(outcome.error, fm.InvalidImage), gave
                    assert_equal("the number of requests", outcome.requests, 0)
            if simulator.looks_at_pictures:
                self._r24_compare_limits(bench, operation)
        bench.skip_unless_applicable(
            any(beyond.values()), "declares no limit that a test picture exceeds"
        )

    def _r24_compare_limits(self, bench: Bench, operation: fm.Operation) -> None:
        """Assert that the vendor accepts exactly the pictures that are declared as accepted."""
        limits, good = bench.capabilities.image_limits, PASSING[operation]
        nobody = pictures.noise(0, (max(320, limits.min_side_px),) * 2)
        usual = bench.call_backend(operation, good, probe=nobody).require_result()

        def is_taken(what: str, picture: fm.Image) -> bool:
            # Without the verifier, which would reject the picture.
            result = bench.call_backend(operation, good, probe=picture).result
            # A vendor may report no face in a picture that is too small.
            return result is not None and (what == "few bytes" or result.decision is usual.decision)

        for what, picture in pictures.pictures_within(limits).items():
            where = f"a picture of {picture.size_bytes} bytes ({what}), within the declared limits"
            assert is_taken(what, picture), f"the vendor rejects {where}"
        # A megabyte may be 1,000,000 or 1,048,576 bytes. A user's own limit may be lower.
        most = None if limits.max_bytes_from else limits.max_bytes
        wider = attrs.evolve(limits, max_bytes=most and int(most * 1.06))
        for what, picture in pictures.pictures_beyond(wider).items():
            # A vendor may accept more formats than it documents.
            taken = not what.startswith("format") and is_taken(what, picture)
            assert not taken, f"the vendor accepts a picture beyond the declared limits ({what})"

    @rule("R51")
    def test_r25_options_are_refused_or_arrive(self, bench: Bench) -> None:
        """Declared options arrive at the vendor. Pictures arrive as prepared, and probe and
        reference are not swapped. Nothing is stored unless the caller asks for it.

        The vendor checks liveness in the probe, not in the passport, and finds no face in a picture
        turned on its side. Storing a face requires a legal basis.
        """
        options = self._r25_options, self._r25_own_options
        run_parts(bench, *options, self._r25_pictures, self._r25_kept)

    def _r25_options(self, bench: Bench) -> None:
        can = bench.capabilities
        wishes: list[tuple[str, Any]] = [("retention", kept) for kept in can.retention]
        wishes += [("caller_ref", CALLER_REF)] * can.sends_caller_ref
        wishes += [("metadata", METADATA)] * can.sends_metadata
        for operation, (option, value) in itertools.product(bench.operations, wishes):
            heard = _option(bench, operation, option, value)
            # A backend with a single retention need not send it.
            if heard is not NOT_RECEIVED or option != "retention" or len(can.retention) > 1:
                assert_equal(f"{option} in the simulator's `received`", heard, value)

    def _r25_own_options(self, bench: Bench) -> None:
        simulator = bench.simulator
        declared: Any = bench.capabilities.options
        bench.skip_unless_applicable(declared, "has no options of its own")
        first, *others = simulator.options(declared), *simulator.other_options(declared)
        is_heard = False
        for operation, options in itertools.product(bench.operations, others):
            usual, heard = (_option(bench, operation, "options", each) for each in (first, options))
            is_heard |= usual is not NOT_RECEIVED or heard is not NOT_RECEIVED
            where = f"with {options} the vendor received {heard!r}"
            assert heard != usual or not is_heard, f"{where}, and the same with {first}"
        unsaid = f"needs `other_options`, and `options` in `received`, for {declared.__name__}"
        bench.skip_unless_testable(is_heard, unsaid)

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
                self._r25_arrives(bench, operation, pair, {})
            for options in bench.option_sets(operation):
                self._r25_arrives(bench, operation, (probe, reference), options)
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

    def _r25_arrives(
        self, bench: Bench, operation: fm.Operation, pair: benches.Pair, options: dict[str, Any]
    ) -> None:
        """Assert that the pictures of a call arrive at the vendor as prepared."""
        prepared = dict(zip(PICTURES, bench.prepare(pair), strict=True))
        digests = {image.sent_digest for image in prepared.values()}
        bench.require_of_simulator(len(digests) == 2, "its two pictures are the same: use others")
        outcome = bench.call_verifier(operation, PASSING[operation], images=pair, **options)
        assert outcome.requests, f"nothing was sent: {outcome.summary}"
        received = bench.simulator.received
        arrived = {}
        for name in PICTURES:
            if received.get(name) is not None:
                arrived[name] = received[name]
        if not arrived:
            assert outcome.error is None, f"the call failed: {outcome.summary}"
        bench.skip_unless_testable(arrived, "has no pictures in `received`")
        assert_equal(
            f"the list of pictures sent with {options}", tuple(arrived), PICTURE_NAMES[operation]
        )
        for name, data in arrived.items():
            bench.require_of_simulator(
                type(data) is bytes, "`received` must have pictures as bytes"
            )
            is_prepared = hashlib.sha256(data).hexdigest() == prepared[name].sent_digest
            assert is_prepared, f"the {name} that arrived is not the prepared picture"

    def _r25_kept(self, bench: Bench) -> None:
        keeps_little = fm.Retention.MINIMAL in bench.capabilities.retention
        bench.skip_unless_applicable(keeps_little, "declares that everything is kept")
        besides = {
            "caller_ref": "visitor 7",
            "metadata": {"desk": 3},
            "threshold": benches.MIDDLE_SCORE,
        }
        for operation in bench.operations:
            wishes = [wish for wish in bench.option_sets(operation) if "retention" not in wish]
            for options in ({}, besides, *wishes):
                answer = bench.call_verifier(
                    operation, PASSING[operation], **options
                ).require_result()
                bench.context += f"{' with ' * bool(options)}{' and '.join(options)}"
                heard = bench.simulator.received
                retention = heard.get("retention", fm.Retention.MINIMAL)
                assert_equal(
                    "the retention that the vendor received", retention, fm.Retention.MINIMAL
                )
                assert answer.ids.session is None, "`ids.session` names a record at the vendor"
                kept_s = heard.get("kept_s", 0.0)
                # During the call, the vendor may need to store a face for some minutes.
                assert kept_s <= 600, f"the vendor keeps a face or template for {kept_s:g} s"
                # A job that is found by its own id is not a record of the person.
                record = attrs.evolve(record_of(bench, operation, answer), vendor_id=None)
                is_sought = bench.backend.reconcilable(record)
                is_kept = is_sought and reconcile(bench, record).result is not None
                assert not is_kept, "the call is in the vendor's records, without Retention.KEEP"

    @pytest.mark.parametrize("situation", LEAKING, ids=str)
    @rule("R51")
    def test_r21_nothing_leaks(self, bench: Bench, situation: Situation, capfd: Any) -> None:
        """No key, token or picture leaks into a result, an error, its frames, an event, a log, or
        the `repr` or pickle of the backend.

        Many people read databases and error trackers. A face cannot be changed like a password.
        """
        for operation in bench.operations_for(situation):
            pair, hidden = bench.simulator.pictures_for(situation), {*secrets_of(bench)}
            for image in (*pair, *bench.prepare(pair)):
                samples = leaks.picture_samples(image)
                bench.require_of_simulator(
                    samples, "its pictures are too plain for leak tests: use others"
                )
                hidden |= {("a picture", sample) for sample in samples}
            # A missing response has nothing to leak, so the step does not matter.
            stalls = situation is Situation.SLOW
            for step in [None] if stalls else bench.steps_to_fail(operation, situation):
                seen = [*self._r21_seen(bench, situation, operation=operation, step=step)]
                seen.append(("the console", "".join(capfd.readouterr())))
                leaked = set[str]()
                for where, text in seen:
                    written = {*leaks.layers(text)}
                    for what, secret in hidden:
                        forms = leaks.find_encodings(secret, written)
                        leaked |= {f"{what} is in {where} ({form})" for form in forms}
                assert not leaked, "; ".join(sorted(leaked))

    def _r21_seen(self, bench: Bench, situation: Situation, **how: Any) -> Iterator[Any]:
        """Make a call with and without the verifier; yield the name and text of each output."""
        ways = [bench.call_verifier, bench.call_backend]
        if situation is Situation.SLOW:
            # One call only, because it is slow: by the verifier if the backend keeps no deadline.
            ways = [bench.call_backend if bench.backend.keeps_deadline else bench.call_verifier]
        recorder = warnings.catch_warnings(record=True, action="always")
        with leaks.capture_log() as log, recorder as warned:
            outcomes = [ask(situation=situation, **how) for ask in ways]
        yield "the log", log.getvalue()
        yield "a warning", " ".join(str(each.message) for each in warned)
        # The backend may hold a token after the call.
        yield "the backend's text", f"{bench.backend!r} {bench.backend}"
        with contextlib.suppress(Exception):  # it may not be picklable
            yield "the backend's pickle", pickle.dumps(bench.backend).decode("latin-1")
        for result, error, events in ((each.result, each.error, each.events) for each in outcomes):
            yield "an event", repr(events)
            yield "a pickle", pickle.dumps((result, error)).decode("latin-1")
            if error is not None:
                yield "the error with its frames", leaks.told_by(error)
            if result is not None:
                document = json.dumps(result.to_dict(), ensure_ascii=False)
                yield "the result", f"{result!r} {result} {document}"


def _option(bench: Bench, operation: fm.Operation, option: str, value: Any) -> Any:
    """Return the value that the vendor received for an option, or NOT_RECEIVED."""
    outcome = bench.call_verifier(operation, PASSING[operation], **{option: value})
    assert outcome.error is None, f"with {option}={value!r} it raised {outcome.error!r}"
    return bench.simulator.received.get(option, NOT_RECEIVED)


def secrets_of(bench: Bench) -> Iterator[tuple[str, bytes]]:
    """Yield the simulator's secrets (both ends of a long one), each with a description."""
    for secret in bench.simulator.secrets:
        # Even the first characters of a key in a log are a leak.
        ends = {secret[:12], secret[-12:]} if len(secret) >= 24 else {secret}
        yield from (("a secret, or its beginning or end,", end.encode()) for end in ends)


class OwnSenderRules(Rules):
    """Deadlines, threads, closing and settings of a plug-in with its own HTTP code."""

    @rule("R51")
    def test_r19_deadline_holds(self, bench: Bench) -> None:
        """`deadline_s` ends a call that would never end, and the next call is not affected.

        A call must not hang for minutes. Returning the previous visitor's response would be worse.
        """
        bench.skip_unless_applicable(bench.has_own_sender, CORE)
        can, cannot = bench.simulator.situations, bench.simulator.cannot_happen
        stalls = [stall for stall in STALLS if stall in can or stall not in cannot]
        bench.skip_unless_available(*(stalls or STALLS))
        for operation, stall in itertools.product(bench.operations, stalls):
            self._r19_stall(bench, operation, stall)
            for table, due in ((NOT_PASSING, FAIL[operation]), (PASSING, PASS[operation])):
                decision = (
                    bench.call_verifier(operation, table[operation]).require_result().decision
                )
                assert_equal("the decision after a call that timed out", decision, due)

    def _r19_stall(self, bench: Bench, operation: fm.Operation, stall: Situation) -> None:
        steps = bench.steps_to_fail(operation, stall)
        # Test SLOW at the first and last steps (before and after any wait), DRIPPING at the last.
        for step in {steps[0], steps[-1]} if stall is Situation.SLOW else steps[-1:]:
            for deadline_s in DEADLINES_S:
                if Situation.UNREACHABLE in bench.simulator.situations:
                    # A late request from an earlier call must not be counted here.
                    bench.simulator.set_situation(Situation.UNREACHABLE)
                at = time.monotonic()
                outcome = bench.call_verifier(operation, stall, step=step, deadline_s=deadline_s)
                taken_s = time.monotonic() - at
                if taken_s < LATE * deadline_s and outcome.requests >= (step or 1):
                    break
            took = f"a deadline of {deadline_s:g} s took {taken_s:.2f} s: {outcome.summary}"
            assert taken_s < LATE * deadline_s, took
            check_failure(bench, operation, stall, step, outcome)

    @rule("R51")
    def test_r28_calls_do_not_mix_or_pile_up(self, bench: Bench) -> None:
        """Threads that share a verifier each get their own response, and every call is counted.

        A web server verifies two visitors at once: a swapped response lets a stranger in.
        """
        bench.skip_unless_applicable(bench.has_own_sender, CORE)
        for operation in bench.operations:
            self._r28_threads(bench, operation)

    def _r28_threads(self, bench: Bench, operation: fm.Operation) -> None:
        """Assert that threads with different pictures and thresholds do not mix."""
        simulator, verifier = bench.simulator, bench.open_verifier()
        situation, score = PASSING[operation], None
        wishes: list[dict[str, Any]] = [{}, {}]
        if (
            bench.score_scale(operation)
            and bench.capabilities.threshold_rule is not models.ThresholdRule.VENDOR
        ):
            scored = bench.find_scored_case(operation)
            situation, score, known = scored.situation, scored.score_to_set, scored.score
            wishes = [{"threshold": known - 1}, {"threshold": known + 1}]
        bench.call_verifier(operation, situation, score=score)
        pairs = [simulator.pictures_for(shown) for shown in (situation, NOT_PASSING[operation])]
        make = functools.partial(benches.application_call, verifier, operation)
        calls = [make(pair, **wish) for wish, pair in itertools.product(wishes, pairs)] * 2
        alone = [_verdict(call()) for call in calls]
        requests, charges = simulator.requests_seen, simulator.charges
        start = threading.Barrier(len(calls))

        def ask_often(call: Callable[[], Result]) -> list[Result]:
            start.wait()
            return [call() for _ in range(4)]

        with ThreadPoolExecutor(len(calls)) as pool:
            together = [*pool.map(ask_often, calls)]
        for by_itself, results in zip(alone, together, strict=True):
            beside_others = {by_itself, *map(_verdict, results)}
            assert_equal("the results alone and beside other threads", beside_others, {by_itself})
        due = requests + len(calls) * 4 * bench.request_count(operation)
        assert_equal("the vendor's count of requests in threads", simulator.requests_seen, due)
        paid = sum(result.billing.charges or 0 for results in together for result in results)
        assert_equal("the vendor's count of charges in threads", simulator.charges, charges + paid)

    @rule("R51")
    def test_r30_closing_is_final_and_only_ones_own(self, bench: Bench) -> None:
        """`close` is idempotent and closes no other backend; a new backend works with its own key.

        A service may close a backend in several places. Hidden shared state would break the others.
        """
        bench.skip_unless_applicable(bench.has_own_sender, CORE)
        environment = dict(os.environ)
        for operation in bench.operations:
            other, verifier = bench.open_backend(), bench.open_verifier()
            self._r30_works(bench, operation, "newly opened", verifier=verifier)
            for opened in (verifier, verifier, verifier.backend, other):
                opened.close()
            self._r30_works(bench, operation, "open while others were closed")
            settings = declared_settings(type(bench.backend))
            for name, secret in (
                (n, text) for n, text in bench.backend_secrets().items() if n in settings
            ):
                key = secret[:-4] + ("1111" if secret.endswith("0000") else "0000")
                # The backend may reject the made-up key because of its format.
                with contextlib.suppress(fm.ConfigurationError):
                    other = bench.open_backend(**{name: Secret(key)})
                    stranger = fm.FaceVerifier(other, clock=bench.clock)
                    bench.call_verifier(operation, PASSING[operation], verifier=stranger)
            self._r30_works(bench, operation, "open while others had other keys")
            foreign = dict.fromkeys(other.environment_variables.values(), "nobody's-key-0000")
            with mock.patch.dict(os.environ, foreign):
                which = "opened with its keys, beside others in the environment,"
                self._r30_works(bench, operation, which, verifier=bench.open_verifier())
        assert dict(os.environ) == environment, "a call changed os.environ"

    def _r30_works(self, bench: Bench, operation: fm.Operation, which: str, **how: Any) -> None:
        outcome = bench.call_verifier(operation, PASSING[operation], **how)
        passed = f"the result {PASS[operation]}"
        assert_equal(f"the outcome of a backend that was {which}", outcome.summary, passed)

    @rule()
    def test_r31_settings_are_held(self, bench: Bench) -> None:
        """An unknown setting is rejected without showing its value, `diagnose` sends nothing and
        shows no key, and no call writes a file.

        If a misspelt `threshold` were ignored, the wrong person could pass. A file could leak.
        """
        bench.skip_unless_applicable(bench.has_own_sender, CORE)
        odd = "kit0odd5d41402abc4b2a76"
        try:
            bench.simulator.backend(surely_not_a_setting=odd).close()
        except Exception as error:  # noqa: BLE001 - whatever it raises is judged
            shown = f"{error} {error!r}"
        else:
            raise AssertionError("an unknown setting is accepted")
        assert odd not in shown, "the error for an unknown setting shows its value"
        before = bench.simulator.requests_seen
        with leaks.capture_log() as log, leaks.files_written() as files:
            # `facematch doctor --json` prints it in this form.
            shown = json.dumps(dict(bench.backend.diagnose()), allow_nan=False)
            assert_equal(
                "the number of requests by `diagnose`", bench.simulator.requests_seen - before, 0
            )
            for case in bench.available_cases(
                (*PASSING.values(), *NOT_PASSING.values(), Situation.OUTAGE)
            ):
                bench.call_verifier(*case)
        for _, secret in secrets_of(bench):
            found = leaks.find_leaks(secret, shown, log.getvalue())
            assert not found, "`diagnose` returns or logs a secret"
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
            self._r63_late(bench, server, "while its login hangs")
            self._r63_late_beside_another(bench, server)
            for situation in FAILED_LOGINS:
                server.set_situation(situation)
                outcome = bench.run_request(bench.make_request(operation, PASSING[operation]))
                _judge_failed_login(outcome, f"a login that ends in {situation.name}")
        outcome = bench.call_verifier(operation, PASSING[operation])
        assert_equal(
            "the outcome after failed logins", outcome.summary, f"the result {PASS[operation]}"
        )

    def _r63_late(self, bench: Bench, server: LoginServer, where: str) -> None:
        """Make a call with a short deadline, whose login gets no response."""
        operation = bench.operations[0]
        for deadline_s in DEADLINES_S:
            deadline = Deadline.after(deadline_s, bench.clock)
            call = bench.make_request(operation, PASSING[operation], deadline=deadline)
            try:
                outcome = HelperThreads(1, "facematch-kit").run(
                    functools.partial(bench.run_request, call), Deadline.after(LATE * deadline_s)
                )
            except StillRunning:
                continue
            bench.skip_unless_applicable(server.requests_seen, "does not log in")
            _judge_failed_login(outcome, f"a call {where}")
            return
        raise AssertionError(f"{where}, a call goes on after its deadline of {deadline_s:g} s")

    def _r63_late_beside_another(self, bench: Bench, server: LoginServer) -> None:
        operation = bench.operations[0]
        backend: Any = bench.backend
        ask = backend.match if operation is fm.Operation.MATCH else backend.check_liveness
        patient = bench.make_request(
            operation,
            PASSING[operation],
            deadline=Deadline.after(benches.CALL_LIMIT_S, bench.clock),
        )
        server.set_situation(Situation.SLOW)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(ask, patient)
            try:
                server.has_login.wait(benches.CALL_LIMIT_S)
                self._r63_late(bench, server, "while another thread logs in")
            finally:
                server.set_situation(Situation.GATEWAY_ERROR)  # ends the login that hangs


class LoginServer(HttpSimulator):
    """Receives the logins of a backend; no situation gives a token."""

    situations = HttpSimulator.FAULTS

    def __init__(self) -> None:
        super().__init__()
        #: Set when a login arrives after the last `set_situation`.
        self.has_login = threading.Event()
        self.set_situation(Situation.SLOW)

    def backend(self, **settings: Any) -> Any:
        raise NotImplementedError("The backend is the one whose logins are redirected.")

    def set_situation(self, situation: Situation, **how: Any) -> None:
        self.has_login.clear()
        super().set_situation(situation, **how)

    def counts(self, request: SimulatorRequest) -> bool:
        self.has_login.set()
        return True

    def answer(
        self, request: SimulatorRequest, situation: Situation, score: float | None
    ) -> SimulatorReply:
        return SimulatorReply(body={})


def _judge_failed_login(outcome: benches.Outcome, where: str) -> None:
    assert isinstance(outcome.error, fm.VendorError), f"{where} gives {outcome.summary}"
    assert_equal(f"the charge of {where}", outcome.error.billing.charged, fm.Charged.NO)
    assert_equal(f"the number of requests with a picture of {where}", outcome.requests, 0)


def _verdict(result: Result) -> tuple[str, float | None]:
    return str(result.decision), None if result.threshold is None else result.threshold.value
