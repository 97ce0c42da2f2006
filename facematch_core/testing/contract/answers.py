"""R01, R02, R05-R07, R11-R13, R48, R51: what a result says, who passes, where faces are."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import json
import math
import re
import time
from collections.abc import Sequence
from typing import Any

import facematch_core as fm
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import FAIL, INCONCLUSIVE, MIDDLE, PASS, REVIEW, Bench, Result
from facematch_core.testing.bodies import places
from facematch_core.testing.simulator import BAD, GOOD, Situation, required
from facematch_core.verifier.pipeline import PICTURES

from ._frame import Rules, rule
from .mapping import judge_what_is_no_number

#: Scores at the ends of the scale, one that looks like a fraction, some that fewer bits or decimals
#: would move, and whole per cents that a fraction times 100 misses.
SCORES = (0.0, 0.87, 1.0, 7.0, 12.5, 28.0, 29.0, 49.996, 50.1, 57.0, MIDDLE, 88.5, 99.99999, 100.0)


#: What a warning says of an answer without a score that counts.
UNSCORED = (fm.WarningCode.SCORE_UNAVAILABLE, fm.WarningCode.SCORE_NOT_SIMILARITY)


class AnswerRules(Rules):
    """What a result says, and that it means what it says."""

    @rule()
    def test_r51_good_call_is_answered(self, bench: Bench) -> None:
        """A good call gives a result within a second, made of the vendor's answer to this call.

        Every rule builds on it: if it fails, most of them are not judged. A call that takes longer
        makes the kit take half an hour; an answer that is kept lets the next visitor in.
        """
        for operation, situation in bench.cases(GOOD.values()):
            fastest_s = math.inf
            for _ in range(2):  # the first one may load an engine
                began = time.monotonic()
                result = bench.ask(operation, situation).answer
                fastest_s = min(fastest_s, time.monotonic() - began)
            assert fastest_s <= benches.CALL_S, (
                f"a good {operation} call took {fastest_s:.1f} s at the simulator on this machine, "
                f"and may take {benches.CALL_S:g} s: a backend waits by `yield Wait(seconds)`, "
                "which takes no time here, a simulator answers at once"
            )
            other, vendor_id = BAD[operation], result.ids.vendor
            if other in bench.simulator.situations and vendor_id is not None:
                later = bench.ask(operation, other).result
                answer = vendor_id, result.decision
                is_kept = later is not None and (later.ids.vendor, later.decision) == answer
                assert not is_kept, (
                    f"{other}: the result is that of the call before it, {vendor_id}"
                )

    @rule("R51")
    def test_r01_result_names_its_call(self, bench: Bench) -> None:
        """A result says who answered which call.

        An auditor who finds a decision in a database must see which vendor gave it for which
        request, and that it is not the answer to another one.
        """
        backend: Any = bench.backend
        for operation in bench.operations:
            results, replies, ends = [], [], []
            for _ in range(2):
                with bench.overhear() as exchanges:
                    outcome = bench.ask(operation, GOOD[operation])
                ids: list[str | None] = []
                # What is made before the first request with a price may have an id of its own.
                for _, reply in itertools.dropwhile(lambda pair: not pair[0].charges, exchanges):
                    with contextlib.suppress(Exception):  # an answer without an id may be read so
                        ids.append(backend.vendor_id(reply))
                named = [*dict.fromkeys(filter(None, ids))]
                assert len(named) < 2, (
                    f"`vendor_id` names one call {' and '.join(named)}: give the id of the call, "
                    "and None for an answer that does not have it"
                )
                results.append(outcome.answer)
                for vendor_id in named:
                    same("`ids.vendor`, by `vendor_id`,", outcome.answer.ids.vendor, vendor_id)
                replies.append(bench.simulator.last_reply)
                ends += [r for r, _ in exchanges[-1:] if r.method == "GET" and len(exchanges) > 1]
            first, second = results
            addresses = [(end.url, *sorted(end.params.items())) for end in ends]
            assert len(addresses) < 2 or addresses[0] != addresses[1], (
                f"two calls read their answers at the same address, {ends[0]}"
            )
            same("`backend` of the result", first.backend, backend.name)
            shared = first.ids.vendor
            if shared is not None and shared == second.ids.vendor:
                simulator = type(bench.simulator).__name__
                problem = f"the second call has the `ids.vendor` of the first one, {shared}"
                if all(reply and shared.encode() in reply.content for reply in replies):
                    problem = f"{simulator} answers every call with the id {shared}: let it count"
                raise AssertionError(problem)
            if first.environment is not fm.Environment.MOCK:
                same("`environment`", first.environment, backend.environment)

    @rule("R51")
    def test_r02_score_lies_on_its_scale(self, bench: Bench) -> None:
        """A score is the vendor's own number on the declared scale, finite and from 0 to 100; what
        is missing, impossible or no number is no score, which a warning says, and nobody passes a
        threshold by it.

        A threshold is a number on one scale. 0.87 of 100 is a clear mismatch: read as a fraction it
        becomes 87, and a match. 250 of 100 means that we misread the vendor: clamped to 100 it
        would be the best match ever. 0 for a number that is missing would say "certainly two
        people" where the vendor said nothing. And a vendor that changes its form must be noticed at
        the first answer, not by who came in: digits in a text are a number only with a warning, or
        where they always come so.
        """
        bench.judge_parts(
            self._lies_on_its_scale,
            self._is_the_vendors_number,
            self._missing_is_not_zero,
            self._impossible_is_no_score,
            judge_what_is_no_number,
        )

    def _lies_on_its_scale(self, bench: Bench) -> None:
        for operation in bench.operations:
            scale = bench.scale(operation)
            for situation in (GOOD[operation], BAD[operation]):
                result = bench.ask(operation, situation).answer
                for name in ("quality", "luminance"):
                    value = getattr(result, name, None)
                    assert value is None or math.isfinite(value), f"{situation}: {name} is {value}"
                score = result.score
                if score is None:
                    missing = situation is GOOD[operation] and scale is not None
                    assert not missing, f"{situation}: no score, but the scale {scale} is declared"
                    says = scale is None or any(w.code in UNSCORED for w in result.warnings)
                    assert says, f"{situation}: no score, and no warning {' or '.join(UNSCORED)}"
                    continue
                same("the scale of the score", score.scale, scale)
                assert 0 <= score.value <= 100, f"{situation}: the score is {score.value}"
                assert score.source is not None, "no `source` says how the scale is known"

    def _is_the_vendors_number(self, bench: Bench) -> None:
        operations = [*filter(bench.scale, bench.operations)]
        bench.need(Situation.SCORE)
        for operation in operations:
            for value in SCORES:
                score = bench.ask(operation, Situation.SCORE, score=value).answer.score
                assert score is not None, f"the vendor said {value}, the result says None"
                # A fraction that was made a percentage moves by less, and a whole one by nothing;
                # a scale of another form, a cosine say, by what its arithmetic loses.
                is_rescaled = score.raw is not None and abs(score.raw - value) > 1e-6
                off = 1e-9 if is_rescaled else 0.0 if value.is_integer() else 1e-12
                close = math.isclose(score.value, value, rel_tol=off, abs_tol=off)
                assert close, f"the vendor said {value} of 100, and the score is {score.value}"

    def _missing_is_not_zero(self, bench: Bench) -> None:
        for operation in bench.operations_for(Situation.NULL_SCORE):
            # Its score may be left lying about.
            _ = bench.ask(operation, GOOD[operation]).answer
            for threshold in (None, 40.0):
                result = _ask_unscored(bench, operation, Situation.NULL_SCORE, threshold=threshold)
                if result is None:
                    continue
                # Without a scale only the verdict counts: no threshold is held against it.
                is_scaled = bench.scale(operation) is not None
                held = threshold is not None and is_scaled
                refused = (FAIL[operation], PASS[operation]) if held else (FAIL[operation],)
                what = f"{result.decision} without a score"
                assert result.decision not in refused, f"{what}, threshold {threshold}"
                assert result.warnings or not is_scaled, f"{what}, and no warning says that"

    def _impossible_is_no_score(self, bench: Bench) -> None:
        for operation in bench.operations_for(Situation.IMPOSSIBLE_SCORE):
            beyond = Situation.IMPOSSIBLE_SCORE
            result = _ask_unscored(bench, operation, beyond, threshold=10.0)
            passes = result is not None and result.decision is PASS[operation]
            assert not passes, f"{PASS[operation]} by a number off the scale"

    @rule()
    def test_r05_declarations_can_be_tested(self, bench: Bench) -> None:
        """Everything declared is tested, and nothing undeclared works.

        A capability that nobody could test is a promise; one that works undeclared is used without
        its rules.
        """
        backend, can, simulator = bench.backend, bench.can, bench.simulator
        fits = re.fullmatch(r"[a-z][a-z0-9_.-]*", backend.name)
        assert fits, f"the name {backend.name!r} is not a small letter, then those, 0-9 and _.-"
        assert bench.operations, "no operation is declared"
        billed = can.billed_operations - can.operations
        assert not billed, f"billed, but not among the operations: {', '.join(billed)}"
        unknown = {*backend.environment_variables} - {*inspect.signature(type(backend)).parameters}
        assert not unknown, f"environment variables for settings that do not exist: {unknown}"
        unnamed = [name for name, text in bench.secrets() if text not in simulator.secrets]
        assert not unnamed, f"the simulator does not name the secret in {', '.join(unnamed)}"
        missing = sorted(s.name for s in required(can) - simulator.situations)
        assert not missing, f"the simulator must produce {', '.join(missing)}"
        for operation in set(GOOD) - can.operations:
            outcome = bench.ask_directly(operation, GOOD[bench.operations[0]])
            refused = isinstance(outcome.error, fm.Unsupported) and not outcome.requests
            assert refused, f"{operation} is not declared, and gives {outcome.summary}"

    @rule("R51")
    def test_r06_verdicts_are_not_swapped(self, bench: Bench) -> None:
        """The same person matches, two people do not; a live face is live, a photograph is not, and
        nobody passes a comparison beside which the vendor calls the probe a photograph.

        The first thing that a table of the vendor's words can get wrong, and the worst. All calls
        are of one visitor: whoever has passed one of them must not pass the next for that.
        """
        for operation in reversed(bench.operations):
            for table, decisions in ((GOOD, PASS), (BAD, FAIL)):
                result = bench.ask(operation, table[operation], caller_ref="visitor 7").answer
                same(f"{table[operation]}", result.decision, decisions[operation])
        match, spoof = fm.Operation.MATCH, Situation.SPOOF
        if match not in bench.operations or spoof in bench.simulator.cannot_happen:
            return
        bench.need(spoof)
        for threshold in (None, 0.0):
            (_, words), (_, again), (result, others) = (
                (bench.ask(match, situation, threshold=threshold).answer, _read_words(bench))
                for situation in (GOOD[match], GOOD[match], spoof)
            )
            # A vendor that checks faces as well may say nothing of it. No id is twice the same.
            says = bench.meets(match, spoof) or words & again - others
            passes = result.decision is fm.Decision.MATCH
            assert not passes or not says, "match with the word for a spoof beside it"

    @rule("R51", "R06")
    def test_r07_threshold_edge(self, bench: Bench) -> None:
        """The declared rule decides at the threshold, nobody passes below it, and the result names
        it and who set it.

        Two readings of "above" differ for the one person whose score is exactly the threshold. The
        backend is asked directly: a wrong pass must not depend on the verifier's second look.
        Whoever is asked in court which number it was finds it in the result and nowhere else.
        """
        can, source = bench.can, fm.ThresholdSource
        opened = bench.open_verifier(threshold=42.5, liveness_threshold=42.5)
        for operation in bench.operations:
            settings: tuple[tuple[fm.ThresholdSource, float | None, dict[str, Any]], ...] = (
                *((source.CALLER, value, {"threshold": value}) for value in (MIDDLE, 0.0, 100.0)),
                (source.PROFILE, 42.5, {"verifier": opened}),
                (source.DEFAULT, can.default_for(operation), {}),
            )
            sent: list[tuple[float, float | None]] = []
            for set_by, value, how in settings:
                threshold = bench.ask(operation, GOOD[operation], **how).answer.threshold
                if value is None:
                    ours = threshold is not None and threshold.source is not source.VENDOR
                    assert not ours, f"the result names {threshold}, which nobody set"
                else:
                    due = fm.Threshold(value, can.threshold_rule, set_by)
                    same(f"the threshold of the {set_by} in the result", threshold, due)
                    sent.append((value, bench.simulator.received.get("threshold")))
            for value, arrived in sent if any(number is not None for _, number in sent) else ():
                # Left out, the vendor's default of today would decide, and ours be reported.
                is_sent = arrived is not None and math.isclose(value, arrived)
                assert is_sent, f"the threshold is {value}, and the vendor was sent {arrived}"
        if can.threshold_rule is fm.ThresholdRule.VENDOR:
            return
        for operation in bench.edges():
            situation, setting, score = bench.find_score(operation)
            # A vendor may keep two decimals of a threshold.
            scores = [score] if setting is None else [s for s in SCORES if s == round(s, 2)]
            for score, step in itertools.product(scores, (-0.01, 0.0, 0.01)):
                edge = fm.Threshold(min(max(score + step, 0.0), 100.0), can.threshold_rule)
                options: dict[str, Any] = {"score": setting and score, "threshold": edge.value}
                result = bench.ask_directly(operation, situation, **options).answer
                at = f"the score {score} at the threshold {edge.value}, {edge.rule},"
                # A scale of another form is rounded.
                passes = edge.passes(score if result.score is None else result.score.value)
                right = (PASS[operation],) if passes else (FAIL[operation], REVIEW[operation])
                assert result.decision in right, f"{at} is {result.decision}"
            situations = (GOOD[operation], BAD[operation])
            for value, situation in itertools.product((50.0, 90.0, 100.0), situations):
                result = bench.ask_directly(operation, situation, threshold=value).answer
                if result.decision is PASS[operation] and result.score:
                    threshold = fm.Threshold(value, bench.can.threshold_rule)
                    passes = threshold.passes(result.score.value)
                    assert passes, f"{situation}: {result.score} passed the threshold {value}"

    @rule("R51")
    def test_r11_no_face_is_inconclusive(self, bench: Bench) -> None:
        """Without a face there is no verdict, no score, and a warning that says why.

        "No match" would accuse somebody whose photograph was merely cut off; a score of 0 would
        pass a threshold of 0.
        """
        nobody, code = Situation.NO_FACE, fm.WarningCode
        for operation in bench.operations_for(nobody):
            pair = bench.simulator.pictures_for(nobody)
            # Where pictures decide, it is the other one that shows no face.
            orders = [pair, pair[::-1]] if operation is fm.Operation.MATCH else [pair]
            for images, value in itertools.product(orders, (None, 0.0)):
                result = bench.ask(operation, nobody, images=images, threshold=value).answer
                same(f"{operation} without a face", result.decision, INCONCLUSIVE[operation])
                same("the score without a face", result.score, None)
                codes = {warning.code for warning in result.warnings}
                right = code.NO_FACE in codes and code.LOW_SIMILARITY not in codes
                assert right, f"{operation}: no face, and the warnings are {', '.join(codes)}"

    @rule("R51")
    def test_r12_two_faces_are_told(self, bench: Bench) -> None:
        """More than one face in a picture gives a warning, and who is one of them is not refused.

        Whose face was compared is otherwise anybody's guess: a bystander can pass for the bearer,
        or, where the lower of two likenesses is taken, keep the bearer out.
        """
        match, two = fm.Operation.MATCH, Situation.TWO_FACES
        for operation in bench.operations_for(two):
            for situation in (two, GOOD[operation]):
                result = bench.ask(operation, situation).answer
                warns = fm.WarningCode.MULTIPLE_FACES in {w.code for w in result.warnings}
                same(f"{operation}, {situation}: MULTIPLE_FACES", warns, situation is two)
                refused = operation is match and result.decision is FAIL[operation]
                assert not refused, f"{situation}, one of them the right one: {result.decision}"
                _judge_likenesses(f"{operation}, {situation}", result)
            # Where pictures decide, it is the other one that shows two.
            images = bench.simulator.pictures_for(two)[::-1]
            turned = bench.ask(operation, two, images=images).result if operation is match else None
            if turned is not None:
                where = f"{operation}, {two} in the reference"
                listed = [len(getattr(turned, f"{place}_faces") or ()) for place in PICTURES]
                warns = fm.WarningCode.MULTIPLE_FACES in {w.code for w in turned.warnings}
                right = not max(listed) or warns is (max(listed) > 1)
                assert right, f"{where}: {max(listed)} listed, and MULTIPLE_FACES is {warns}"
                _judge_likenesses(where, turned)

    @rule("R51")
    def test_r13_unknown_status_is_review(self, bench: Bench) -> None:
        """A word that nobody knows is kept, and nobody passes by it: an unknown verdict goes to a
        person, an unknown serious warning stays one.

        Vendors add words without asking. One that means "held back" must not open a door because
        the score beside it is high, and the warning may be the new word for a deep fake.
        """
        bench.judge_parts(self._unknown_status, self._unknown_warning)

    def _unknown_status(self, bench: Bench) -> None:
        word = bench.simulator.unknown_status
        for operation in bench.operations_for(Situation.UNKNOWN_STATUS):
            result = bench.ask_directly(operation, Situation.UNKNOWN_STATUS).answer
            what, shown = f"the decision of the unknown {word!r}", _read_words(bench)
            if shown and not any(word in each for each in shown):
                what += ", which the simulator's last answer does not hold,"
            same(what, result.decision, REVIEW[operation])
            same("`vendor_status`", result.vendor_status, word)

    def _unknown_warning(self, bench: Bench) -> None:
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

    @rule("R51")
    def test_r48_faces_are_where_they_are(self, bench: Bench) -> None:
        """Faces are where they are said to be, each in its own picture.

        A box is drawn on a photograph, or cut out of it, for whoever reviews the call. A box of the
        other picture shows them somebody's shoulder, or a bystander.
        """
        name, reports = bench.backend.name, bench.can.reports_faces
        shown, seen = bench.simulator.faces, False
        if reports and shown.get("probe") == shown.get("reference"):
            benches.not_tested("the simulator's `faces` do not say where each picture's face is.")
        for operation, situation in bench.cases((*GOOD.values(), Situation.TWO_FACES)):
            result, call = bench.ask(operation, situation).answer, bench.call(operation, situation)
            faces = [getattr(result, f"{place}_faces", None) or () for place in PICTURES]
            boxes = [[face.box for face in some if face.box] for some in faces]
            if not any(boxes):
                continue
            assert reports, f"{name} says where faces are, and declares no `reports_faces`"
            seen = True
            if situation is Situation.TWO_FACES:
                right = len(boxes[0]) >= 2 > len(boxes[1])
                assert right, f"two faces in the probe and one in the reference became {boxes}"
                continue
            for place, reported in zip(PICTURES, boxes, strict=True):
                if image := getattr(call, place, None):
                    meant = shown.get(place, ())
                    at = f"the faces of the {place} are at {meant}"
                    assert _fit(reported, meant, image), f"{at}, and the result has {reported}"
        if not reports:
            benches.does_not_apply(f"{name} does not say where faces are.")
        assert seen, "`reports_faces` is declared, and no result says where a face is"


def same(what: str, actual: object, due: object) -> None:
    assert actual == due, f"{what} is {actual}, not {due}"


def _judge_likenesses(where: str, result: Result) -> None:
    """Assert that a score is that of the face which is most alike, where each has its own."""
    places = (getattr(result, f"{place}_faces", None) or () for place in PICTURES)
    faces = [face for some in places for face in some if face.similarity is not None]
    if result.score is None or not faces:
        return
    compared = [face for face in faces if face.similarity == result.score and face.compared]
    highest = max(face.similarity.value for face in faces if face.similarity is not None)
    right = compared and result.score.value == highest
    assert right, f"{where}: the score is {result.score.value}, not that of the face most alike"


def _read_words(bench: Bench) -> set[str]:
    reply: Any = bench.simulator.last_reply
    with contextlib.suppress(AttributeError, ValueError):  # it is not seen, or no JSON
        values = places(json.loads(reply.content))
        return {f"{place}: {value}" for place, value in values if isinstance(value, (str, bool))}
    return set()


def _ask_unscored(
    bench: Bench, operation: fm.Operation, situation: Situation, **how: Any
) -> Result | None:
    """A result without a score; None if the answer, at its price, cannot be read."""
    outcome = bench.ask_directly(operation, situation, **how)
    if isinstance(outcome.error, fm.UnexpectedResponse):
        charged = outcome.error.billing.charged
        due = charged in bench.paid_if_unreadable(operation)
        assert due, f"an answer 200 that cannot be read is charged, and its error says {charged}"
        return None
    same(f"the score of {situation}", outcome.answer.score, None)
    return outcome.answer


def _fit(boxes: Sequence[fm.Box], where: Sequence[fm.Box], image: fm.Image) -> bool:
    """Whether the boxes are those of `where`, with edges that a quarter of a face may lie off."""
    upright = image.to_pil()

    def sides(box: fm.Box) -> tuple[float, ...]:
        """Left, top, right and bottom in parts of the picture's sides."""
        width, height = box.of_width or upright.width, box.of_height or upright.height
        if box.unit == "ratio":
            width = height = 1
        return box.left / width, box.top / height, box.right / width, box.bottom / height

    faces = sorted(map(sides, where))
    return len(boxes) == len(faces) and all(
        math.isclose(side, edge, abs_tol=(face[2] - face[0]) / 4)
        for box, face in zip(sorted(map(sides, boxes)), faces, strict=True)
        for side, edge in zip(box, face, strict=True)
    )
