"""R51, R02, R12, R13, R38: results, decisions, face boxes, and the parsing of responses."""

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
from facematch_core.backend import Call
from facematch_core.base.addresses import check_base_url
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import FAIL, PASS, Bench, Result, Rules, judge_parts, rule, same
from facematch_core.testing.simulator import BAD, GOOD, Situation, required
from facematch_core.verifier.pipeline import PICTURES

#: The ends of the scale, a score that looks like a fraction, some that fewer bits or decimals
#: would change, and whole per cents that a fraction times 100 misses.
SCORES = (0.0, 0.87, 1.0, 7.0, 12.5, 28.0, 29.0, 49.996, 50.1, 57.0, 61.23, 88.5, 99.99999, 100.0)
#: Responses without a usable score, each with the thresholds to send.
UNSCORED = {Situation.NULL_SCORE: (None, 40.0), Situation.IMPOSSIBLE_SCORE: (10.0,)}
#: Scores to compare with a threshold.
EDGES = (0.0, 0.87, 28.0, 50.1, benches.MIDDLE, 100.0)
#: HTTP statuses that vendors, servers and gateways return, and some that nobody returns.
STATUSES = (
    *(200, 201, 202, 203, 204, 206, 299, 300, 301, 302, 303, 304, 307, 308, 399),
    *(400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 413, 415, 418, 422, 423, 425, 429),
    *(431, 451, 460, 499, 500, 501, 502, 503, 504, 507, 511, 520, 522, 524, 529, 599),
)
#: Values of ``Retry-After``, sensible and not.
WAITS = ("7", "soon", "-5", "nan", "1e999", "9" * 40, "Wed, 21 Oct 2015 07:28:00 GMT", "")
#: A text that looks like a key or a piece of a picture: an error must not repeat it.
CANARY = "kit0canary5d41402abc4b2a76b9719d911017c592"
#: Characters of a text that no error should repeat as a whole.
LONG = 1000
#: Replacements for each value of a successful response, as JSON.
VALUES = ("null", "true", "false", "-1", "7", '"odd"', '""', "[]", "{}", '[["x"]]')
#: Errors after which a caller must change its request, its key or its account.
BLAMING = (fm.RequestRejected, fm.AuthenticationFailed, fm.PermissionDenied, fm.InsufficientCredit)


class CallRules(Rules):
    """Rules about results: their origin, decisions and face boxes."""

    @rule()
    def test_r51_good_call_is_answered(self, bench: Bench) -> None:
        """A good call passes by the vendor's response to it, and the result names the vendor.

        Every other rule depends on this one. A cached response would let the next visitor in, and
        an auditor must see which vendor decided on which request.
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
        bench.sound_if(not unnamed, f"its `secrets` lack the secret in {', '.join(unnamed)}")
        missing = sorted(each.name for each in required(can) - simulator.situations)
        bench.sound_if(not missing, f"it must produce {', '.join(missing)}")
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
                is_said = replies and all(vendor_id.encode() in body for body in replies)
                bench.sound_if(not is_said, f"it answers every call with the id {vendor_id}")
                raise AssertionError(f"two calls have the same `ids.vendor`, {vendor_id}")
            earlier = result.decision, vendor_id
            later = bench.ask(operation, BAD[operation]).result
            is_kept = later is not None and (later.decision, later.ids.vendor) == earlier
            assert not is_kept, "the result is that of an earlier call"

    @rule("R51")
    def test_r02_score_lies_on_its_scale(self, bench: Bench) -> None:
        """Decision and score are the vendor's own, on the declared scale and with the declared
        threshold rule. A missing, impossible or non-numeric score is no score and never passes.
        Without a face there is no verdict.

        A score of 0.87 of 100, read as a fraction, becomes a match. 250 of 100 means that the
        response was misread. 0 for a missing score means "two people"; the vendor did not say so.
        """
        unscored = [functools.partial(self._r02_unscored, case=case) for case in UNSCORED]
        numbers = self._r02_vendors_number, self._r02_edge, self._r02_named_threshold
        judge_parts(bench, self._r02_verdicts, *unscored, *numbers, self._r02_nobody)

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
        """Assert no score and no verdict from a score; or an error with the right charge."""
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
        """Test at, just below and just above the threshold, without the verifier's own check."""
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
                no = FAIL[operation], benches.REVIEW[operation]
                right = (PASS[operation],) if passes else no
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
        """Face boxes are correct and in the right picture. Several faces in one give a warning, at
        most one is the compared face, and the right person among them is not rejected.

        Otherwise it is unknown whose face was compared: a bystander could pass for the bearer.
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
        """An unknown value is kept and never passes: an unknown verdict becomes a review, and an
        unknown serious warning stays serious.

        Vendors add values without notice. A new value that means "on hold" must not open a door.
        """
        judge_parts(bench, self._r13_unknown_status, self._r13_unknown_warning)

    def _r13_unknown_status(self, bench: Bench) -> None:
        word = bench.simulator.unknown_status
        for operation in bench.operations_for(Situation.UNKNOWN_STATUS):
            with bench.overhear() as steps:
                result = bench.ask_directly(operation, Situation.UNKNOWN_STATUS).answer
            is_said = not steps or any(word.encode() in reply.body for _, reply in steps)
            bench.sound_if(is_said, f"its answer in UNKNOWN_STATUS does not hold {word!r}")
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
    """Return whether boxes match `where`, with edges at most a quarter of a face away."""
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


def forms(secrets: Iterable[str]) -> list[tuple[str, bytes, bool]]:
    """Return a body of every form, with its name and whether it is JSON (else a gateway's).

    Most repeat `secrets` and a word like a key. No vendor's table of codes has their words.
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
        ("a page of markup", f"<html><h1>Bad Gateway</h1>{sentence}</html>".encode(), False),
        ("nothing", b"", False),
        ("JSON that breaks off", b'{"error": "' + sentence.encode(), False),
        ("no text", b"\xff\xfe\x00" + sentence.encode(), False),
    ]


#: The path to a value in a document: object keys and list indexes, outermost first.
Place = tuple[str | int, ...]
#: Marks a key to remove.
GONE = object()


def places(document: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield every value below `document` with its place, the outer ones first."""
    items = document if isinstance(document, list) else ()
    for step, value in document.items() if isinstance(document, Mapping) else enumerate(items):
        yield (*at, step), value
        yield from places(value, (*at, step))


def replace(document: Any, place: Place, value: Any) -> Any:
    """Return a copy of `document` with `value` at `place`; with GONE, without it."""
    if not place:
        return value
    copied, (first, *rest) = copy.copy(document), place
    if value is GONE and not rest:
        del copied[first]
    else:
        copied[first] = replace(document[first], tuple(rest), value)
    return copied


def number_in(value: Any) -> float | None:
    """Return the number that a value is, or spells; None for anything else, true included."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


class AnswerRules(Rules):
    """The rule about responses."""

    @rule("R51")
    def test_r38_every_answer_is_read_or_refused(self, bench: Bench) -> None:
        """Every possible response is parsed or rejected, and none is taken for more than it says.

        If a gateway's page is taken for the vendor's "not charged", the call is paid for twice.
        Vendors add, drop and rename fields without notice: a missing one must not become a verdict.
        """
        is_http = isinstance(bench.backend, HttpBackend)
        bench.applies_if(is_http, "is no HttpBackend: no answer can be changed")
        cases = bench.cases([Situation.NO_FACE, Situation.TWO_FACES])
        statuses: Container[int] = [Recording.of(bench, *case).reply.status for case in cases]
        if Situation.NO_FACE not in bench.simulator.situations:
            statuses = STATUSES  # nobody knows which the vendor answers with then
        for operation in bench.operations:
            recording = Recording.of(bench, operation, GOOD[operation])
            for step in range(len(recording.replies), 0, -1):
                attrs.evolve(recording, step=step).other_answers(statuses)
            # The good answer of any simulator passes this threshold.
            pair = GOOD[operation], BAD[operation]
            good, bad = (Recording.of(bench, operation, case, threshold=1.0) for case in pair)
            good.other_values(bad)


#: The result or the error of a call; neither if it goes on.
Reading = tuple[Result | None, fm.VendorError | None]


@attrs.frozen
class Recording:
    """A call and the responses to its requests; the response at `step` is replaced."""

    bench: Bench
    call: Call
    requests: Sequence[HttpRequest]
    replies: Sequence[HttpReply]
    step: int

    @classmethod
    def of(cls, bench: Bench, operation: fm.Operation, case: Situation, **how: Any) -> Recording:
        """Record a call as it is answered, at its last request."""
        bench.need(case)
        call = bench.call(operation, case, **how)
        bench.simulator.set_situation(case)
        bench.make_call(bench.call(operation, case, **how))  # logs in, if the token has ended
        with bench.overhear() as exchanges:
            outcome = bench.make_call(call)
        # A refusal may be the word for no face.
        fails = outcome.error is not None and case is not Situation.NO_FACE
        assert not fails, f"{operation}, {case.name}: {outcome.error!r}"
        bench.tested_if(exchanges, "hears nothing that is sent by the `client`")
        requests, replies = zip(*exchanges, strict=True)
        return cls(bench, call, requests, replies, len(replies))

    @property
    def reply(self) -> HttpReply:
        return self.replies[self.step - 1]

    def costs(self, *, before: bool = True) -> bool:
        """Return whether the vendor charges the request or an earlier one, as declared."""
        sent = self.requests[0 if before else self.step - 1 : self.step]
        is_billed = self.call.operation in self.bench.can.billed_operations
        return is_billed and any(request.charges for request in sent)

    def read_changed(self, place: Place, text: str | None) -> Reading:
        """Read the response with `text`, which need not be JSON, at `place`; None removes it."""
        before, after = self.reply.at(*place), "nothing" if text is None else text[:60]
        how = f"with `{'.'.join(map(str, place))}` changed from {before!r:.60} to {after}"
        stand_in = "(here it goes)"
        changed = replace(self.reply.at(), place, GONE if text is None else stand_in)
        written = json.dumps(changed).replace(f'"{stand_in}"', text or "")
        return self.read(how, written.encode())

    def read(self, how: str, body: bytes, **other: Any) -> Reading:
        """Return the outcome of the call if the request at its step gets this response."""
        bench, replies, step = self.bench, self.replies, self.step
        backend: Any = bench.backend
        at = f"request {step} of {len(replies)} " if len(replies) > 1 else ""
        bench.at = f"{self.call.operation}, {at}answered {how}"
        until = [*replies[: step - 1], attrs.evolve(self.reply, body=body, **other)]
        # It may poll, and finds the good end each time.
        further = [*replies[step:], *[replies[-1]] * 20]
        for more in ([], further):
            with contextlib.suppress(ValueError):  # it asks for more than these
                answer = backend.read_reply(self.call, *until, *more)
                break
        else:
            return None, None
        if isinstance(answer, fm.FaceMatchError):
            bench.at += f": {type(answer).__name__}"
            return None, self._judged(answer)
        raw = None if answer.score is None else answer.score.raw
        numbers = (number_in(v) for each in until + more for _, v in places([each.at()]))
        assert raw is None or raw in numbers, f"the score is made of {raw}, which no answer has"
        return None if more is further else answer, None

    def _judged(self, error: Any) -> fm.VendorError:
        """Assert that charge, wait and `retryable` of an error are consistent; return the error."""
        assert isinstance(error, fm.VendorError), "it says nothing of the charge"
        charged, wait_s = error.billing.charged, getattr(error, "retry_after_s", None)
        is_lost = isinstance(error, fm.OutcomeUnknown)
        allowed = {fm.Charged.UNKNOWN} if is_lost else {fm.Charged.YES, fm.Charged.NO}
        if self.step > 1:  # of a job that was accepted the outcome alone may be unknown
            allowed.add(fm.Charged.YES if self.costs() else fm.Charged.NO)
        same("the charge", charged, *allowed)
        repeats = error.retryable and charged is not fm.Charged.NO
        assert not repeats, f"it may be repeated, and says of the charge: {charged}"
        assert wait_s is None or 0 <= wait_s < math.inf, f"it says to wait {wait_s} s"
        return error

    def other_answers(self, face_statuses: Container[int]) -> None:
        """Read every status with any form of body."""
        priced, waits = self.costs(before=False), itertools.cycle(WAITS)
        secrets = [text for _, text in self.bench.secrets()]
        is_last = self.step == len(self.requests) > 1
        cases = [*itertools.product(STATUSES, forms(secrets))]
        if not priced and len(self.replies) > 1:  # a step that is free to repeat
            cases = [*zip(STATUSES, itertools.cycle(forms(secrets)), strict=False)]
        for status, (name, body, is_json) in cases:
            headers = {**self.reply.headers, "Retry-After": next(waits)}
            how = f"{status} with {name}"
            result, error = self.read(how, body, status=status, headers=headers)
            is_free = error is not None and error.billing.charged is fm.Charged.NO
            text = f"{error} {error!r} {error and vars(error)}"
            assert not any(secret in text for secret in secrets), "it shows a secret"
            assert CANARY not in text, "it shows what looks like a key"
            assert len(str(error)) < LONG / 2, "it repeats the body whole"
            assert "backend failed to read" not in text, f"its own code fails: {error}"
            if status in self.requests[self.step - 1].expects:  # it is no refusal
                assert not (is_free and self.costs()), "it is free, and the vendor charges it"
            elif error is not None:
                assert status >= 300 or not error.retryable, "it may be repeated"
                blames = status >= 500 and isinstance(error, BLAMING)
                assert not blames, "it says that it is the caller's, and the vendor failed"
                unsaid = status >= 500 and not is_json and priced and is_free
                assert not unsaid, "it says that it was free, and the vendor did not"
            elif result is not None:
                hint = " (mark what only removes something: `is_cleanup=True`)" * is_last
                is_read = status in face_statuses and result.decision not in PASS.values()
                assert is_read, f"it becomes a result, {result.decision}, and no error{hint}"

    def other_values(self, bad: Recording) -> None:
        """Change one value of the good response at a time; a verdict in every way."""
        document, bench, operation = self.reply.at(), self.bench, self.call.operation
        is_document = isinstance(document, (dict, list))
        bench.tested_if(is_document, "answers with neither a JSON object nor a list")
        usual, error = self.read("as before", self.reply.body)
        assert usual is not None, f"it is not read a second time: {error!r}"
        scores, verdicts = self._decide(usual)
        bench.tested_if(scores or not bench.scale(operation), "has no score in its answers")
        self._no_numbers(usual, scores)
        # Removing the object around a verdict removes the verdict.
        decisive = {place[:end] for place in verdicts for end in range(1, len(place) + 1)}
        values, turn = [*places(document)], itertools.count()
        sparing = 1 + len(values) * len(VALUES) // 400  # some hundred changes are enough
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
                scored = result.score is not None or not bench.scale(operation)
                assert scored, f"the result is still {result.decision}, without a score"
                # A vendor may leave its word out, but no other value may stand there.
                is_unsaid = text is None and result.vendor_status is None
                assert is_unsaid or place not in decisive, f"the result is still {result.decision}"

    def _no_numbers(self, usual: Result, scores: Sequence[tuple[Place, object]]) -> None:
        """Assert that nothing but a number becomes a score."""
        for place, value in scores:
            inside, as_text = json.dumps(value), json.dumps(str(value))
            odd = '"high"' if isinstance(value, str) else as_text
            texts = (None, "true", "NaN", "1e999", "[]", "{}", odd, f"[{inside}]")
            for text in (*texts, f'"{value}%"', f'"{value} of 100"', f'{{"value": {inside}}}'):
                result, error = self.read_changed(place, text)
                if error is not None:
                    self.bench.judge_unreadable(self.call.operation, error)
                elif result is not None:
                    warned = len(result.warnings) > len(usual.warnings)
                    if text == as_text and result.score == usual.score and warned:
                        continue  # Digits were read as a number, and it says so.
                    same("the score", result.score, None)
                    # If the number is left out, the vendor's verdict may stay: R02 looks at that.
                    is_open = text is None or result.decision not in PASS.values()
                    assert is_open, f"the decision is {result.decision}"

    def _decide(self, usual: Result) -> tuple[list[tuple[Place, object]], set[Place]]:
        """Return the places of the score (and its type) and of the verdict in a response."""

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
