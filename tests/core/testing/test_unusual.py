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
        fields = Mapping.request(self, call)
        return {place: fields[place] for place in PLACES if place in fields}

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
        charged = fm.Charged.YES if self.capabilities.billed_operations else fm.Charged.NO
        result = evolve(
            nobody(call),
            backend=self.name,
            warnings=(fm.backend.NO_FACE,),
            ids=models.Ids(vendor=vendor_id),
            billing=fm.Billing(charged, "the vendor's page on prices"),
        )
        if verdict is None:
            return result
        decision = self.decision(call, {"verdict": verdict}, score)
        return evolve(result, decision=decision, score=score, warnings=())

    def score(self, call, number):
        if number is None:
            return None
        if type(number) not in (int, float):
            raise TypeError("It is no number.")
        return fm.Score(
            50 + 50 * number,
            "unusual/v1",
            raw=number,
            raw_name="score",
            source=models.ScaleSource.DOCUMENTED,
        )

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
        pictures = {place: self.words[place] for place in PLACES if place in self.words}
        return {place: base64.b64decode(text) for place, text in pictures.items()}

    def answered(self, fields, key, situation, score):
        if isinstance(fields, list):
            fields = dict(zip(PLACES, fields, strict=True))
        status, body = super().answered(fields, key, situation, score)
        if "score" not in body:
            return status, body
        if situation is Situation.IMPOSSIBLE_SCORE:
            cosine = 9
        elif body["score"] is None:
            cosine = None
        else:
            cosine = body["score"] / 50 - 1
        return status, self.document(cosine, body["id"])

    def document(self, cosine, call_id):
        return {"score": cosine, "id": call_id}

    def answer(self, request, situation, score):
        reply = super().answer(request, situation, score)
        if self.backend_class.capabilities.billed_operations:
            return reply
        return evolve(reply, charged=False)


def odd(name, fault, /, *, simulator=(), **changes):
    """A plug-in and its vendor, with these changes of both."""
    return row(
        "", name, fault, base=Plain, simulator=vendor(PlainVendor, **dict(simulator)), **changes
    )


def as_the_page_says(me, ok, call, number):
    """Replaces `score`: of a vendor with a distance, from 0 to 1, as add-a-backend.md has it."""
    if number is None:
        return None
    if type(number) not in (int, float):
        raise TypeError("It is no number.")
    distance = number
    return fm.Score(round(100 - 100 * distance, 6), "unusual/v1", raw=distance, raw_name="distance")


def document_with_distance(me, ok, cosine, call_id):
    return ok(None if cosine is None else (1 - cosine) / 2, call_id)


def passes_by_vendor(me, ok, call, body, score):
    limit = body["thresholds"]["1e-4"]
    if type(limit) is not float:
        raise TypeError("It is no threshold.")
    return score.raw >= limit and (call.threshold is None or ok(call, body, score))


def document_with_thresholds(me, ok, cosine, call_id):
    return ok(cosine, call_id) | {"thresholds": {"1e-3": 0.3, "1e-4": 0.5}}


def parse_verdict(me, ok, call, reply):
    verdicts = {True: "yes", False: "no", None: None}
    is_same = reply.json()["same"]
    if type(is_same) not in (bool, type(None)):
        raise TypeError("It is no verdict.")
    return me.found(call, verdicts[is_same], None, None)


def document_with_verdict(me, ok, cosine, _call_id):
    return {"same": None if cosine is None else cosine > 0}


NO_SCORES = dict.fromkeys(
    (Situation.SCORE, Situation.NULL_SCORE, Situation.IMPOSSIBLE_SCORE), "It has no score."
)
MAY_SPOOF = {
    situation: reason for situation, reason in CANNOT.items() if situation is not Situation.SPOOF
}
ODD = [
    odd(
        "Distance",
        "It answers with a distance: the higher, the less alike.",
        score=as_the_page_says,
        simulator={"document": document_with_distance},
    ),
    odd(
        "OwnThresholds",
        "A threshold of its own comes with each answer, and it takes none.",
        capabilities=evolve(
            USUAL, threshold_rule=models.ThresholdRule.VENDOR, default_threshold=None
        ),
        passes=passes_by_vendor,
        simulator={"document": document_with_thresholds},
    ),
    odd(
        "VerdictOnly",
        "Yes or no, and nothing more; nobody knows one answer from another.",
        capabilities=Capabilities(
            billed_operations=frozenset({MATCH}), threshold_rule=models.ThresholdRule.VENDOR
        ),
        parse=parse_verdict,
        simulator={"document": document_with_verdict, "cannot_happen": CANNOT | NO_SCORES},
    ),
    odd(
        "FreeLists",
        "It is free, takes a list of pictures, and answers with a list.",
        capabilities=evolve(USUAL, billed_operations=frozenset()),
        request=lambda me, ok, call: list(ok(call).values()),
        body=lambda me, ok, reply: {"score": reply.json()[0], "id": None},
        simulator={"document": lambda me, ok, cosine, _: [cosine]},
    ),
    odd(
        "LiveOnly",
        "It takes no comparisons.",
        capabilities=Capabilities(
            operations=frozenset({LIVENESS}),
            billed_operations=frozenset({LIVENESS}),
            liveness_scale="unusual/v1",
            default_liveness_threshold=50.0,
        ),
        simulator={"cannot_happen": MAY_SPOOF},
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("plug_in", ODD, ids=lambda plug_in: plug_in.name)
def test_unusual_but_correct_plug_in_conforms(plug_in):
    assert not failures(run(plug_in.make))
