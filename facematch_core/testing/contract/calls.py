"""R51, R02, R12, R14, R13, R38, R60: results, decisions, faces, and the parsing of responses."""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
import json
import math
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import PictureRequest
from facematch_core.backend.fields import path_text
from facematch_core.base.addresses import check_base_url, is_allowed_host, is_loopback
from facematch_core.call.run import PICTURES
from facematch_core.call.verdict import find_changes
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import (
    FAIL,
    PASS,
    Bench,
    Difference,
    Result,
    Rules,
    SimulatorMistake,
    assert_among,
    assert_equal,
    rule,
    run_parts,
)
from facematch_core.testing.pairs import PairSimulator
from facematch_core.testing.simulator import (
    FAILURES,
    NOT_PASSING,
    PASSING,
    EngineSimulator,
    Situation,
    required_situations,
)

#: Both ends of the scale, a score that looks like a fraction, scores that rounding would change,
#: and whole percentages that `fraction * 100` does not reproduce exactly.
SCORES = (0.0, 0.87, 1.0, 7.0, 12.5, 28.0, 29.0, 49.996, 50.1, 57.0, 61.23, 88.5, 99.99999, 100.0)
#: Thresholds to send in situations without a usable score.
UNSCORED_THRESHOLDS = {Situation.NULL_SCORE: (None, 40.0), Situation.IMPOSSIBLE_SCORE: (10.0,)}
#: Scores to compare with a threshold.
EDGE_SCORES = (0.0, 0.87, 28.0, 50.1, benches.MIDDLE_SCORE, 100.0)
#: HTTP statuses of vendors, servers and gateways, and some unassigned ones.
# fmt: off
STATUSES = (
    200, 201, 202, 203, 204, 206, 299, 300, 301, 302, 303, 304, 307, 308, 399,
    400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 413, 415, 418, 422, 423, 425, 429,
    431, 451, 460, 499, 500, 501, 502, 503, 504, 507, 511, 520, 522, 524, 529, 599,
)
# fmt: on
#: Valid and invalid values of ``Retry-After``.
RETRY_AFTER_VALUES = (
    "7",
    "soon",
    "-5",
    "nan",
    "1e999",
    "9" * 40,
    "Wed, 21 Oct 2015 07:28:00 GMT",
    "",
)
#: A string that looks like a key or picture data: an error must not repeat it.
CANARY = "kit0canary5d41402abc4b2a76b9719d911017c592"
#: Length of a text that an error must not repeat in full, in characters.
LONG_TEXT_LENGTH = 1000
#: Replacements for each value of a successful response, as JSON.
JSON_VALUES = ("null", "true", "false", "-1", "7", '"odd"', '""', "[]", "{}", '[["x"]]')
#: Errors that blame the caller's request, key or account.
CALLERS_ERRORS = (
    fm.RequestRejected,
    fm.AuthenticationFailed,
    fm.PermissionDenied,
    fm.InsufficientCredit,
)


class CallRules(Rules):
    """Rules about results: their origin, decisions and face boxes."""

    @rule()
    def test_r51_good_call_is_answered(self, bench: Bench) -> None:
        """A call passes only on the vendor's response to that call. The result names the vendor and
        has the vendor's id of the call.

        Every other rule depends on this one. A cached response would let the next visitor in, and
        an auditor must see which vendor decided on which request.
        """
        run_parts(bench, self._r51_declarations, self._r51_passing_calls)

    def _r51_declarations(self, bench: Bench) -> None:
        """Hold that what the backend declares is consistent, and that all else is Unsupported."""
        capabilities = bench.capabilities
        assert bench.operations, "it declares no operation"
        undeclared = capabilities.billed_operations - capabilities.operations
        assert not undeclared, f"`billed_operations` not in `operations`: {', '.join(undeclared)}"
        check_settings(bench)
        missing = required_situations(capabilities) - bench.simulator.situations
        names = sorted(situation.name for situation in missing)
        bench.require_of_simulator(not missing, f"it must produce {', '.join(names)}")
        for operation in set(PASSING) - capabilities.operations:
            outcome = bench.call_backend(operation, PASSING[bench.operations[0]])
            is_refused = isinstance(outcome.error, fm.Unsupported) and not outcome.requests
            assert is_refused, f"{operation} is not declared, but a call gives {outcome.summary}"

    def _r51_passing_calls(self, bench: Bench) -> None:
        """Hold that a passing call passes, with its own id, and does not answer the next call."""
        for operation, situation in bench.available_cases(PASSING.values()):
            earlier_result, earlier_reply = self._r51_result_and_body(bench, operation, situation)
            result, reply = self._r51_result_and_body(bench, operation, situation)
            vendor_id = result.ids.vendor
            if bench.simulator.last_id is not None:
                assert_equal("`ids.vendor`", vendor_id, bench.simulator.last_id)
            assert_equal("the decision", result.decision, PASS[operation])
            assert_equal("`backend` of the result", result.backend, bench.backend.name)
            if result.environment is not fm.Environment.MOCK:
                assert_equal("`environment`", result.environment, bench.backend.environment)
            if vendor_id is not None and vendor_id == earlier_result.ids.vendor:
                id_bytes = vendor_id.encode()
                bench.require_of_simulator(
                    id_bytes not in reply or id_bytes not in earlier_reply,
                    f"it returns the id {vendor_id} for every call",
                )
                raise AssertionError(f"two calls have the same `ids.vendor`, {vendor_id}")
            later_result = bench.call_verifier(operation, NOT_PASSING[operation]).result
            if later_result is not None:
                is_repeated = (
                    later_result.decision is result.decision
                    and later_result.ids.vendor == vendor_id
                )
                assert not is_repeated, "the result belongs to an earlier call"
        if isinstance(bench.simulator, PairSimulator):
            uncalled = set(bench.simulator.constants) - bench.simulator.called_paths
            bench.require_of_simulator(
                not uncalled,
                f"its `constants` are for {', '.join(sorted(uncalled))}, but the plug-in called "
                f"{', '.join(sorted(bench.simulator.called_paths)) or 'no path'}",
            )

    def _r51_result_and_body(
        self, bench: Bench, operation: fm.Operation, situation: Situation
    ) -> tuple[Result, bytes]:
        """Make a call; return the result, and the body of the last reply if it was seen."""
        with bench.record_exchanges() as exchanges:
            result = bench.call_verifier(operation, situation).require_result()
        return result, exchanges[-1].reply.body if exchanges else b""

    @rule("R51")
    def test_r02_score_lies_on_its_scale(self, bench: Bench) -> None:
        """The decision and score are the vendor's own, on the declared scale and by the declared
        threshold rule. A missing, impossible or non-numeric score is treated as no score and never
        passes. Without a face there is no verdict.

        If 0.87 out of 100 were read as a fraction, it would be a match. 250 out of 100 means that
        the response was misread. If a missing score became 0, one person would look like two.
        """
        run_parts(
            bench,
            self._r02_verdicts,
            functools.partial(self._r02_unscored, situation=Situation.NULL_SCORE),
            functools.partial(self._r02_unscored, situation=Situation.IMPOSSIBLE_SCORE),
            self._r02_vendors_score,
            self._r02_threshold_edge,
            self._r02_vendors_verdict,
            self._r02_documented_verdicts,
            self._r02_named_threshold,
            self._r02_no_face,
        )

    def _r02_verdicts(self, bench: Bench) -> None:
        """Hold that each case has its decision, at any threshold of a vendor without a score."""
        # All calls are for one visitor: a pass must not be cached for the next call.
        for operation in reversed(bench.operations):
            scale = bench.score_scale(operation)
            passed = self._r02_check_decision(bench, operation, PASSING[operation], PASS[operation])
            if passed.score is None:
                assert_equal("the declared scale, for a pass without a score,", scale, None)
            # A vendor without a score gives the same verdict at any threshold of the caller.
            for threshold in (None, 100.0):
                self._r02_check_decision(
                    bench,
                    operation,
                    NOT_PASSING[operation],
                    FAIL[operation],
                    threshold=threshold,
                )
        # A vendor with a liveness check need not report a spoof in a comparison.
        if bench.operations != [fm.Operation.MATCH]:
            return
        if Situation.SPOOF in bench.simulator.cannot_happen:
            return
        bench.skip_unless_available(Situation.SPOOF)
        for threshold in (None, 0.0):
            result = bench.call_verifier(
                fm.Operation.MATCH, Situation.SPOOF, threshold=threshold
            ).require_result()
            is_match = result.decision is fm.Decision.MATCH
            assert not is_match, "a match, although the vendor reports a spoof"

    def _r02_check_decision(
        self,
        bench: Bench,
        operation: fm.Operation,
        situation: Situation,
        decision: object,
        threshold: float | None = None,
    ) -> Result:
        """Make a call; assert its decision and its score's scale; return its result."""
        outcome = bench.call_verifier(
            operation, situation, caller_ref="visitor 7", threshold=threshold
        )
        result: Result = outcome.require_result()
        label = "the decision"
        if threshold is not None:
            label += f" at the threshold {threshold:g}"
        assert_equal(label, result.decision, decision)
        if result.score is not None:
            scale = bench.score_scale(operation)
            assert_equal("the scale of the score", result.score.scale, scale)
        return result

    def _r02_vendors_score(self, bench: Bench) -> None:
        """Hold that the score is the vendor's, exactly for a whole number, else within rounding."""
        operations = bench.scored_operations()
        bench.skip_unless_available(Situation.SCORE)
        for operation, value in itertools.product(operations, SCORES):
            outcome = bench.call_verifier(operation, Situation.SCORE, score=value)
            score = outcome.require_result().score
            assert score is not None, f"the vendor returned {value}, but the score is None"
            tolerance = 1e-12  # for a fraction converted to a percentage
            if score.raw is not None and not _is_percentage_or_fraction(score.raw, value):
                tolerance = 1e-9  # for another scale, such as a cosine
            elif value.is_integer():
                tolerance = 0.0
            is_close = math.isclose(score.value, value, rel_tol=tolerance, abs_tol=tolerance)
            if not is_close:
                # A simulator may round, too.
                raise Difference(
                    f"the simulator was to answer {value} of 100, and the score is {score.value}"
                )

    def _r02_unscored(self, bench: Bench, situation: Situation) -> None:
        """Assert that a result has no verdict based on a score, or check an error's charge."""
        is_null = situation is Situation.NULL_SCORE
        for operation in bench.operations_for(situation):
            bench.call_verifier(operation, PASSING[operation])  # its score must not be reused
            for threshold in UNSCORED_THRESHOLDS[situation]:
                outcome = bench.call_backend(operation, situation, threshold=threshold)
                if isinstance(outcome.error, fm.UnexpectedResponse):
                    bench.check_unreadable(operation, outcome.error)
                    continue
                result = outcome.require_result()
                assert_equal("the score", result.score, None)
                wrong_decisions = []
                if is_null:
                    wrong_decisions.append(FAIL[operation])
                # Without a scale, no threshold applies: the vendor's verdict decides.
                has_threshold = threshold is not None
                if has_threshold and (bench.score_scale(operation) or not is_null):
                    wrong_decisions.append(PASS[operation])
                assert result.decision not in wrong_decisions, (
                    f"{outcome.summary} without a score, at threshold {threshold}"
                )

    def _r02_threshold_edge(self, bench: Bench) -> None:
        """Test at, just below and just above the threshold, without the verifier's own check."""
        threshold_rule = bench.capabilities.threshold_rule
        applies_rule_itself = threshold_rule is not models.ThresholdRule.VENDOR
        bench.skip_unless_applicable(applies_rule_itself, "leaves the threshold rule to its vendor")
        for operation in bench.scored_operations():
            case = bench.find_scored_case(operation)
            scores = EDGE_SCORES if case.situation is Situation.SCORE else (case.score,)
            for vendors_score, distance in itertools.product(scores, (-0.01, 0.0, 0.01)):
                value = min(max(vendors_score + distance, 0.0), 100.0)
                threshold = fm.Threshold(value, threshold_rule)
                result = bench.call_backend(
                    operation,
                    case.situation,
                    score=vendors_score if case.situation is Situation.SCORE else None,
                    threshold=value,
                ).require_result()
                # A score on another scale is rounded.
                score = vendors_score if result.score is None else result.score.value
                expected = [FAIL[operation], benches.REVIEW[operation]]
                if threshold.passes(score):
                    expected = [PASS[operation]]
                label = f"decision for {vendors_score} at {value} ({threshold_rule})"
                assert_among(label, result.decision, expected)

    def _r02_vendors_verdict(self, bench: Bench) -> None:
        """What the vendor passed stays a pass when the caller names a threshold below its score.

        Of vendors whose rule decides, not ours. The threshold is half a point below the score; a
        score below 2 is left out, since a threshold up to 1 would be refused as a fraction.
        """
        operations = bench.scored_operations()
        threshold_rule = bench.capabilities.threshold_rule
        is_vendors = threshold_rule is models.ThresholdRule.VENDOR
        bench.skip_unless_applicable(is_vendors, "applies the threshold rule itself")
        for operation in operations:
            situation = PASSING[operation]
            score = bench.call_verifier(operation, situation).require_result().score
            if score is None or score.value < 2:  # a threshold up to 1 looks like a fraction
                continue
            below = score.value - 0.5
            result = bench.call_verifier(operation, situation, threshold=below).require_result()
            label = f"the decision for {score.value:g} at {below:g} ({threshold_rule})"
            assert_equal(label, result.decision, PASS[operation])

    def _r02_documented_verdicts(self, bench: Bench) -> None:
        """Read each further documented answer in place of the good one."""
        verdicts = bench.simulator.verdicts
        is_http = isinstance(bench.backend, HttpBackend)
        has_verdicts = bench.operations and verdicts and is_http
        bench.skip_unless_applicable(has_verdicts, "has no further documented verdicts")
        for operation in bench.operations:
            decision_type = type(PASS[operation])
            of_operation = [each for each in verdicts if isinstance(each.decision, decision_type)]
            if not of_operation:
                continue
            recording = Recording.of(bench, operation, PASSING[operation])
            for verdict in of_operation:
                text = json.dumps(verdict.body)
                result, error = recording.read(f"with {text:.300}", text.encode())
                decision: object = type(error).__name__
                if result is not None:
                    # A grave warning makes a pass a review.
                    changes = find_changes(result, recording.request.threshold, None)
                    decision = changes.get("decision", result.decision)
                assert_equal("the decision", decision, verdict.decision)

    def _r02_named_threshold(self, bench: Bench) -> None:
        """Hold that the result names the threshold that was applied.

        It must have reached the vendor.
        """
        for operation in bench.operations:
            received_by_expected: dict[Any, Any] = {}
            for callers_value in (None, benches.MIDDLE_SCORE, 0.0, 100.0):
                outcome = bench.call_verifier(
                    operation, PASSING[operation], threshold=callers_value
                )
                named = outcome.require_result().threshold
                expected = bench.expected_threshold(operation, callers_value)
                if expected is None:
                    is_vendors = named is None or named.source is models.ThresholdSource.VENDOR
                    assert is_vendors, f"the result names {named}, but no threshold was set"
                    vendors_value = bench.simulator.vendor_thresholds.get(operation)
                    if vendors_value is not None:
                        value = None if named is None else named.value
                        assert_equal("the vendor's threshold in the result", value, vendors_value)
                    continue
                assert_equal("the threshold in the result", named, expected)
                received = bench.simulator.received.get("threshold")
                received_by_expected[expected.value] = received
            if set(received_by_expected.values()) == {None}:
                continue  # The backend sends no threshold.
            for value, received in received_by_expected.items():
                # Without our threshold, the vendor applies its default, but the result names ours.
                is_received = received is not None and math.isclose(value, received)
                assert is_received, f"the threshold is {value}, but the vendor received {received}"

    def _r02_no_face(self, bench: Bench) -> None:
        """Hold that a picture without a face is INCONCLUSIVE, without a score, and told."""
        for operation in bench.operations_for(Situation.NO_FACE):
            probe, reference = bench.simulator.pictures_for(Situation.NO_FACE)
            pairs = [(probe, reference)]
            if operation is fm.Operation.MATCH:
                # With an engine, this tests a picture without a face as probe and as reference.
                pairs.append((reference, probe))
            for images, threshold in itertools.product(pairs, (None, 0.0)):
                result = bench.call_verifier(
                    operation, Situation.NO_FACE, images=images, threshold=threshold
                ).require_result()
                assert_equal("the decision", result.decision, benches.INCONCLUSIVE[operation])
                assert_equal("the score", result.score, None)
                codes = {warning.code for warning in result.warnings}
                warns = fm.WarningCode.NO_FACE in codes
                blames_score = fm.WarningCode.LOW_SIMILARITY in codes
                is_told = warns and not blames_score
                assert is_told, f"no face, but the warnings are {', '.join(codes)}"

    @rule("R51")
    def test_r12_two_faces_are_told(self, bench: Bench) -> None:
        """Face boxes are correct and in the right picture. Several faces in a picture cause a
        warning, only one is marked as compared, and the right person among them is not rejected.

        Otherwise it is unknown whose face was compared: a bystander could pass for the visitor.
        """
        run_parts(bench, self._r12_several_faces, self._r12_boxes)

    def _r12_several_faces(self, bench: Bench) -> None:
        """Hold that several faces are told, and at most one of a picture is `compared`."""
        for operation in bench.operations_for(Situation.TWO_FACES):
            for situation in (Situation.TWO_FACES, PASSING[operation]):
                result = bench.call_verifier(operation, situation).require_result()
                codes = {warning.code for warning in result.warnings}
                warns = fm.WarningCode.MULTIPLE_FACES in codes
                assert_equal("MULTIPLE_FACES", warns, situation is Situation.TWO_FACES)
                is_match = result.decision is not fm.Decision.NO_MATCH
                assert is_match, "NO_MATCH for the right face"
                for picture_name, faces in _faces_by_picture(result).items():
                    count = sum(face.compared is True for face in faces)
                    assert count < 2, f"{count} faces of the {picture_name} are `compared`, not one"
                    _check_compared_face(faces, picture_name, result.score)

    def _r12_boxes(self, bench: Bench) -> None:
        """Hold that boxes are where the faces are, and that a backend with boxes declares them."""
        declares_faces = bench.capabilities.reports_faces
        true_faces = bench.simulator.faces
        if declares_faces:
            bench.skip_unless_testable(bool(true_faces), "lists no `faces`")
            differ = true_faces.get("probe") != true_faces.get("reference")
            bench.skip_unless_testable(differ, "has the same `faces` for probe and reference")
        has_boxes = False
        for operation, situation in bench.available_cases((*PASSING.values(), Situation.TWO_FACES)):
            result = bench.call_verifier(operation, situation).require_result()
            boxes_by_picture = {
                picture_name: [face.box for face in faces if face.box]
                for picture_name, faces in _faces_by_picture(result).items()
            }
            if not any(boxes_by_picture.values()):
                continue
            has_boxes = True
            assert declares_faces, "it returns face boxes, but does not declare `reports_faces`"
            if situation is Situation.TWO_FACES:
                probe_count = len(boxes_by_picture["probe"])
                reference_count = len(boxes_by_picture["reference"])
                is_told = probe_count >= 2 and reference_count < 2
                assert is_told, f"not two boxes and one, but {list(boxes_by_picture.values())}"
                continue
            request = bench.make_request(operation, situation)
            for picture_name, boxes in boxes_by_picture.items():
                image = getattr(request, picture_name, None)
                if image is None:  # a liveness check has no reference
                    continue
                true_boxes = true_faces.get(picture_name, ())
                # An engine finds a face nearly; an answer is read exactly, but for rounding.
                is_engine = isinstance(bench.simulator, EngineSimulator)
                is_right = _boxes_match(boxes, true_boxes, image, 1 / 4 if is_engine else 1 / 20)
                label = f"the faces of the {picture_name} are at {true_boxes}"
                assert is_right, f"{label}, not {boxes}"
        bench.skip_unless_applicable(declares_faces, "does not report face boxes")
        assert has_boxes, "`reports_faces` is declared, but no result has a face box"

    @rule("R51")
    def test_r14_largest_face_decides(self, bench: Bench) -> None:
        """The score is the largest face's. If only a smaller face matches, the result is never a
        match: it is a review if the vendor scores that face, with `SMALLER_FACE_MATCHED`.

        Otherwise a stranger passes by holding the victim's document before the camera.
        """
        compares = fm.Operation.MATCH in bench.operations
        bench.skip_unless_applicable(compares, "does not compare faces")
        bench.skip_unless_available(Situation.SMALLER_FACE_MATCHES)
        # Without the verifier, whose checks could hide a match.
        result = bench.call_backend(
            fm.Operation.MATCH, Situation.SMALLER_FACE_MATCHES
        ).require_result()
        is_match = result.decision is fm.Decision.MATCH
        assert not is_match, "a match, although the largest face is not"
        threshold = bench.expected_threshold(fm.Operation.MATCH, None)
        codes = {warning.code for warning in result.warnings}
        for picture_name, faces in _faces_by_picture(result).items():
            _check_compared_face(faces, picture_name, result.score)
            for face in faces:
                if threshold is None or face.similarity is None:
                    continue
                if not threshold.passes(face.similarity.value):
                    continue
                if result.score is not None:
                    assert_equal("the decision", result.decision, fm.Decision.REVIEW)
                is_told = fm.WarningCode.SMALLER_FACE_MATCHED in codes
                assert is_told, "a smaller face matches, but SMALLER_FACE_MATCHED is missing"


def _faces_by_picture(result: Result) -> dict[str, tuple[models.Face, ...]]:
    """Return the faces of a result by picture, probe first; empty for a picture without any."""
    return {name: tuple(getattr(result, f"{name}_faces", None) or ()) for name in PICTURES}


def _check_compared_face(
    faces: Sequence[models.Face], picture_name: str, score: fm.Score | None
) -> None:
    """Assert that the largest face of a picture is the compared one, and that the score is its."""
    has_similarities = any(face.similarity for face in faces)
    compared = [face for face in faces if face.compared]
    if has_similarities and score is not None:
        assert compared, f"no face of the {picture_name} is `compared`"
    for face in compared:
        largest_area = max(each.area for each in faces)
        is_largest = face.area == largest_area
        assert is_largest, f"the compared face of the {picture_name} is not the largest"
        if has_similarities:
            label = f"the similarity of the compared face of the {picture_name}"
            assert_equal(label, face.similarity, score)


def _boxes_match(
    boxes: Sequence[models.Box], true_boxes: Sequence[models.Box], image: fm.Image, tolerance: float
) -> bool:
    """Return whether boxes match the true ones, with edges within a part of a face width."""
    if len(boxes) != len(true_boxes):
        return False
    edges_of_boxes = sorted(_edges_as_fractions(box, image) for box in boxes)
    edges_of_faces = sorted(_edges_as_fractions(box, image) for box in true_boxes)
    for box_edges, face_edges in zip(edges_of_boxes, edges_of_faces, strict=True):
        left, _, right, _ = box_edges
        for box_edge, face_edge in zip(box_edges, face_edges, strict=True):
            if not math.isclose(box_edge, face_edge, abs_tol=(right - left) * tolerance):
                return False
    return True


def _edges_as_fractions(box: models.Box, image: fm.Image) -> tuple[float, float, float, float]:
    """Return the left, top, right and bottom as fractions of the picture's sides."""
    if box.unit == "ratio":
        return box.left, box.top, box.right, box.bottom
    image_width, image_height = image.upright_size
    width = box.of_width or image_width
    height = box.of_height or image_height
    return box.left / width, box.top / height, box.right / width, box.bottom / height


@attrs.frozen
class ReplyBody:
    """A body that a vendor, its server or a gateway may return."""

    name: str
    content: bytes
    is_json: bool


def reply_bodies() -> list[ReplyBody]:
    """Return response bodies of every form.

    Most contain a key-like string, and error codes that no vendor documents.
    """
    sentence = f"It is so, said {CANARY}."
    long_text = "It is so. " * (LONG_TEXT_LENGTH // 10)
    documents = {
        "an error": {"error": sentence, "code": "kit-code-70531", "trace": {"request": CANARY}},
        "a detail": {"detail": sentence, "message": sentence},
        "fields": {"probe": [sentence], "reference": [CANARY]},
        "a list": [sentence],
        "a long text": {"message": long_text, "sub_code": CANARY},
        "an empty object": {},
        "null": None,
    }
    bodies = []
    for name, document in documents.items():
        bodies.append(ReplyBody(name, json.dumps(document).encode(), is_json=True))
    page = f"<html><h1>Bad Gateway</h1>{sentence}</html>".encode()
    truncated = b'{"error": "' + sentence.encode()
    bodies.append(ReplyBody("an HTML page", page, is_json=False))
    bodies.append(ReplyBody("an empty body", b"", is_json=False))
    bodies.append(ReplyBody("truncated JSON", truncated, is_json=False))
    bodies.append(ReplyBody("invalid UTF-8", b"\xff\xfe\x00" + sentence.encode(), is_json=False))
    return bodies


#: The path to a value in a document: object keys and list indexes, outermost first.
ValuePath = tuple[str | int, ...]
#: Replaces a value that is to be removed with its key.
REMOVED = object()


def _is_percentage_or_fraction(raw: float, percentage: float) -> bool:
    return math.isclose(raw, percentage, abs_tol=1e-6) or math.isclose(
        100 * raw, percentage, abs_tol=1e-6
    )


def values_in(document: object, path: ValuePath = ()) -> Iterator[tuple[ValuePath, Any]]:
    """Yield every value below `document` with its path, outer values first."""
    items: Any = ()
    if isinstance(document, Mapping):
        items = document.items()
    elif isinstance(document, list):
        items = enumerate(document)
    for step, value in items:
        yield (*path, step), value
        yield from values_in(value, (*path, step))


def replace_value(document: Any, path: ValuePath, value: Any) -> Any:
    """Return a copy of `document` with `value` at `path`; REMOVED removes the key."""
    if not path:
        return value
    step, *inner_path = path
    changed = copy.copy(document)
    if value is REMOVED and not inner_path:
        del changed[step]
    else:
        changed[step] = replace_value(document[step], tuple(inner_path), value)
    return changed


def number_in(value: Any) -> float | None:
    """Return a number or numeric string as a float; None for anything else, even a boolean."""
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def check_settings(bench: Bench) -> None:
    """Assert what the backend declares about its address, its variables and its secrets."""
    backend = bench.backend
    is_name = re.fullmatch(r"[a-z][a-z0-9_.-]*", backend.name)
    assert is_name, f"the name {backend.name!r} does not match [a-z][a-z0-9_.-]*"
    settings = inspect.signature(type(backend)).parameters
    if "base_url" in settings:
        default_url = settings["base_url"].default
        # The simulator replaces it, so nothing else checks it.
        if isinstance(default_url, str) and default_url:
            check_base_url(default_url, allowed_hosts=backend.allowed_hosts)
            _check_host(bench, default_url)
    unknown = set(backend.environment_variables) - set(settings)
    assert not unknown, f"`environment_variables` names unknown settings: {unknown}"
    check_documented(backend.capabilities, bench.simulator.documented_capabilities)
    sandbox_settings = bench.simulator.sandbox_settings
    if sandbox_settings:
        environments = bench.open_backend(**sandbox_settings).session_environments
        label = f"`session_environments` with the settings {', '.join(sandbox_settings)}"
        assert_equal(label, ", ".join(environments) or "unknown", fm.Environment.SANDBOX)
    for name, text in bench.backend_secrets().items():
        is_listed = text in bench.simulator.secrets
        bench.require_of_simulator(is_listed, f"its `secrets` do not include {name}")


def check_documented(capabilities: Any, documented: Mapping[str, Any]) -> None:
    """Raise `Difference` if a capability has another value than the documents."""
    for name, value in documented.items():
        if not hasattr(capabilities, name):
            raise SimulatorMistake(
                f"`documented_capabilities` has {name!r}, no field of {type(capabilities).__name__}"
            )
        declared = getattr(capabilities, name)
        if declared != value:
            raise Difference(
                f"`{name}` of the backend is {declared}, and `documented_capabilities` of the "
                f"simulator has {value}"
            )


def _check_host(bench: Bench, default_url: str) -> None:
    """Raise `Difference` if the host of the default URL is none that the simulator knows."""
    hosts = bench.simulator.vendor_hosts
    host = urlsplit(default_url).hostname or ""
    if hosts and not is_loopback(host) and not is_allowed_host(host, hosts):
        raise Difference(
            f"the default of `base_url` is on the host {host}, and the vendor's hosts in "
            f"{type(bench.simulator).__name__} are {', '.join(sorted(hosts))}: only one of them "
            "may get the key and the faces"
        )


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
        no_verdict_statuses: Container[int] = STATUSES
        if Situation.NO_FACE in bench.simulator.situations:
            cases = bench.available_cases([Situation.NO_FACE, Situation.TWO_FACES])
            no_verdict_statuses = [
                Recording.of(bench, operation, situation).reply.status
                for operation, situation in cases
            ]
        for operation in bench.operations:
            recording = Recording.of(bench, operation, PASSING[operation])
            for step in range(len(recording.replies), 0, -1):
                attrs.evolve(recording, step=step).check_every_status_and_body(no_verdict_statuses)
            # The good response of any simulator passes this threshold.
            passing = Recording.of(bench, operation, PASSING[operation], threshold=1.0)
            not_passing = Recording.of(bench, operation, NOT_PASSING[operation], threshold=1.0)
            passing.check_each_value_changed(not_passing)

    @rule("R38")
    def test_r60_details_may_have_any_form(self, bench: Bench) -> None:
        """A value that decides nothing, such as a box, an angle, a time or an id, may have any form
        or be missing: the result keeps its decision, score, status and threshold.

        The answer is paid for, and vendors add, drop and retype such values without notice. R38
        alone would accept a backend that refuses whatever it does not expect. If such a value is
        the only proof of a face, say so: ``not_tested = {"R60 liveness": "..."}``.
        """
        is_http = isinstance(bench.backend, HttpBackend)
        bench.skip_unless_applicable(
            is_http, "is not an HttpBackend, so responses cannot be changed"
        )
        run_parts(
            bench,
            *(functools.partial(self._r60_details, operation=each) for each in bench.operations),
        )

    def _r60_details(self, bench: Bench, operation: fm.Operation) -> None:
        reason = self.not_tested.get(f"R60 {operation}")
        if reason is not None:
            pytest.skip(f"{benches.NOT_TESTED}{reason}")
        recording = Recording.of(bench, operation, PASSING[operation])
        for step in range(len(recording.replies), 0, -1):
            attrs.evolve(recording, step=step).check_details()


#: The result or the error of a call, or neither if the call needs more replies.
Reading = tuple[Result | None, fm.VendorError | None]


@attrs.frozen
class DecisiveValues:
    """The values of a response that its result follows."""

    #: The score's value, by its path.
    scores: dict[ValuePath, object]
    #: The paths of verdicts, and of the objects that enclose them: without these there is none.
    verdicts: set[ValuePath]


@attrs.frozen
class Recording:
    """A recorded call with its responses; methods replace the response at `step`."""

    bench: Bench
    request: PictureRequest
    http_requests: Sequence[HttpRequest]
    replies: Sequence[HttpReply]
    #: Counted from 1.
    step: int

    @classmethod
    def of(
        cls,
        bench: Bench,
        operation: fm.Operation,
        situation: Situation,
        threshold: float | None = None,
    ) -> Recording:
        """Record a call, with `step` at its last request.

        The same call is made once before, so that no renewal of a token is recorded. Raises if the
        recorded one has no result, but in NO_FACE.
        """
        bench.skip_unless_available(situation)
        request = bench.make_request(operation, situation, threshold=threshold)
        bench.simulator.set_situation(situation)
        first_request = bench.make_request(operation, situation, threshold=threshold)
        bench.run_request(first_request)
        with bench.record_exchanges() as exchanges:
            outcome = bench.run_request(request)
        # A vendor may report a missing face as a rejection.
        if situation is not Situation.NO_FACE:
            outcome.require_result()
        bench.skip_unless_testable(exchanges, "gets no request from the backend's `client`")
        return cls(
            bench=bench,
            request=request,
            http_requests=[exchange.request for exchange in exchanges],
            replies=[exchange.reply for exchange in exchanges],
            step=len(exchanges),
        )

    @property
    def reply(self) -> HttpReply:
        """The response at `step`."""
        return self.replies[self.step - 1]

    @property
    def _is_billed(self) -> bool:
        return self.request.operation in self.bench.capabilities.billed_operations

    def _request_is_charged(self) -> bool:
        """Return whether the request at `step` is declared as charged."""
        return self._is_billed and bool(self.http_requests[self.step - 1].charges)

    def _is_charged_so_far(self) -> bool:
        """Return whether the request at `step`, or an earlier one, is declared as charged."""
        requests = self.http_requests[: self.step]
        return self._is_billed and any(request.charges for request in requests)

    def read_changed(self, path: ValuePath, text: str | None) -> Reading:
        """Read the response with the value at `path` replaced by raw `text`; None removes it."""
        return self.read(*self._body_with(path, text))

    def _body_with(self, path: ValuePath, text: str | None) -> tuple[str, bytes]:
        """Return a description of a change and the changed body; see `read_changed`."""
        before = self.reply.at(*path)
        after = "nothing" if text is None else text[:60]
        change = f"with `{'.'.join(map(str, path))}` changed from {before!r:.60} to {after}"
        if text is None:
            changed = json.dumps(replace_value(self.reply.at(), path, REMOVED))
        else:
            # A text may be no valid JSON, so it takes the place of a string that is.
            placeholder = "(placeholder)"
            changed = json.dumps(replace_value(self.reply.at(), path, placeholder))
            changed = changed.replace(f'"{placeholder}"', text)
        return change, changed.encode()

    def read(self, description: str, body: bytes, **reply_fields: Any) -> Reading:
        """Return the outcome of the call with this response at `step`.

        It is neither a result nor an error if the call needs more responses.
        """
        self._describe(description)
        changed = attrs.evolve(self.reply, body=body, **reply_fields)
        replies = [*self.replies[: self.step - 1], changed]
        backend: Any = self.bench.backend
        has_enough_replies = True
        try:
            answer = backend.read_reply(self.request, *replies)
        except ValueError:  # the call needs more replies
            has_enough_replies = False
            # A call may poll: further polls receive the good response.
            replies += self.replies[self.step :]
            replies += [self.replies[-1]] * 20
            try:
                answer = backend.read_reply(self.request, *replies)
            except ValueError:
                return None, None
        if isinstance(answer, fm.VendorError):
            self.bench.context += f": {type(answer).__name__}"
            self._check_charge_and_retry(answer)
            return None, answer
        if answer.score is not None and answer.score.raw is not None:
            numbers = set()
            for reply in replies:
                numbers |= {number_in(value) for _, value in values_in([reply.at()])}
            raw = answer.score.raw
            assert raw in numbers, f"`score.raw` is {raw}, which is in no response"
        return answer if has_enough_replies else None, None

    def _describe(self, description: str) -> None:
        """Name the changed response in failure messages."""
        label = f"{self.request.operation}, "
        if len(self.replies) > 1:
            label += f"request {self.step} of {len(self.replies)} "
        self.bench.context = f"{label}answered {description}"

    def _check_charge_and_retry(self, error: fm.VendorError) -> None:
        """Assert that an error's charge, wait and `retryable` are consistent."""
        if isinstance(error, fm.OutcomeUnknown):
            allowed = {fm.Charged.UNKNOWN}
        else:
            allowed = {fm.Charged.YES, fm.Charged.NO}
            # A refusal is a known outcome, even if its price is not documented, see R16.
            if self.bench.simulator.price_unknown.intersection(FAILURES):
                allowed.add(fm.Charged.UNKNOWN)
        if self.step > 1:
            # An earlier request was accepted, so an error may also tell what that one has cost,
            # even if it is an OutcomeUnknown.
            allowed.add(fm.Charged.YES if self._is_charged_so_far() else fm.Charged.NO)
        benches.check_charge("the charge", error, allowed)
        self.bench.check_retry(error)

    def check_every_status_and_body(self, no_verdict_statuses: Container[int]) -> None:
        """Judge the outcomes for responses with every status and every form of body.

        In `no_verdict_statuses`, a response may become a result that does not pass.
        """
        waits = itertools.cycle(RETRY_AFTER_VALUES)
        bodies = reply_bodies()
        cases = list(itertools.product(STATUSES, bodies))
        if not self._request_is_charged() and len(self.replies) > 1:  # a free step
            cases = list(zip(STATUSES, itertools.cycle(bodies), strict=False))
        for status, body in cases:
            headers = {**self.reply.headers, "Retry-After": next(waits)}
            result, error = self.read(
                f"{status} with {body.name}", body.content, status=status, headers=headers
            )
            if error is not None:
                self._check_error_text_and_charge(error, status, body)
            elif result is not None and status not in self._accepted_statuses:
                may_be_result = status in no_verdict_statuses
                text = f"it becomes the result {result.decision}, not an error"
                assert may_be_result, text
                assert result.decision not in PASS.values(), text

    @property
    def _accepted_statuses(self) -> Container[int]:
        """The statuses in which the request at `step` is accepted."""
        return self.http_requests[self.step - 1].expects

    def _check_error_text_and_charge(
        self, error: fm.VendorError, status: int, body: ReplyBody
    ) -> None:
        """Assert that an error quotes little of the response, and claims no more than it says."""
        text = f"{error} {error!r} {vars(error)}"
        assert CANARY not in text, "the error contains a string that looks like a key"
        assert len(str(error)) < LONG_TEXT_LENGTH / 2, "the error repeats the whole body"
        assert "backend failed to read" not in text, f"its own code fails: {error}"
        is_free = error.billing.charged is fm.Charged.NO
        if status in self._accepted_statuses:
            # The vendor did the work, and only its body cannot be read.
            if self._is_charged_so_far():
                assert not is_free, "reported as free, but the vendor charges it"
            return
        assert status >= 300 or not error.retryable, "the error is retryable"
        if status < 500:
            return
        blames_caller = isinstance(error, CALLERS_ERRORS)
        assert not blames_caller, "the error blames the caller, but the vendor failed"
        if not body.is_json and self._request_is_charged():
            # Perhaps a gateway's response, which does not tell whether the vendor did the work.
            assert not is_free, "reported as free, but the vendor did not say so"

    def check_each_value_changed(self, not_passing: Recording) -> None:
        """Change one value of the good response at a time; try every change to its verdict."""
        document = self.reply.at()
        is_document = isinstance(document, (dict, list))
        self.bench.skip_unless_testable(is_document, "returns neither a JSON object nor a list")
        original, error = self.read("as before", self.reply.body)
        assert original is not None, f"the same response is not read again: {error!r}"
        decisive = self._find_decisive_values(original)
        has_scale = bool(self.bench.score_scale(self.request.operation))
        self.bench.skip_unless_testable(
            decisive.scores or not has_scale, "has no score in its responses"
        )
        self._check_only_numbers_score(original, decisive.scores)
        values = dict(values_in(document))
        # A few hundred changes are enough.
        changes_per_test = 1 + len(values) * len(JSON_VALUES) // 400
        change_count = itertools.count()
        for path, value in values.items():
            is_decisive = path in decisive.verdicts
            for text in self._replacement_texts(path, value, is_decisive, not_passing):
                if not is_decisive and next(change_count) % changes_per_test:
                    continue
                result, _ = self.read_changed(path, text)
                if result is None or result.decision not in PASS.values():
                    continue
                has_score = result.score is not None
                assert has_score or not has_scale, (
                    f"the result is still {result.decision}, without a score"
                )
                # A vendor may omit its verdict, but another value must not pass.
                is_omitted = text is None and result.vendor_status is None
                assert is_omitted or not is_decisive, f"the result is still {result.decision}"

    def check_details(self) -> None:
        """Give each value that decides nothing other forms; the verdict must stay."""
        document = self.reply.at()
        verdict = self._verdict_with((), json.dumps(document))
        assert verdict is not None, "the same response is not read again"
        lost = dict[str, str]()
        for path in self._find_details(document, verdict):
            texts: list[str | None] = ["null", "[]", '{"kit": 1}', '"kit"', "true"]
            if isinstance(path[-1], str):
                texts.append(None)  # an edge of a box in a list cannot be missing
            if number_in(self.reply.at(*path)) is None:
                texts.append("-7.5")
            for text in texts:
                if self._verdict_with(path, text) != verdict:
                    lost.setdefault(path_text(path), text or "nothing")
        self.bench.context = f"{self.request.operation}"
        assert not lost, (
            f"{len(lost)} fields decide nothing, but in another form they lose the verdict: "
            f"{', '.join(f'{field} as {text}' for field, text in lost.items())}"
        )

    def _find_details(self, document: object, verdict: object) -> list[ValuePath]:
        """Return the paths of values that decide nothing: others of the same form keep the verdict.

        Some may be refused, such as an angle of 91. A list or object decides nothing if no value in
        it decides. Exceptions, because a backend may count them: an empty one, a list of lists or
        objects, and an object in a list. A value that a later request repeats decides, too.
        """
        sent_later: list[object] = []
        for request in self.http_requests[self.step :]:
            for _, value in values_in([request.json, request.fields, request.params]):
                sent_later += [value, [value]]  # the embedding of the only face is listed alone
        details = list[ValuePath]()
        for path, value in reversed(list(values_in(document))):
            if value in sent_later:
                continue
            if isinstance(value, (dict, list)):
                children = [inner for inner, _ in values_in(value, path) if inner[:-1] == path]
                is_counted = isinstance(value, dict) and isinstance(path[-1], int)
                if isinstance(value, list):
                    is_counted = any(isinstance(item, (dict, list)) for item in value)
                is_detail = not is_counted and bool(children) and set(details) >= set(children)
            else:
                verdicts = {self._verdict_with(path, json.dumps(v)) for v in _values_like(value)}
                is_detail = verdicts - {None} == {verdict}
            if is_detail:
                details.append(path)
        return details

    def _verdict_with(self, path: ValuePath, text: str | None) -> object:
        """Return what a caller decides by with raw `text` at `path`; None if it is refused."""
        description, body = self._body_with(path, text)
        self._describe(description)
        changed = attrs.evolve(self.reply, body=body)
        replies = [*self.replies[: self.step - 1], changed, *self.replies[self.step :]]
        backend: Any = self.bench.backend
        try:
            answer = backend.read_reply(self.request, *replies)
        except ValueError:  # the call needs more replies
            return None
        if isinstance(answer, fm.VendorError):
            return None
        # Two scores are equal whatever their `raw`.
        score = (answer.score, _raw_score(answer))
        return answer.decision, score, answer.threshold, answer.vendor_status

    def _replacement_texts(
        self, path: ValuePath, value: object, is_decisive: bool, not_passing: Recording
    ) -> list[str | None]:
        """Return replacements of a value as JSON, without the value itself; None removes it."""
        value_text = json.dumps(value)
        texts: list[str | None] = [*JSON_VALUES, f"[{value_text}]", f'{{"value": {value_text}}}']
        texts.append(None)
        if is_decisive and isinstance(value, str):
            for other in (f"not {value}", f"{value} pending", f"{value}_not"):
                texts.append(json.dumps(other))
            texts.append(json.dumps(not_passing.reply.at(*path)))
        return [text for text in texts if text != value_text]

    def _check_only_numbers_score(self, original: Result, scores: dict[ValuePath, object]) -> None:
        """Assert that anything but a number gives an error, or neither a score nor a pass.

        A score that was taken away may leave the vendor's pass.
        """
        for path, value in scores.items():
            number = json.dumps(value)
            number_as_text = json.dumps(str(value))
            # If the vendor sends numbers as text, the same text would be no change.
            other_type = '"high"' if isinstance(value, str) else number_as_text
            texts = [None, "true", "NaN", "1e999", "[]", "{}", other_type, f"[{number}]"]
            texts += [f'"{value}%"', f'"{value} of 100"', f'{{"value": {number}}}']
            for text in texts:
                result, error = self.read_changed(path, text)
                if error is not None:
                    self.bench.check_unreadable(self.request.operation, error)
                if result is None:
                    continue
                has_warned = len(result.warnings) > len(original.warnings)
                if text == number_as_text and result.score == original.score and has_warned:
                    continue  # A numeric string was read as a number, with a warning.
                assert_equal("the score", result.score, None)
                if text is not None:  # R02 tests the vendor's verdict without a number
                    assert result.decision not in PASS.values(), (
                        f"the decision is {result.decision}"
                    )

    def _find_decisive_values(self, original: Result) -> DecisiveValues:
        """Find the score and the verdicts, by changing each value that looks like one."""
        scores: dict[ValuePath, object] = {}
        verdicts = set[ValuePath]()
        number = _raw_score(original)
        for path, value in values_in(self.reply.at()):
            is_score = number is not None and number_in(value) == number
            is_status = isinstance(value, str) and value == original.vendor_status
            replacement: object
            if is_score:
                half = (number or 0) / 2
                replacement = str(half) if isinstance(value, str) else half
            elif is_status:
                replacement = "another word"
            elif isinstance(value, bool):
                replacement = not value
            else:
                continue
            changed, _ = self.read_changed(path, json.dumps(replacement))
            is_followed = changed is not None and (
                _raw_score(changed) != number
                or changed.vendor_status != original.vendor_status
                or changed.decision is not original.decision
            )
            is_refused = is_status and changed is None
            if is_score and is_followed:
                scores[path] = value
            elif is_followed or is_refused:
                for length in range(1, len(path) + 1):
                    verdicts.add(path[:length])
        return DecisiveValues(scores, verdicts)


#: Patterns of the last digit and the last letter of a text, and what takes their place.
_OTHER_ENDS = (
    (r"\d(?=\D*$)", "7"),
    (r"\d(?=\D*$)", "8"),
    (r"[A-Za-z](?=[^A-Za-z]*$)", "a"),
    (r"[A-Za-z](?=[^A-Za-z]*$)", "b"),
)


def _values_like(value: Any) -> set[Any]:
    """Return other values of the same form: another time for a time, another id for an id."""
    if isinstance(value, str):
        return {re.sub(pattern, end, value) for pattern, end in _OTHER_ENDS} - {value}
    if isinstance(value, bool):
        return {not value}
    if value is None:
        return set()
    # 0 may mean that there is no face; 90 is another quarter turn.
    return {type(value)(other) for other in (value + 1, value / 2, 0, 90, 180)} - {value}


def _raw_score(result: Result) -> float | None:
    """Return the number that the vendor wrote, or the score's value if it is not known."""
    if result.score is None:
        return None
    return result.score.value if result.score.raw is None else result.score.raw
