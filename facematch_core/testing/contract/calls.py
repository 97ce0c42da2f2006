"""R51, R02, R12, R13: what a result says, who passes, and where faces are."""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import re
from collections.abc import Sequence
from typing import Any

import facematch_core as fm
from facematch_core import models
from facematch_core.base.addresses import check_base_url
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import FAIL, PASS, Bench, Result, Rules, judge_parts, rule, same
from facematch_core.testing.simulator import BAD, GOOD, Situation, required
from facematch_core.verifier.pipeline import PICTURES

#: The ends of the scale, a score that looks like a fraction, some that fewer bits or decimals
#: would change, and whole per cents that a fraction times 100 misses.
SCORES = (0.0, 0.87, 1.0, 7.0, 12.5, 28.0, 29.0, 49.996, 50.1, 57.0, 61.23, 88.5, 99.99999, 100.0)
#: Answers without a usable number, each with the thresholds that are sent.
UNSCORED = {Situation.NULL_SCORE: (None, 40.0), Situation.IMPOSSIBLE_SCORE: (10.0,)}
#: The scores that a threshold is put beside.
EDGES = (0.0, 0.87, 28.0, 50.1, benches.MIDDLE, 100.0)


class CallRules(Rules):
    """Rules about results: who gave them, who passes, and where faces are."""

    @rule()
    def test_r51_good_call_is_answered(self, bench: Bench) -> None:
        """A good call passes by the vendor's answer to it, and the result says who gave it.

        Every other rule builds on it. An answer that is kept lets the next visitor in, and an
        auditor must see which vendor decided about which request.
        """
        judge_parts(bench, self._r51_what_is_declared, self._r51_good_calls)

    def _r51_what_is_declared(self, bench: Bench) -> None:
        backend, can, simulator = bench.backend, bench.can, bench.simulator
        fits = re.fullmatch(r"[a-z][a-z0-9_.-]*", backend.name)
        assert fits, f"the name {backend.name!r} is not a small letter, then those, 0-9 and _.-"
        assert bench.operations, "it declares no operation"
        billed = can.billed_operations - can.operations
        assert not billed, f"billed, but not among the operations: {', '.join(billed)}"
        settings = inspect.signature(type(backend)).parameters
        usual = settings["base_url"].default if "base_url" in settings else None
        if isinstance(usual, str) and usual:  # the simulator sets another one
            check_base_url(usual, allowed_hosts=backend.allowed_hosts)
        unknown = {*backend.environment_variables} - {*settings}
        assert not unknown, f"environment variables for settings that do not exist: {unknown}"
        unnamed = [name for name, text in bench.secrets() if text not in simulator.secrets]
        if unnamed:
            raise benches.SimulatorMistake(f"its `secrets` lack the secret in {', '.join(unnamed)}")
        if missing := sorted(s.name for s in required(can) - simulator.situations):
            raise benches.SimulatorMistake(f"it must produce {', '.join(missing)}")
        for operation in set(GOOD) - can.operations:
            outcome = bench.ask_directly(operation, GOOD[bench.operations[0]])
            refused = isinstance(outcome.error, fm.Unsupported) and not outcome.requests
            assert refused, f"{operation} is not declared, and gives {outcome.summary}"

    def _r51_good_calls(self, bench: Bench) -> None:
        for operation, situation in bench.cases(GOOD.values()):
            results, replies = list[Result](), list[bytes]()
            for _ in range(2):
                with bench.overhear() as steps:
                    results.append(bench.ask(operation, situation).answer)
                replies += [reply.body for _, reply in steps[-1:]]
            result, vendor_id = results[-1], results[-1].ids.vendor
            same("the decision", result.decision, PASS[operation])
            same("`backend` of the result", result.backend, bench.backend.name)
            if result.environment is not fm.Environment.MOCK:
                same("`environment`", result.environment, bench.backend.environment)
            if vendor_id is not None and vendor_id == results[0].ids.vendor:
                if replies and all(vendor_id.encode() in body for body in replies):
                    raise benches.SimulatorMistake(f"it answers every call with the id {vendor_id}")
                raise AssertionError(f"two calls have the same `ids.vendor`, {vendor_id}")
            later, earlier = (
                bench.ask(operation, BAD[operation]).result,
                (result.decision, vendor_id),
            )
            is_kept = later is not None and (later.decision, later.ids.vendor) == earlier
            assert not is_kept, "the result is that of an earlier call"

    @rule("R51")
    def test_r02_score_lies_on_its_scale(self, bench: Bench) -> None:
        """Decision and score are the vendor's own, on the declared scale and by the declared
        threshold rule; what is missing, impossible or no number is no score, and nobody passes
        by it; without a face there is no verdict.

        0.87 of 100, read as a fraction, becomes a match. 250 of 100 means that the answer was
        misread. 0 for a missing number says "two people" where the vendor said nothing, and "no
        match" accuses somebody whose photograph was cut off.
        """
        unscored = [functools.partial(self._r02_unscored, case=case) for case in UNSCORED]
        judge_parts(
            bench,
            self._r02_verdicts,
            self._r02_vendors_number,
            *unscored,
            self._r02_edge,
            self._r02_named_threshold,
            self._r02_nobody,
        )

    def _r02_verdicts(self, bench: Bench) -> None:
        # Every call is of the same visitor: a pass must not be remembered for the next call.
        for operation in reversed(bench.operations):
            scale = bench.scale(operation)
            for situation, due in ((GOOD[operation], PASS), (BAD[operation], FAIL)):
                result = bench.ask(operation, situation, caller_ref="visitor 7").answer
                same("the decision", result.decision, due[operation])
                if (score := result.score) is not None:
                    same("the scale of the score", score.scale, scale)
                    assert score.source is not None, "no `source` says how the scale is known"
                elif situation is GOOD[operation]:
                    same("the scale that is declared, of a pass without a score,", scale, None)
        match, spoof = fm.Operation.MATCH, Situation.SPOOF
        # A vendor that checks faces as well may say nothing of a spoof in a comparison.
        if bench.operations != [match] or spoof in bench.simulator.cannot_happen:
            return
        bench.need(spoof)
        for threshold in (None, 0.0):
            decision = bench.ask(match, spoof, threshold=threshold).answer.decision
            assert decision is not PASS[match], "a match, and the answer calls the probe a spoof"

    def _r02_vendors_number(self, bench: Bench) -> None:
        scaled = bench.scaled()
        bench.need(Situation.SCORE)
        for operation, value in itertools.product(scaled, SCORES):
            score = bench.ask(operation, Situation.SCORE, score=value).answer.score
            assert score is not None, f"the vendor said {value}, the result says None"
            # A fraction that was made a percentage changes by less, a whole one not at all; a
            # number of another form, a cosine for example, by what its arithmetic loses.
            is_rescaled = score.raw is not None and abs(score.raw - value) > 1e-6
            off = 1e-9 if is_rescaled else 0.0 if value.is_integer() else 1e-12
            close = math.isclose(score.value, value, rel_tol=off, abs_tol=off)
            assert close, f"the vendor said {value} of 100, and the score is {score.value}"

    def _r02_unscored(self, bench: Bench, case: Situation) -> None:
        """No score and no verdict by one comes out; or an error, at its price."""
        is_null = case is Situation.NULL_SCORE
        for operation in bench.operations_for(case):
            bench.ask(operation, GOOD[operation])  # whose score may be left behind
            for threshold in UNSCORED[case]:
                outcome = bench.ask_directly(operation, case, threshold=threshold)
                if isinstance(outcome.error, fm.UnexpectedResponse):
                    bench.judge_unreadable(operation, outcome.error)
                    continue
                same("the score", outcome.answer.score, None)
                wrong = [FAIL[operation]] * is_null
                # Without a scale only the verdict counts: no threshold is held against it.
                if threshold is not None and (bench.scale(operation) or not is_null):
                    wrong.append(PASS[operation])
                said = f"{outcome.summary} without a score, at {threshold}"
                assert outcome.answer.decision not in wrong, said

    def _r02_edge(self, bench: Bench) -> None:
        """At the threshold, a little below and above it; past the verifier's second look."""
        rule_ = bench.can.threshold_rule
        is_ours = rule_ is not models.ThresholdRule.VENDOR
        bench.applies_if(is_ours, "leaves the threshold rule to its vendor")
        for operation in bench.scaled():
            situation, setting, score = bench.find_score(operation)
            scores = [score] if setting is None else EDGES
            for score, step in itertools.product(scores, (-0.01, 0.0, 0.01)):
                edge = fm.Threshold(min(max(score + step, 0.0), 100.0), rule_)
                options: dict[str, Any] = {"score": setting and score, "threshold": edge.value}
                result = bench.ask_directly(operation, situation, **options).answer
                # A scale of another form is rounded.
                passes = edge.passes(score if result.score is None else result.score.value)
                right = (
                    (PASS[operation],) if passes else (FAIL[operation], benches.REVIEW[operation])
                )
                same(f"the score {score} at {edge.value}, {edge.rule},", result.decision, *right)

    def _r02_named_threshold(self, bench: Bench) -> None:
        for operation in bench.operations:
            sent: list[tuple[Any, Any]] = []
            for value in (None, benches.MIDDLE, 0.0, 100.0):
                named = bench.ask(operation, GOOD[operation], threshold=value).answer.threshold
                due = bench.threshold(operation, value)
                if due is None:
                    ours = named is not None and named.source is not models.ThresholdSource.VENDOR
                    assert not ours, f"the result names {named}, which nobody set"
                    continue
                same("the threshold in the result", named, due)
                sent.append((due.value, bench.simulator.received.get("threshold")))
            for limit, arrived in sent if any(number is not None for _, number in sent) else ():
                # Left out, the vendor's default would decide, and ours be reported.
                is_sent = arrived is not None and math.isclose(limit, arrived)
                assert is_sent, f"the threshold is {limit}, and the vendor was sent {arrived}"

    def _r02_nobody(self, bench: Bench) -> None:
        nobody, code = Situation.NO_FACE, fm.WarningCode
        for operation in bench.operations_for(nobody):
            pair = bench.simulator.pictures_for(nobody)
            # If the pictures decide, the other one shows no face.
            orders = [pair, pair[::-1]] if operation is fm.Operation.MATCH else [pair]
            for images, value in itertools.product(orders, (None, 0.0)):
                result = bench.ask(operation, nobody, images=images, threshold=value).answer
                same("the decision", result.decision, benches.INCONCLUSIVE[operation])
                same("the score", result.score, None)
                codes = {warning.code for warning in result.warnings}
                right = code.NO_FACE in codes and code.LOW_SIMILARITY not in codes
                assert right, f"no face, and the warnings are {', '.join(codes)}"

    @rule("R51")
    def test_r12_two_faces_are_told(self, bench: Bench) -> None:
        """Faces are where the result says, each in its own picture; several in one give a warning,
        one of them at most is the compared one, and the right person among them is not refused.

        Whose face was compared is otherwise anybody's guess: a bystander can pass for the bearer.
        A reviewer cuts the box out of the photograph, and sees whoever is in it.
        """
        judge_parts(bench, self._r12_several_faces, self._r12_boxes)

    def _r12_several_faces(self, bench: Bench) -> None:
        two = Situation.TWO_FACES
        for operation in bench.operations_for(two):
            for situation in (two, GOOD[operation]):
                result = bench.ask(operation, situation).answer
                codes = {warning.code for warning in result.warnings}
                warns = fm.WarningCode.MULTIPLE_FACES in codes
                same("MULTIPLE_FACES", warns, situation is two)
                assert result.decision is not fm.Decision.NO_MATCH, "no match, with the right face"
                for place, found in zip(PICTURES, _faces(result), strict=True):
                    count = sum(face.compared is True for face in found)
                    assert count < 2, f"{count} faces of the {place} are `compared`: one was"
                faces = [face for each in _faces(result) for face in each]
                alike = [(f.similarity, f.compared is True) for f in faces if f.similarity]
                if (score := result.score) is not None and alike:
                    most = max(alike, key=lambda each: (each[0].value, each[1]))
                    right = most == (score, True)
                    assert right, f"the score {score.value} is not that of the most alike face"

    def _r12_boxes(self, bench: Bench) -> None:
        name, reports = bench.backend.name, bench.can.reports_faces
        shown, seen = bench.simulator.faces, False
        differ = shown.get("probe") != shown.get("reference") or not reports
        bench.tested_if(differ, "does not say in `faces` where each picture's face is")
        for operation, situation in bench.cases((*GOOD.values(), Situation.TWO_FACES)):
            result, call = bench.ask(operation, situation).answer, bench.call(operation, situation)
            boxes = [[face.box for face in faces if face.box] for faces in _faces(result)]
            if not any(boxes):
                continue
            assert reports, f"{name} says where faces are, and declares no `reports_faces`"
            seen = True
            if situation is Situation.TWO_FACES:
                assert len(boxes[0]) >= 2 > len(boxes[1]), f"two faces and one became {boxes}"
                continue
            for place, reported in zip(PICTURES, boxes, strict=True):
                if image := getattr(call, place, None):
                    meant = shown.get(place, ())
                    at = f"the faces of the {place} are at {meant}"
                    assert _fit(reported, meant, image), f"{at}, and the result has {reported}"
        bench.applies_if(reports, "does not say where faces are")
        assert seen, "`reports_faces` is declared, and no result says where a face is"

    @rule("R51")
    def test_r13_unknown_status_is_review(self, bench: Bench) -> None:
        """A word that nobody knows is kept, and nobody passes by it: an unknown verdict goes to a
        person, an unknown serious warning stays serious.

        Vendors add words without asking. One that means "held back" must not open a door because
        the score beside it is high, and the warning may be the new word for a deep fake.
        """
        judge_parts(bench, self._r13_unknown_status, self._r13_unknown_warning)

    def _r13_unknown_status(self, bench: Bench) -> None:
        word = bench.simulator.unknown_status
        for operation in bench.operations_for(Situation.UNKNOWN_STATUS):
            with bench.overhear() as steps:
                result = bench.ask_directly(operation, Situation.UNKNOWN_STATUS).answer
            if steps and not any(word.encode() in reply.body for _, reply in steps):
                raise benches.SimulatorMistake(
                    f"its answer in UNKNOWN_STATUS does not hold {word!r}"
                )
            same(f"the decision of {word!r}", result.decision, benches.REVIEW[operation])
            same("`vendor_status`", result.vendor_status, word)

    def _r13_unknown_warning(self, bench: Bench) -> None:
        tag, text = bench.simulator.unknown_warning
        for operation in bench.operations_for(Situation.UNKNOWN_WARNING):
            warnings = bench.ask(operation, Situation.UNKNOWN_WARNING).answer.warnings
            kept = [warning for warning in warnings if warning.tag == tag]
            assert kept, f"the warning {tag} is gone: {warnings}"
            for warning in kept:
                # A vendor that has codes alone has no text that could be kept.
                same(f"the text of {tag}", warning.text, text or warning.text)
                same(f"the code of {tag}", warning.code, fm.WarningCode.OTHER)
                assert warning.severity.is_grave, f"{tag} is grave, and is {warning.severity}"


def _faces(result: Result) -> list[tuple[models.Face, ...]]:
    return [tuple(getattr(result, f"{place}_faces", None) or ()) for place in PICTURES]


def _fit(boxes: Sequence[models.Box], where: Sequence[models.Box], image: fm.Image) -> bool:
    """Whether the boxes are those of `where`, with edges at most a quarter of a face away."""
    width, height = image.upright_size

    def edges(box: models.Box) -> tuple[float, ...]:
        """Return left, top, right and bottom in parts of the picture's sides."""
        wide, high = box.of_width or width, box.of_height or height
        wide, high = (1, 1) if box.unit == "ratio" else (wide, high)
        return box.left / wide, box.top / high, box.right / wide, box.bottom / high

    pairs = zip(sorted(map(edges, boxes)), sorted(map(edges, where)), strict=False)
    return len(boxes) == len(where) and all(
        math.isclose(side, edge, abs_tol=(face[2] - face[0]) / 4)
        for box, face in pairs
        for side, edge in zip(box, face, strict=True)
    )
