"""R51, R02, R12, R14, R13, R38: results, decisions, faces, and the parsing of responses."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import itertools
import json
import math
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import PictureRequest
from facematch_core.base.addresses import check_base_url
from facematch_core.call.run import PICTURES
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.testing import bench as benches
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
from facematch_core.testing.simulator import NOT_PASSING, PASSING, Situation, required

#: Both ends of the scale, a score that looks like a fraction, scores that rounding would change,
#: and whole percentages that `fraction * 100` does not reproduce exactly.
SCORES = (0.0, 0.87, 1.0, 7.0, 12.5, 28.0, 29.0, 49.996, 50.1, 57.0, 61.23, 88.5, 99.99999, 100.0)
#: Responses without a usable score, each with the thresholds to send.
UNSCORED = {Situation.NULL_SCORE: (None, 40.0), Situation.IMPOSSIBLE_SCORE: (10.0,)}
#: Scores to compare with a threshold.
EDGES = (0.0, 0.87, 28.0, 50.1, benches.MIDDLE_SCORE, 100.0)
#: HTTP statuses of vendors, servers and gateways, and some unassigned ones.
STATUSES = (
    *(200, 201, 202, 203, 204, 206, 299, 300, 301, 302, 303, 304, 307, 308, 399),
    *(400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 413, 415, 418, 422, 423, 425, 429),
    *(431, 451, 460, 499, 500, 501, 502, 503, 504, 507, 511, 520, 522, 524, 529, 599),
)
#: Valid and invalid values of ``Retry-After``.
WAITS = ("7", "soon", "-5", "nan", "1e999", "9" * 40, "Wed, 21 Oct 2015 07:28:00 GMT", "")
#: A string that looks like a key or picture data: an error must not repeat it.
CANARY = "kit0canary5d41402abc4b2a76b9719d911017c592"
#: Length of a text that an error must not repeat in full, in characters.
LONG = 1000
#: Replacements for each value of a successful response, as JSON.
VALUES = ("null", "true", "false", "-1", "7", '"odd"', '""', "[]", "{}", '[["x"]]')
#: Errors that blame the caller's request, key or account.
BLAMING = (fm.RequestRejected, fm.AuthenticationFailed, fm.PermissionDenied, fm.InsufficientCredit)


class CallRules(Rules):
    """Rules about results: their origin, decisions and face boxes."""

    @rule()
    def test_r51_good_call_is_answered(self, bench: Bench) -> None:
        """A call passes only on the vendor's response to that call. The result names the vendor.

        Every other rule depends on this one. A cached response would let the next visitor in, and
        an auditor must see which vendor decided on which request.
        """
        run_parts(bench, self._r51_what_is_declared, self._r51_good_calls)

    def _r51_what_is_declared(self, bench: Bench) -> None:
        backend, can, simulator = bench.backend, bench.capabilities, bench.simulator
        fits = re.fullmatch(r"[a-z][a-z0-9_.-]*", backend.name)
        assert fits, f"the name {backend.name!r} does not match [a-z][a-z0-9_.-]*"
        assert bench.operations, "it declares no operation"
        billed = can.billed_operations - can.operations
        assert not billed, f"`billed_operations` not in `operations`: {', '.join(billed)}"
        settings = inspect.signature(type(backend)).parameters
        usual = settings["base_url"].default if "base_url" in settings else None
        if isinstance(usual, str) and usual:  # the simulator overrides it
            check_base_url(usual, allowed_hosts=backend.allowed_hosts)
        unknown = {*backend.environment_variables} - {*settings}
        assert not unknown, f"`environment_variables` names unknown settings: {unknown}"
        unnamed = [
            name for name, text in bench.backend_secrets().items() if text not in simulator.secrets
        ]
        bench.require_of_simulator(
            not unnamed, f"its `secrets` do not include {', '.join(unnamed)}"
        )
        missing = sorted(each.name for each in required(can) - simulator.situations)
        bench.require_of_simulator(not missing, f"it must produce {', '.join(missing)}")
        for operation in set(PASSING) - can.operations:
            outcome = bench.call_backend(operation, PASSING[bench.operations[0]])
            refused = isinstance(outcome.error, fm.Unsupported) and not outcome.requests
            assert refused, f"{operation} is not declared, but a call gives {outcome.summary}"

    def _r51_good_calls(self, bench: Bench) -> None:
        for operation, situation in bench.available_cases(PASSING.values()):
            results, replies = list[Result](), list[bytes]()
            for _ in range(2):
                with bench.record_exchanges() as steps:
                    results.append(bench.call_verifier(operation, situation).require_result())
                replies += [each.reply.body for each in steps[-1:]]
            result, vendor_id = results[-1], results[-1].ids.vendor
            assert_equal("the decision", result.decision, PASS[operation])
            assert_equal("`backend` of the result", result.backend, bench.backend.name)
            if result.environment is not fm.Environment.MOCK:
                assert_equal("`environment`", result.environment, bench.backend.environment)
            if vendor_id is not None and vendor_id == results[0].ids.vendor:
                is_said = replies and all(vendor_id.encode() in body for body in replies)
                bench.require_of_simulator(
                    not is_said, f"it returns the id {vendor_id} for every call"
                )
                raise AssertionError(f"two calls have the same `ids.vendor`, {vendor_id}")
            earlier = result.decision, vendor_id
            later = bench.call_verifier(operation, NOT_PASSING[operation]).result
            is_kept = later is not None and (later.decision, later.ids.vendor) == earlier
            assert not is_kept, "the result belongs to an earlier call"

    @rule("R51")
    def test_r02_score_lies_on_its_scale(self, bench: Bench) -> None:
        """The decision and score are the vendor's own, on the declared scale and by the declared
        threshold rule. A missing, impossible or non-numeric score is treated as no score and never
        passes. Without a face there is no verdict.

        If 0.87 out of 100 were read as a fraction, it would be a match. 250 out of 100 means that
        the response was misread. If a missing score became 0, one person would look like two.
        """
        unscored = [functools.partial(self._r02_unscored, case=case) for case in UNSCORED]
        numbers = self._r02_vendors_number, self._r02_edge, self._r02_named_threshold
        run_parts(bench, self._r02_verdicts, *unscored, *numbers, self._r02_nobody)

    def _r02_verdicts(self, bench: Bench) -> None:
        # All calls are for one visitor: a pass must not be cached for the next call.
        for operation in reversed(bench.operations):
            scale = bench.score_scale(operation)
            for situation, due in ((PASSING[operation], PASS), (NOT_PASSING[operation], FAIL)):
                result = bench.call_verifier(
                    operation, situation, caller_ref="visitor 7"
                ).require_result()
                assert_equal("the decision", result.decision, due[operation])
                if (score := result.score) is not None:
                    assert_equal("the scale of the score", score.scale, scale)
                elif situation is PASSING[operation]:
                    assert_equal("the declared scale, for a pass without a score,", scale, None)
        match, spoof = fm.Operation.MATCH, Situation.SPOOF
        # A vendor with a liveness check need not report a spoof in a comparison.
        if bench.operations != [match] or spoof in bench.simulator.cannot_happen:
            return
        bench.skip_unless_available(spoof)
        for threshold in (None, 0.0):
            decision = (
                bench.call_verifier(match, spoof, threshold=threshold).require_result().decision
            )
            assert decision is not PASS[match], "a match, although the vendor reports a spoof"

    def _r02_vendors_number(self, bench: Bench) -> None:
        scaled = bench.scored_operations()
        bench.skip_unless_available(Situation.SCORE)
        for operation, value in itertools.product(scaled, SCORES):
            score = (
                bench.call_verifier(operation, Situation.SCORE, score=value).require_result().score
            )
            assert score is not None, f"the vendor returned {value}, but the score is None"
            # Allowed rounding: 1e-9 for another scale (a cosine, for example), 1e-12 for a
            # fraction converted to a percentage, none for a whole percentage.
            is_rescaled = score.raw is not None and abs(score.raw - value) > 1e-6
            off = 1e-9 if is_rescaled else 0.0 if value.is_integer() else 1e-12
            close = math.isclose(score.value, value, rel_tol=off, abs_tol=off)
            assert close, f"the vendor returned {value} of 100, but the score is {score.value}"

    def _r02_unscored(self, bench: Bench, case: Situation) -> None:
        """Assert that a result has no verdict based on a score, or check an error's charge."""
        is_null = case is Situation.NULL_SCORE
        for operation in bench.operations_for(case):
            bench.call_verifier(
                operation, PASSING[operation]
            )  # a later call must not reuse its score
            for threshold in UNSCORED[case]:
                outcome = bench.call_backend(operation, case, threshold=threshold)
                if isinstance(outcome.error, fm.UnexpectedResponse):
                    bench.check_unreadable(operation, outcome.error)
                    continue
                assert_equal("the score", outcome.require_result().score, None)
                wrong = [FAIL[operation]] * is_null
                # Without a scale, no threshold applies: the vendor's verdict decides.
                if threshold is not None and (bench.score_scale(operation) or not is_null):
                    wrong.append(PASS[operation])
                said = f"{outcome.summary} without a score, at threshold {threshold}"
                assert outcome.require_result().decision not in wrong, said

    def _r02_edge(self, bench: Bench) -> None:
        """Test at, just below and just above the threshold, without the verifier's own check."""
        rule_ = bench.capabilities.threshold_rule
        is_ours = rule_ is not models.ThresholdRule.VENDOR
        bench.skip_unless_applicable(is_ours, "leaves the threshold rule to its vendor")
        for operation in bench.scored_operations():
            scored = bench.find_scored_case(operation)
            situation, setting, score = scored.situation, scored.score_to_set, scored.score
            scores = [score] if setting is None else EDGES
            for score, step in itertools.product(scores, (-0.01, 0.0, 0.01)):
                edge = fm.Threshold(min(max(score + step, 0.0), 100.0), rule_)
                options: dict[str, Any] = {"score": setting and score, "threshold": edge.value}
                result = bench.call_backend(operation, situation, **options).require_result()
                # A score on another scale is rounded.
                passes = edge.passes(score if result.score is None else result.score.value)
                no = FAIL[operation], benches.REVIEW[operation]
                right = (PASS[operation],) if passes else no
                assert_equal(
                    f"decision for {score} at {edge.value} ({edge.rule})", result.decision, *right
                )

    def _r02_named_threshold(self, bench: Bench) -> None:
        for operation in bench.operations:
            sent: list[tuple[Any, Any]] = []
            for value in (None, benches.MIDDLE_SCORE, 0.0, 100.0):
                named = (
                    bench.call_verifier(operation, PASSING[operation], threshold=value)
                    .require_result()
                    .threshold
                )
                due = bench.expected_threshold(operation, value)
                if due is None:
                    ours = named is not None and named.source is not models.ThresholdSource.VENDOR
                    assert not ours, f"the result names {named}, but no threshold was set"
                    continue
                assert_equal("the threshold in the result", named, due)
                sent.append((due.value, bench.simulator.received.get("threshold")))
            for limit, arrived in sent if any(number is not None for _, number in sent) else ():
                # Without our threshold, the vendor applies its default, but the result names ours.
                is_sent = arrived is not None and math.isclose(limit, arrived)
                assert is_sent, f"the threshold is {limit}, but the vendor received {arrived}"

    def _r02_nobody(self, bench: Bench) -> None:
        nobody, code = Situation.NO_FACE, fm.WarningCode
        for operation in bench.operations_for(nobody):
            pair = bench.simulator.pictures_for(nobody)
            # With an engine, this tests a picture without a face as probe and as reference.
            orders = [pair, pair[::-1]] if operation is fm.Operation.MATCH else [pair]
            for images, value in itertools.product(orders, (None, 0.0)):
                result = bench.call_verifier(
                    operation, nobody, images=images, threshold=value
                ).require_result()
                assert_equal("the decision", result.decision, benches.INCONCLUSIVE[operation])
                assert_equal("the score", result.score, None)
                codes = {warning.code for warning in result.warnings}
                right = code.NO_FACE in codes and code.LOW_SIMILARITY not in codes
                assert right, f"no face, but the warnings are {', '.join(codes)}"

    @rule("R51")
    def test_r12_two_faces_are_told(self, bench: Bench) -> None:
        """Face boxes are correct and in the right picture. Several faces in a picture cause a
        warning, only one is marked as compared, and the right person among them is not rejected.

        Otherwise it is unknown whose face was compared: a bystander could pass for the visitor.
        """
        run_parts(bench, self._r12_several_faces, self._r12_boxes)

    def _r12_several_faces(self, bench: Bench) -> None:
        two = Situation.TWO_FACES
        for operation in bench.operations_for(two):
            for situation in (two, PASSING[operation]):
                result = bench.call_verifier(operation, situation).require_result()
                codes = {warning.code for warning in result.warnings}
                warns = fm.WarningCode.MULTIPLE_FACES in codes
                assert_equal("MULTIPLE_FACES", warns, situation is two)
                assert result.decision is not fm.Decision.NO_MATCH, "NO_MATCH for the right face"
                for place, found in zip(PICTURES, _faces(result), strict=True):
                    count = sum(face.compared is True for face in found)
                    assert count < 2, f"{count} faces of the {place} are `compared`, not one"
                    _judge_compared_face(found, place, result.score)

    def _r12_boxes(self, bench: Bench) -> None:
        name, reports = bench.backend.name, bench.capabilities.reports_faces
        shown, seen = bench.simulator.faces, False
        differ = shown.get("probe") != shown.get("reference") or not reports
        bench.skip_unless_testable(differ, "has the same `faces` for probe and reference")
        for operation, situation in bench.available_cases((*PASSING.values(), Situation.TWO_FACES)):
            result, call = (
                bench.call_verifier(operation, situation).require_result(),
                bench.make_request(operation, situation),
            )
            boxes = [[face.box for face in faces if face.box] for faces in _faces(result)]
            if not any(boxes):
                continue
            assert reports, f"{name} returns face boxes, but does not declare `reports_faces`"
            seen = True
            if situation is Situation.TWO_FACES:
                assert len(boxes[0]) >= 2 > len(boxes[1]), f"not two boxes and one, but {boxes}"
                continue
            for place, reported in zip(PICTURES, boxes, strict=True):
                if image := getattr(call, place, None):
                    meant = shown.get(place, ())
                    at = f"the faces of the {place} are at {meant}"
                    assert _boxes_match(reported, meant, image), f"{at}, not {reported}"
        bench.skip_unless_applicable(reports, "does not report face boxes")
        assert seen, "`reports_faces` is declared, but no result has a face box"

    @rule("R51")
    def test_r14_largest_face_decides(self, bench: Bench) -> None:
        """The score is the largest face's. If only a smaller face matches, the result is never a
        match: it is a review if the vendor scores that face, with `SMALLER_FACE_MATCHED`.

        Otherwise a stranger passes by holding the victim's document before the camera.
        """
        match, case = fm.Operation.MATCH, Situation.SMALLER_FACE_MATCHES
        bench.skip_unless_applicable(match in bench.operations, "does not compare faces")
        bench.skip_unless_available(case)
        # Without the verifier, whose checks could hide a match.
        result = bench.call_backend(match, case).require_result()
        assert result.decision is not fm.Decision.MATCH, "a match, although the largest face is not"
        for place, found in zip(PICTURES, _faces(result), strict=True):
            _judge_compared_face(found, place, result.score)
        threshold = bench.expected_threshold(match, None)
        for face in itertools.chain(*_faces(result)):
            if threshold and face.similarity and threshold.passes(face.similarity.value):
                if result.score is not None:
                    assert_equal("the decision", result.decision, fm.Decision.REVIEW)
                codes = {warning.code for warning in result.warnings}
                is_told = fm.WarningCode.SMALLER_FACE_MATCHED in codes
                assert is_told, "a smaller face matches, but SMALLER_FACE_MATCHED is missing"

    @rule("R51")
    def test_r13_unknown_status_is_review(self, bench: Bench) -> None:
        """An unknown value is preserved and never passes: an unknown verdict becomes a review, and
        an unknown serious warning stays serious.

        Vendors add values without notice. A new value that means "on hold" must not pass.
        """
        run_parts(bench, self._r13_unknown_status, self._r13_unknown_warning)

    def _r13_unknown_status(self, bench: Bench) -> None:
        word = bench.simulator.unknown_status
        for operation in bench.operations_for(Situation.UNKNOWN_STATUS):
            with bench.record_exchanges() as steps:
                result = bench.call_backend(operation, Situation.UNKNOWN_STATUS).require_result()
            is_said = not steps or any(
                word.encode() in reply.body for reply in (each.reply for each in steps)
            )
            bench.require_of_simulator(
                is_said, f"its response in UNKNOWN_STATUS does not contain {word!r}"
            )
            assert_equal(f"the decision of {word!r}", result.decision, benches.REVIEW[operation])
            assert_equal("`vendor_status`", result.vendor_status, word)

    def _r13_unknown_warning(self, bench: Bench) -> None:
        tag, text = bench.simulator.unknown_warning
        for operation in bench.operations_for(Situation.UNKNOWN_WARNING):
            warnings = (
                bench.call_verifier(operation, Situation.UNKNOWN_WARNING).require_result().warnings
            )
            kept = [warning for warning in warnings if warning.tag == tag]
            assert kept, f"the warning {tag} is missing: {warnings}"
            for warning in kept:
                # A vendor that only sends codes has no text to preserve.
                assert_equal(f"the text of {tag}", warning.text, text or warning.text)
                assert_equal(f"the code of {tag}", warning.code, fm.WarningCode.OTHER)
                assert warning.severity.is_grave, f"{tag} is serious, not {warning.severity}"


def _faces(result: Result) -> list[tuple[models.Face, ...]]:
    return [tuple(getattr(result, f"{place}_faces", None) or ()) for place in PICTURES]


def _judge_compared_face(faces: Sequence[models.Face], place: str, score: Any) -> None:
    """Assert that the largest face of a picture is the compared one, and that the score is its."""
    scored = any(face.similarity for face in faces)
    compared = [face for face in faces if face.compared]
    assert compared or not scored or score is None, f"no face of the {place} is `compared`"
    for face in compared:
        is_largest = face.area == max(each.area for each in faces)
        assert is_largest, f"the compared face of the {place} is not the largest"
        if scored:
            assert_equal(
                f"the similarity of the compared face of the {place}", face.similarity, score
            )


def _boxes_match(boxes: Sequence[models.Box], where: Sequence[models.Box], image: fm.Image) -> bool:
    """Return whether boxes match `where`, with edges within a quarter of a face width."""
    width, height = image.upright_size

    def edges(box: models.Box) -> tuple[float, ...]:
        """Return the left, top, right and bottom as fractions of the picture's sides."""
        wide, high = box.of_width or width, box.of_height or height
        wide, high = (1, 1) if box.unit == "ratio" else (wide, high)
        return box.left / wide, box.top / high, box.right / wide, box.bottom / high

    pairs = zip(sorted(map(edges, boxes)), sorted(map(edges, where)), strict=False)
    return len(boxes) == len(where) and all(
        math.isclose(side, edge, abs_tol=(face[2] - face[0]) / 4)
        for box, face in pairs
        for side, edge in zip(box, face, strict=True)
    )


def forms(secrets: Iterable[str]) -> list[tuple[str, bytes, bool]]:
    """Return response bodies of every form, each with its name and whether it is JSON.

    Most contain `secrets`, a key-like string, and error codes that no vendor documents.
    """
    sentence = f"It is so, said {' and '.join(secrets)} to {CANARY}."
    spoken = {
        "an error": {"error": sentence, "code": "kit-code-70531", "trace": {"request": CANARY}},
        "a detail": {"detail": sentence, "message": sentence},
        "fields": {"probe": [sentence], "reference": [CANARY]},
        "a list": [sentence],
        "a long text": {"message": "It is so. " * (LONG // 10), "sub_code": CANARY},
        "an empty object": {},
        "null": None,
    }
    return [
        *((name, json.dumps(value).encode(), True) for name, value in spoken.items()),
        ("an HTML page", f"<html><h1>Bad Gateway</h1>{sentence}</html>".encode(), False),
        ("an empty body", b"", False),
        ("truncated JSON", b'{"error": "' + sentence.encode(), False),
        ("invalid UTF-8", b"\xff\xfe\x00" + sentence.encode(), False),
    ]


#: The path to a value in a document: object keys and list indexes, outermost first.
Place = tuple[str | int, ...]
#: Marks a key to remove.
GONE = object()


def places(document: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield every value below `document` with its place, outer values first."""
    items = document if isinstance(document, list) else ()
    for step, value in document.items() if isinstance(document, Mapping) else enumerate(items):
        yield (*at, step), value
        yield from places(value, (*at, step))


def replace(document: Any, place: Place, value: Any) -> Any:
    """Return a copy of `document` with `value` at `place`; GONE removes the key."""
    if not place:
        return value
    copied, (first, *rest) = copy.copy(document), place
    if value is GONE and not rest:
        del copied[first]
    else:
        copied[first] = replace(document[first], tuple(rest), value)
    return copied


def number_in(value: Any) -> float | None:
    """Return a number or numeric string as a float; None for anything else, even a boolean."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


class AnswerRules(Rules):
    """The rule about parsing responses."""

    @rule("R51")
    def test_r38_every_answer_is_read_or_refused(self, bench: Bench) -> None:
        """Every possible response is parsed or rejected, and never interpreted beyond its content.

        If a gateway's page is treated as the vendor's "not charged", the call is paid for twice.
        Vendors add, drop and rename fields without notice: a missing one must not become a verdict.
        """
        is_http = isinstance(bench.backend, HttpBackend)
        bench.skip_unless_applicable(
            is_http, "is not an HttpBackend, so responses cannot be changed"
        )
        cases = bench.available_cases([Situation.NO_FACE, Situation.TWO_FACES])
        statuses: Container[int] = [Recording.of(bench, *case).reply.status for case in cases]
        if Situation.NO_FACE not in bench.simulator.situations:
            statuses = STATUSES  # the vendor's status for no face is unknown
        for operation in bench.operations:
            recording = Recording.of(bench, operation, PASSING[operation])
            for step in range(len(recording.replies), 0, -1):
                attrs.evolve(recording, step=step).other_answers(statuses)
            # The good response of any simulator passes this threshold.
            pair = PASSING[operation], NOT_PASSING[operation]
            good, bad = (Recording.of(bench, operation, case, threshold=1.0) for case in pair)
            good.other_values(bad)


#: The result or the error of a call, or neither if the call needs more replies.
Reading = tuple[Result | None, fm.VendorError | None]


@attrs.frozen
class Recording:
    """A recorded call with its responses; methods replace the response at `step`."""

    bench: Bench
    call: PictureRequest
    requests: Sequence[HttpRequest]
    replies: Sequence[HttpReply]
    step: int

    @classmethod
    def of(cls, bench: Bench, operation: fm.Operation, case: Situation, **how: Any) -> Recording:
        """Record a call, with `step` at its last request."""
        bench.skip_unless_available(case)
        call = bench.make_request(operation, case, **how)
        bench.simulator.set_situation(case)
        bench.run_request(bench.make_request(operation, case, **how))  # renews an expired token
        with bench.record_exchanges() as exchanges:
            outcome = bench.run_request(call)
        # A vendor may report a missing face as a rejection.
        fails = outcome.error is not None and case is not Situation.NO_FACE
        assert not fails, f"{operation}, {case.name}: {outcome.error!r}"
        bench.skip_unless_testable(exchanges, "gets no request from the backend's `client`")
        requests = [each.request for each in exchanges]
        replies = [each.reply for each in exchanges]
        return cls(bench, call, requests, replies, len(replies))

    @property
    def reply(self) -> HttpReply:
        return self.replies[self.step - 1]

    def costs(self, *, before: bool = True) -> bool:
        """Return whether the request (or an earlier one) is declared as charged."""
        sent = self.requests[0 if before else self.step - 1 : self.step]
        is_billed = self.call.operation in self.bench.capabilities.billed_operations
        return is_billed and any(request.charges for request in sent)

    def read_changed(self, place: Place, text: str | None) -> Reading:
        """Read the response with the value at `place` replaced by raw `text`; None removes it."""
        before, after = self.reply.at(*place), "nothing" if text is None else text[:60]
        how = f"with `{'.'.join(map(str, place))}` changed from {before!r:.60} to {after}"
        stand_in = "(placeholder)"
        changed = replace(self.reply.at(), place, GONE if text is None else stand_in)
        written = json.dumps(changed).replace(f'"{stand_in}"', text or "")
        return self.read(how, written.encode())

    def read(self, how: str, body: bytes, **other: Any) -> Reading:
        """Return the outcome of the call with this response at `step`."""
        bench, replies, step = self.bench, self.replies, self.step
        backend: Any = bench.backend
        at = f"request {step} of {len(replies)} " if len(replies) > 1 else ""
        bench.context = f"{self.call.operation}, {at}answered {how}"
        until = [*replies[: step - 1], attrs.evolve(self.reply, body=body, **other)]
        # A call may poll: further polls receive the good response.
        further = [*replies[step:], *[replies[-1]] * 20]
        for more in ([], further):
            with contextlib.suppress(ValueError):  # the call needs more replies
                answer = backend.read_reply(self.call, *until, *more)
                break
        else:
            return None, None
        if isinstance(answer, fm.FaceMatchError):
            bench.context += f": {type(answer).__name__}"
            return None, self._judged(answer)
        raw = None if answer.score is None else answer.score.raw
        numbers = (number_in(v) for each in until + more for _, v in places([each.at()]))
        assert raw is None or raw in numbers, f"`score.raw` is {raw}, which is in no response"
        return None if more is further else answer, None

    def _judged(self, error: Any) -> fm.VendorError:
        """Assert that an error's charge, wait and `retryable` are consistent; return the error."""
        assert isinstance(error, fm.VendorError), "the error does not state the charge"
        charged, wait_s = error.billing.charged, getattr(error, "retry_after_s", None)
        is_lost = isinstance(error, fm.OutcomeUnknown)
        allowed = {fm.Charged.UNKNOWN} if is_lost else {fm.Charged.YES, fm.Charged.NO}
        if self.step > 1:  # the job was accepted: its charge is known, even if its outcome is not
            allowed.add(fm.Charged.YES if self.costs() else fm.Charged.NO)
        assert_equal("the charge", charged, *allowed)
        repeats = error.retryable and charged is not fm.Charged.NO
        assert not repeats, f"the error is retryable, but `charged` is {charged}"
        assert wait_s is None or 0 <= wait_s < math.inf, f"`retry_after_s` is {wait_s}"
        return error

    def other_answers(self, face_statuses: Container[int]) -> None:
        """Judge the outcomes for responses with every status and every form of body."""
        priced, waits = self.costs(before=False), itertools.cycle(WAITS)
        secrets = list(self.bench.backend_secrets().values())
        is_last = self.step == len(self.requests) > 1
        cases = [*itertools.product(STATUSES, forms(secrets))]
        if not priced and len(self.replies) > 1:  # a free step
            cases = [*zip(STATUSES, itertools.cycle(forms(secrets)), strict=False)]
        for status, (name, body, is_json) in cases:
            headers = {**self.reply.headers, "Retry-After": next(waits)}
            how = f"{status} with {name}"
            result, error = self.read(how, body, status=status, headers=headers)
            is_free = error is not None and error.billing.charged is fm.Charged.NO
            text = f"{error} {error!r} {error and vars(error)}"
            assert not any(secret in text for secret in secrets), "the error contains a secret"
            assert CANARY not in text, "the error contains a string that looks like a key"
            assert len(str(error)) < LONG / 2, "the error repeats the whole body"
            assert "backend failed to read" not in text, f"its own code fails: {error}"
            if status in self.requests[self.step - 1].expects:  # not a rejection
                assert not (is_free and self.costs()), "reported as free, but the vendor charges it"
            elif error is not None:
                assert status >= 300 or not error.retryable, "the error is retryable"
                blames = status >= 500 and isinstance(error, BLAMING)
                assert not blames, "the error blames the caller, but the vendor failed"
                unsaid = status >= 500 and not is_json and priced and is_free
                assert not unsaid, "reported as free, but the vendor did not say so"
            elif result is not None:
                hint = " (mark a clean-up request with `is_cleanup=True`)" * is_last
                is_read = status in face_statuses and result.decision not in PASS.values()
                assert is_read, f"it becomes the result {result.decision}, not an error{hint}"

    def other_values(self, bad: Recording) -> None:
        """Change one value of the good response at a time; try every change to its verdict."""
        document, bench, operation = self.reply.at(), self.bench, self.call.operation
        is_document = isinstance(document, (dict, list))
        bench.skip_unless_testable(is_document, "returns neither a JSON object nor a list")
        usual, error = self.read("as before", self.reply.body)
        assert usual is not None, f"the same response is not read again: {error!r}"
        scores, verdicts = self._decide(usual)
        bench.skip_unless_testable(
            scores or not bench.score_scale(operation), "has no score in its responses"
        )
        self._no_numbers(usual, scores)
        # Objects that enclose a verdict are decisive, too: without them the verdict is missing.
        decisive = {place[:end] for place in verdicts for end in range(1, len(place) + 1)}
        values, turn = [*places(document)], itertools.count()
        sparing = 1 + len(values) * len(VALUES) // 400  # a few hundred changes are enough
        for place, value in values:
            unchanged = json.dumps(value)
            texts = [*VALUES, f"[{unchanged}]", f'{{"value": {unchanged}}}', None]
            if place in decisive and isinstance(value, str):
                others = [f"not {value}", f"{value} pending", f"{value}_not"]
                texts += map(json.dumps, [*others, bad.reply.at(*place)])
            for text in texts:
                if (place not in decisive and next(turn) % sparing) or text == unchanged:
                    continue
                result, _ = self.read_changed(place, text)
                if result is None or result.decision not in PASS.values():
                    continue
                scored = result.score is not None or not bench.score_scale(operation)
                assert scored, f"the result is still {result.decision}, without a score"
                # A vendor may omit its verdict, but another value must not pass.
                is_unsaid = text is None and result.vendor_status is None
                assert is_unsaid or place not in decisive, f"the result is still {result.decision}"

    def _no_numbers(self, usual: Result, scores: Sequence[tuple[Place, object]]) -> None:
        """Assert that only a number becomes a score."""
        for place, value in scores:
            inside, as_text = json.dumps(value), json.dumps(str(value))
            odd = '"high"' if isinstance(value, str) else as_text
            texts = (None, "true", "NaN", "1e999", "[]", "{}", odd, f"[{inside}]")
            for text in (*texts, f'"{value}%"', f'"{value} of 100"', f'{{"value": {inside}}}'):
                result, error = self.read_changed(place, text)
                if error is not None:
                    self.bench.check_unreadable(self.call.operation, error)
                elif result is not None:
                    warned = len(result.warnings) > len(usual.warnings)
                    if text == as_text and result.score == usual.score and warned:
                        continue  # A numeric string was read as a number, with a warning.
                    assert_equal("the score", result.score, None)
                    # Without the number, the vendor's verdict may remain: R02 tests that.
                    is_open = text is None or result.decision not in PASS.values()
                    assert is_open, f"the decision is {result.decision}"

    def _decide(self, usual: Result) -> tuple[list[tuple[Place, object]], set[Place]]:
        """Return where a response has its score (place and value) and its verdict (places)."""

        def facts(result: Result) -> tuple[float | None, str | None, object]:
            score = result.score
            number = None if score is None else score.value if score.raw is None else score.raw
            return number, result.vendor_status, result.decision

        scores, verdicts = list[tuple[Place, object]](), set[Place]()
        number, word, _ = facts(usual)
        for place, value in places(self.reply.at()):
            is_score = number is not None and number_in(value) == number
            is_status = isinstance(value, str) and value == word
            if not is_score and not is_status and not isinstance(value, bool):
                continue
            another: object = "another word" if is_status else not value
            if is_score:
                half = (number or 0) / 2
                another = str(half) if isinstance(value, str) else half
            other, _ = self.read_changed(place, json.dumps(another))
            follows = other is not None and facts(other) != facts(usual)
            if is_score and follows:
                scores.append((place, value))
            elif follows or (is_status and other is None):
                verdicts.add(place)
        return scores, verdicts
