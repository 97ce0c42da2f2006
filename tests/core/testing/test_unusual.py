"""Plug-ins that are right, of vendors unlike most: the kit finds nothing wrong with any of them."""

import base64
import math
import time
from typing import ClassVar

import attrs
import pytest
from kit.contract import Status, failures, run
from mutants.faults import nobody, refuse
from mutants.making import derived, row, vendor
from mutants.reference import (
    PLACES,
    CheckReference,
    CheckSimulator,
    HttpReference,
    HttpReferenceSimulator,
    JobReference,
    JobSimulator,
    Mapping,
)

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import Capabilities, ImageLimits
from facematch_core.http import ErrorRow
from facematch_core.testing import SimulatorReply, Situation, noise
from facematch_core.testing.simulator import STALLS

evolve = attrs.evolve
MATCH, LIVENESS = fm.Operation.MATCH, fm.Operation.LIVENESS
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

    def parse(self, call, reply):
        body = self.body(reply)
        score, verdict = self.score(call, body["score"]), None
        if score is not None:
            verdict = "yes" if self.passes(call, body, score) else "no"
        return self.found(call, verdict, score, body["id"])

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
        how = {"raw": self.number(number), "source": models.ScaleSource.DOCUMENTED}
        return fm.Score(self.percent(how["raw"]), "unusual/v1", raw_name="score", **how)

    def number(self, value):
        return value if type(value) in (int, float) else refuse(TypeError("It is no number."))

    def percent(self, number):
        return 50 + 50 * number

    def passes(self, call, body, score):
        return call.threshold.passes(score.value)


CANNOT = {
    Situation.SPOOF: "It has no word for that.",
    Situation.TWO_FACES: "It counts no faces.",
    Situation.NO_CREDIT: "It sends a bill.",
}
NO_SCORE = (Situation.SCORE, Situation.NULL_SCORE, Situation.IMPOSSIBLE_SCORE)


class PlainVendor(HttpReferenceSimulator):
    """Answers with a score, and with none of what else the reference's vendor says."""

    limits, faces, impossible = ImageLimits(), {}, 9
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
        shown = None if body["score"] is None else self.spell(body["score"])
        shown = self.impossible if situation is Situation.IMPOSSIBLE_SCORE else shown
        return status, self.shows(shown, body["id"])

    def spell(self, score):
        return score / 50 - 1

    def shows(self, shown, call_id):
        return {"score": shown, "id": call_id}

    def answer(self, *asked):
        is_billed = bool(self.backend_class.capabilities.billed_operations)
        return evolve(super().answer(*asked), charged=None if is_billed else False)


def odd(name, fault, /, *, base=Plain, answers=PlainVendor, says=(), **changes):
    """A plug-in and its vendor, with these changes of both."""
    return row("", name, fault, base=base, simulator=vendor(answers, **dict(says)), **changes)


def logit(score):
    part = min(max(score / 100, 1e-15), 1 - 1e-15)
    return math.log(part / (1 - part))


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


def refuses_uploads(me, ok, request, situation, score):
    is_upload = request.path.startswith("/applicants/") and request.body
    reply = ok(request, situation, score)
    refuses = is_upload and situation is Situation.NO_FACE
    return evolve(reply, status=422, body={"error": "no_face"}) if refuses else reply


def begins_a_day(me, ok, situation, **how):
    vars(me)["day"] = str(int(vars(me).get("day", 0)) + 1)
    ok(situation, **how)


def refuses_old_days(me, ok, request, *asked):
    if request.headers["X-Day"] == me.day:
        return ok(request, *asked)
    return SimulatorReply(body={"code": 110, "day": me.day}, charged=False)


def learns_the_day(me, ok, request, reply):
    day = reply.at("day")
    vars(me)["day"] = day or vars(me).get("day")
    return day is not None


OLD_DAY = ErrorRow(fm.AuthenticationFailed, fm.Charged.NO, "the vendor's page", "an old day")
INTERNAL = ErrorRow(fm.VendorUnavailable, fm.Charged.NO, "the vendor's page", "an internal error")
# fmt: off
ODD = (
    odd("Cosine", "Its vendor gives a cosine, from -1 to 1."),
    odd("Likelihood", "The logarithm of a likelihood ratio, which has no end on either side.",
        percent=lambda me, ok, number: 100 / (1 + math.exp(-number)),
        says={"spell": lambda me, ok, score: logit(score), "cannot_happen": CANNOT
            | {Situation.IMPOSSIBLE_SCORE: "Each number is on its scale."}}),
    odd("Distance", "A distance, from 0 to 2, of which the smaller is the better.",
        percent=lambda me, ok, number: 100 - 50 * number,
        says={"spell": lambda me, ok, score: 2 - score / 50}),
    odd("InText", "The number is spelled as text, and read as nothing else.",
        number=lambda me, ok, value: float(value) if type(value) is str
            else refuse(TypeError("It is no text.")),
        percent=lambda me, ok, number: 100 * number,
        says={"spell": lambda me, ok, score: str(score / 100), "impossible": "1.7"}),
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
            "cannot_happen": CANNOT | dict.fromkeys(NO_SCORE, "It has no score.")}),
    odd("FreeLists", "It is free, takes a list of pictures, and answers with a list.",
        capabilities=evolve(USUAL, billed_operations=frozenset()),
        request=lambda me, ok, call: [*ok(call).values()],
        body=lambda me, ok, reply: {"score": reply.json()[0], "id": None},
        says={"shows": lambda me, ok, shown, _: [shown]}),
    odd("Large", "It refuses pictures of less than 20 KB.",
        capabilities=evolve(USUAL, image_limits=ImageLimits(min_bytes=20_000)),
        says={"limits": ImageLimits(min_bytes=20_000),
            "pictures_for": lambda me, ok, _: (noise(1, (320, 320)), noise(2, (320, 320)))}),
    odd("LiveOnly", "It takes no comparisons.",
        capabilities=Capabilities(liveness_scale="unusual/v1", default_liveness_threshold=50.0,
            **dict.fromkeys(("operations", "billed_operations"), frozenset({LIVENESS}))),
        says={"cannot_happen": {each: why for each, why in CANNOT.items()
            if each is not Situation.SPOOF}}),
    odd("Numbered", "It numbers its errors: 7 is one of its own, free and worth another try.",
        error_codes={7: INTERNAL}, error_code=lambda me, ok, reply: reply.at("code"),
        says={"answered": lambda me, ok, words, key, situation, score:
            (500, {"code": 7}) if situation is Situation.OUTAGE
            else ok(words, key, situation, score)}),
    odd("OldDays", "A token of an earlier day is refused by a 200, and a new one is used at once.",
        codes_in_200=True, error_codes={110: OLD_DAY},
        error_code=lambda me, ok, reply: reply.at("code"), should_relogin=learns_the_day,
        sign=lambda me, ok, request, call, **how: evolve(
            request, headers={**request.headers, "X-Day": vars(me).get("day", "0")}),
        says={"set_situation": begins_a_day, "answer": refuses_old_days,
            "counts": lambda me, ok, request: request.headers["X-Day"] == me.day}),
    odd("RefusedUploads", "It refuses a picture without a face before there is a check.",
        base=CheckReference, answers=CheckSimulator, says={"answer": refuses_uploads},
        parse_non_200=lambda me, ok, call, reply: evolve(nobody(call), warnings=(
            fm.backend.NO_FACE,)) if reply.at("error") == "no_face" else None),
)
# fmt: on


@pytest.mark.slow
@pytest.mark.parametrize("plug_in", ODD, ids=lambda plug_in: plug_in.name)
def test_what_is_right_conforms(plug_in):
    assert not failures(run(plug_in.make))


@pytest.mark.slow
def test_a_request_that_comes_too_late_is_not_counted_with_the_next():
    """Its machine is busy: a call that is given 0.1 s has gone when it is heard."""

    def set_situation(me, ok, situation, **how):
        vars(me)["stalls"] = situation in STALLS
        ok(situation, **how)

    def counts(me, ok, request):
        time.sleep(0.12 * (me.stalls and request.method == "POST"))
        return ok(request)

    late = derived(JobSimulator, "Late", set_situation=set_situation, counts=counts)
    signs = derived(JobReference, "Signs", sign=lambda me, ok, *call, **how: ok(*call, **how))
    [case] = run(lambda: late(signs), {"R19"})
    assert case.status is Status.PASSED, case
