"""Plug-ins that are right, of vendors unlike most: the kit finds nothing wrong with any of them."""

import base64
from typing import ClassVar

import attrs
import pytest
from kit.contract import failures, run
from mutants.faults import nobody
from mutants.making import row, vendor
from mutants.reference import PLACES, HttpReference, HttpReferenceSimulator, Mapping

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import Capabilities, ImageLimits
from facematch_core.testing import Situation

evolve = attrs.evolve
MATCH = fm.Operation.MATCH
LIVENESS = fm.Operation.LIVENESS
USUAL = Capabilities(
    score_scale="unusual/v1", default_threshold=75.0, billed_operations=frozenset({MATCH})
)


@attrs.define(kw_only=True, eq=False, slots=False)
class Plain(HttpReference):
    """Its vendor answers with a cosine, from -1 to 1, and an id."""

    name = "unusual"
    capabilities = USUAL

    def request(self, call):
        return {
            place: words for place, words in Mapping.request(self, call).items() if place in PLACES
        }

    def threshold(self, call):
        return None

    def parse(self, request, reply):
        body = self.body(reply)
        score = self.score(request, body["score"])
        verdict = None
        if score is not None:
            verdict = "yes" if self.passes(request, body, score) else "no"
        return self.found(request, verdict, score, body["id"])

    def found(self, call, verdict, score, vendor_id):
        result = nobody(call)
        decision = (
            result.decision if verdict is None else self.decision(call, {"verdict": verdict}, score)
        )
        charged = fm.Charged.YES if self.capabilities.billed_operations else fm.Charged.NO
        return evolve(
            result,
            decision=decision,
            score=score,
            backend=self.name,
            warnings=(fm.backend.NO_FACE,) if verdict is None else (),
            ids=models.Ids(vendor=vendor_id),
            billing=fm.Billing(charged, "the vendor's page on prices"),
        )

    def score(self, call, number):
        if number is None:
            return None
        if type(number) not in (int, float):
            raise TypeError("It is no number.")
        how = {"raw": number, "source": models.ScaleSource.DOCUMENTED}
        return fm.Score(50 + 50 * number, "unusual/v1", raw_name="score", **how)

    def passes(self, call, body, score):
        return call.threshold.passes(score.value)


CANNOT = {
    Situation.SPOOF: "It has no word for that.",
    Situation.TWO_FACES: "It counts no faces.",
    Situation.SMALLER_FACE_MATCHES: "It compares the largest face.",
    Situation.NO_CREDIT: "It sends a bill.",
}


class PlainVendor(HttpReferenceSimulator):
    """Answers with a score, and with none of what else the reference's vendor says."""

    limits = ImageLimits()
    faces: ClassVar = {}
    cannot_happen: ClassVar = CANNOT

    @property
    def situations(self):
        unsaid = {Situation.UNKNOWN_STATUS, Situation.UNKNOWN_WARNING}
        return HttpReferenceSimulator.situations - unsaid - self.cannot_happen.keys()

    @property
    def received(self):
        return {
            place: base64.b64decode(self.words[place]) for place in PLACES if place in self.words
        }

    def answered(self, words, key, situation, score):
        words = words if isinstance(words, dict) else dict(zip(PLACES, words, strict=True))
        status, body = super().answered(words, key, situation, score)
        if "score" not in body:
            return status, body
        shown = None if body["score"] is None else body["score"] / 50 - 1
        shown = 9 if situation is Situation.IMPOSSIBLE_SCORE else shown
        return status, self.shows(shown, body["id"])

    def shows(self, shown, call_id):
        return {"score": shown, "id": call_id}

    def answer(self, *asked):
        is_billed = bool(self.backend_class.capabilities.billed_operations)
        return evolve(super().answer(*asked), charged=None if is_billed else False)


def odd(name, fault, /, *, base=Plain, answers=PlainVendor, says=(), **changes):
    """A plug-in and its vendor, with these changes of both."""
    return row("", name, fault, base=base, simulator=vendor(answers, **dict(says)), **changes)


def passes_by_vendor(me, ok, call, body, score):
    limit = body["thresholds"]["1e-4"]
    if type(limit) is not float:
        raise TypeError("It is no threshold.")
    return score.raw >= limit and (call.threshold is None or ok(call, body, score))


def says_same(me, ok, call, reply):
    words = {True: "yes", False: "no", None: None}
    same = reply.json()["same"]
    if type(same) not in (bool, type(None)):
        raise TypeError("It is no verdict.")
    return me.found(call, words[same], None, None)


def as_the_page_says(me, ok, call, number):
    """Replaces `score`: of a vendor with a distance, from 0 to 1, as add-a-backend.md has it."""
    if number is None:
        return None
    if type(number) not in (int, float):
        raise TypeError("It is no number.")
    distance = number
    return fm.Score(round(100 - 100 * distance, 6), "unusual/v1", raw=distance, raw_name="distance")


# fmt: off
ODD = (
    odd("Distance", "It answers with a distance: the higher, the less alike.",
        score=as_the_page_says, says={"shows": lambda me, ok, shown, call_id:
            ok(None if shown is None else (1 - shown) / 2, call_id)}),
    odd("OwnThresholds", "A threshold of its own comes with each answer, and it takes none.",
        capabilities=evolve(USUAL, threshold_rule=models.ThresholdRule.VENDOR,
            default_threshold=None),
        passes=passes_by_vendor, says={"shows": lambda me, ok, *about:
            ok(*about) | {"thresholds": {"1e-3": 0.3, "1e-4": 0.5}}}),
    odd("VerdictOnly", "Yes or no, and nothing more; nobody knows one answer from another.",
        capabilities=Capabilities(billed_operations=frozenset({MATCH}),
            threshold_rule=models.ThresholdRule.VENDOR),
        parse=says_same, says={
            "shows": lambda me, ok, shown, _: {"same": None if shown is None else shown > 0},
            "cannot_happen": CANNOT | dict.fromkeys((Situation.SCORE, Situation.NULL_SCORE,
                Situation.IMPOSSIBLE_SCORE), "It has no score.")}),
    odd("FreeLists", "It is free, takes a list of pictures, and answers with a list.",
        capabilities=evolve(USUAL, billed_operations=frozenset()),
        request=lambda me, ok, call: list(ok(call).values()),
        body=lambda me, ok, reply: {"score": reply.json()[0], "id": None},
        says={"shows": lambda me, ok, shown, _: [shown]}),
    odd("LiveOnly", "It takes no comparisons.",
        capabilities=Capabilities(liveness_scale="unusual/v1", default_liveness_threshold=50.0,
            **dict.fromkeys(("operations", "billed_operations"), frozenset({LIVENESS}))),
        says={"cannot_happen": {each: why for each, why in CANNOT.items()
            if each is not Situation.SPOOF}}),
)
# fmt: on


@pytest.mark.slow
@pytest.mark.parametrize("plug_in", ODD, ids=lambda plug_in: plug_in.name)
def test_unusual_but_correct_plug_in_conforms(plug_in):
    assert not failures(run(plug_in.make))
