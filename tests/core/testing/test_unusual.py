"""Plug-ins that are right, of vendors unlike most: the kit finds nothing wrong with any of them."""

import base64
import itertools
import math
import time
from typing import ClassVar

import attrs
import pytest
from kit.contract import failures, run
from mutants.faults import nobody
from mutants.reference import CheckReference, CheckSimulator

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import Capabilities, ImageLimits
from facematch_core.http import ApiKeyBackend, ErrorRow, HttpRequest
from facematch_core.testing import HttpSimulator, SimulatorReply, Situation, noise
from facematch_core.testing.simulator import STALLS

KEY = "an-unusual-key-4f7e1c2ab9"
MATCH, LIVENESS = fm.Operation.MATCH, fm.Operation.LIVENESS
WORDS = {
    MATCH: (fm.Decision.MATCH, fm.Decision.NO_MATCH, fm.Decision.INCONCLUSIVE),
    LIVENESS: (
        *(fm.LivenessDecision.LIVE, fm.LivenessDecision.NOT_LIVE),
        fm.LivenessDecision.INCONCLUSIVE,
    ),
}
USUAL = {
    "score_scale": "unusual/v1",
    "default_threshold": 75.0,
    "billed_operations": frozenset({MATCH}),
}


@attrs.frozen(kw_only=True)
class Cosine(ApiKeyBackend):
    """Its vendor gives a cosine, from -1 to 1."""

    name = "unusual"
    allowed_hosts = frozenset({"api.unusual.example"})
    capabilities = Capabilities(**USUAL)
    base_url: str = "https://api.unusual.example"

    def build(self, call):
        pictures = {"probe": call.probe, "reference": getattr(call, "reference", None)}
        words = {n: base64.b64encode(p.data).decode() for n, p in pictures.items() if p}
        return HttpRequest(
            url=f"{self.address}/ask", headers={"X-Key": self.api_key}, json=self.ask_for(words)
        )

    def ask_for(self, words):
        return words

    def parse(self, call, reply):
        score = self.score(reply.json())
        passes, fails, inconclusive = WORDS[call.operation]
        decision = inconclusive
        if score is not None:
            decision = passes if self.passes(call, reply.json(), score) else fails
        return self.result(call, reply.json(), decision, score)

    def result(self, call, body, decision, score):
        kind = fm.MatchResult if call.operation is MATCH else fm.LivenessResult
        charged = fm.Charged.YES if self.capabilities.billed_operations else fm.Charged.NO
        return kind(
            decision=decision,
            score=score,
            warnings=(fm.backend.NO_FACE,) if decision is WORDS[call.operation][2] else (),
            backend=self.name,
            ids=models.Ids(vendor=self.id_of(body)),
            billing=fm.Billing(charged, "the vendor's page on prices"),
        )

    def score(self, body):
        number = body["score"]
        if number is None:
            return None
        if type(number) not in (int, float):
            raise TypeError("It is no number.")
        how = {"raw": number, "raw_name": "score", "source": models.ScaleSource.DOCUMENTED}
        return fm.Score(self.percent(number), "unusual/v1", **how)

    def percent(self, number):
        return 50 + 50 * number

    def passes(self, call, body, score):
        return call.threshold.passes(score.value)

    def id_of(self, body):
        return body["id"]


class Vendor(HttpSimulator):
    """Answers every call with a score, and that of nobody without one."""

    plug_in: ClassVar[type] = Cosine
    impossible: ClassVar[object] = 9
    usual, low = Situation.SAME_PERSON, Situation.DIFFERENT_PEOPLE
    limits: ClassVar[ImageLimits] = ImageLimits()
    secrets = (KEY,)
    cannot_happen: ClassVar = {
        Situation.SPOOF: "It has no word for that.",
        Situation.TWO_FACES: "It counts no faces.",
        Situation.NO_CREDIT: "It sends a bill.",
    }

    def __init__(self):
        super().__init__()
        self.numbers = itertools.count(1)

    @property
    def situations(self):
        situations = {
            *(self.usual, self.low, Situation.SCORE, Situation.UNREADABLE_200, Situation.BAD_KEY),
            *(Situation.REJECTED, Situation.THROTTLED, Situation.OUTAGE, Situation.NO_FACE),
            *(Situation.NULL_SCORE, Situation.IMPOSSIBLE_SCORE),
        }
        return (HttpSimulator.FAULTS | situations) - self.cannot_happen.keys()

    def backend(self, **settings):
        return self.plug_in(**{"api_key": KEY, "base_url": self.url} | settings)

    @property
    def received(self):
        words = {} if self.last is None else self.pictures_in(self.last.json())
        return {name: base64.b64decode(data) for name, data in words.items()}

    def pictures_in(self, words):
        return words

    def answer(self, request, situation, score):
        refusals = {Situation.REJECTED: 422, Situation.THROTTLED: 429, Situation.OUTAGE: 503}
        if request.headers["X-Key"] != KEY or situation is Situation.BAD_KEY:
            return SimulatorReply(status=401, body={"error": f"Unknown key {KEY}."})
        if situation in refusals:
            return SimulatorReply(status=refusals[situation], body={"error": "No."})
        charged = bool(self.plug_in.capabilities.billed_operations)
        if situation is Situation.UNREADABLE_200:
            return SimulatorReply(body={"result": "ok"}, charged=charged)
        number = score if score is not None else 12.25 if situation is self.low else 93.5
        shown = self.spell(number)
        if situation in (Situation.NO_FACE, Situation.NULL_SCORE):
            shown = None
        elif situation is Situation.IMPOSSIBLE_SCORE:
            shown = self.impossible
        return SimulatorReply(body=self.body(shown, number), charged=charged)

    def spell(self, score):
        return score / 50 - 1

    def body(self, shown, number):
        return {"score": shown, "id": f"u-{next(self.numbers)}"}


class Likelihood(Cosine):
    """Its vendor gives the logarithm of a likelihood ratio, which has no end on either side."""

    def percent(self, number):
        return 100 / (1 + math.exp(-number))


class VendorOfLikelihood(Vendor):
    plug_in = Likelihood
    cannot_happen: ClassVar = {
        **Vendor.cannot_happen,
        Situation.IMPOSSIBLE_SCORE: "Each number is on its scale.",
    }

    def spell(self, score):
        part = min(max(score / 100, 1e-15), 1 - 1e-15)
        return math.log(part / (1 - part))


class Distance(Cosine):
    """Its vendor gives a distance, from 0 to 2, of which the smaller is the better."""

    def percent(self, number):
        return 100 - 50 * number


class VendorOfDistance(Vendor):
    plug_in = Distance

    def spell(self, score):
        return 2 - score / 50


class InText(Cosine):
    """Its vendor spells the number as text, and it is read as nothing else."""

    def score(self, body):
        number = body["score"]
        if number is None:
            return None
        if type(number) is not str:
            raise TypeError("It is no text.")
        return fm.Score.from_fraction(float(number), "unusual/v1")


class VendorOfInText(Vendor):
    plug_in = InText
    impossible = "1.7"

    def spell(self, score):
        return str(score / 100)


class OwnThresholds(Cosine):
    """Its vendor sends a threshold of its own with each answer, and takes none."""

    capabilities = Capabilities(
        **USUAL | {"threshold_rule": models.ThresholdRule.VENDOR, "default_threshold": None}
    )

    def passes(self, call, body, score):
        limit = body["thresholds"]["1e-4"]
        if type(limit) is not float:
            raise TypeError("It is no threshold.")
        return score.raw >= limit and (
            call.threshold is None or score.value >= call.threshold.value
        )


class VendorOfOwnThresholds(Vendor):
    plug_in = OwnThresholds

    def body(self, shown, number):
        return super().body(shown, number) | {"thresholds": {"1e-3": 0.3, "1e-4": 0.5}}


class VerdictOnly(Cosine):
    """Its vendor says yes or no, and nothing more; nobody knows one answer from another."""

    capabilities = Capabilities(
        billed_operations=frozenset({MATCH}), threshold_rule=models.ThresholdRule.VENDOR
    )

    def parse(self, call, reply):
        yes, no, inconclusive = WORDS[call.operation]
        words = {True: yes, False: no, None: inconclusive}
        if type(reply.json()["same"]) not in (bool, type(None)):
            raise TypeError("It is no verdict.")
        return self.result(call, reply.json(), words[reply.json()["same"]], None)

    def id_of(self, body):
        return None


class VendorOfVerdicts(Vendor):
    plug_in = VerdictOnly
    cannot_happen: ClassVar = {
        **Vendor.cannot_happen,
        **dict.fromkeys(
            (Situation.SCORE, Situation.NULL_SCORE, Situation.IMPOSSIBLE_SCORE), "It has no score."
        ),
    }

    def body(self, shown, number):
        return {"same": None if shown is None else number > 50}


class FreeLists(Cosine):
    """Its vendor is free, takes a list of pictures, and answers with a list."""

    capabilities = Capabilities(**USUAL | {"billed_operations": frozenset()})

    def ask_for(self, words):
        return list(words.values())

    def parse(self, call, reply):
        score = self.score({"score": reply.json()[0]})
        passes, fails, inconclusive = WORDS[call.operation]
        decision = inconclusive if score is None else fails
        if score is not None and call.threshold.passes(score.value):
            decision = passes
        return self.result(call, reply.json(), decision, score)

    def id_of(self, body):
        return None


class VendorOfLists(Vendor):
    plug_in = FreeLists

    def pictures_in(self, words):
        return dict(zip(("probe", "reference"), words, strict=True))

    def body(self, shown, number):
        return [shown]


class Large(Cosine):
    """Its vendor refuses pictures of less than 20 KB."""

    capabilities = Capabilities(**USUAL, image_limits=ImageLimits(min_bytes=20_000))


class VendorOfLarge(Vendor):
    plug_in = Large
    limits = Large.capabilities.image_limits

    def pictures_for(self, situation):
        return noise(1, (320, 320)), noise(2, (320, 320))


class LiveOnly(Cosine):
    """Its vendor takes no comparisons."""

    capabilities = Capabilities(
        operations=frozenset({LIVENESS}),
        billed_operations=frozenset({LIVENESS}),
        liveness_scale="unusual/v1",
        default_liveness_threshold=50.0,
    )


class VendorOfLiveOnly(Vendor):
    plug_in = LiveOnly
    usual, low = Situation.LIVE, Situation.SPOOF
    cannot_happen: ClassVar = {
        situation: why
        for situation, why in Vendor.cannot_happen.items()
        if situation is not Situation.SPOOF
    }


class Numbered(Cosine):
    """Its vendor numbers its errors: 7 is one of its own, free and worth another try."""

    error_codes: ClassVar = {
        7: ErrorRow(fm.VendorUnavailable, fm.Charged.NO, "the vendor's page", "an internal error")
    }

    def error_code(self, reply):
        return reply.at("code")


class VendorOfNumbers(Vendor):
    plug_in = Numbered

    def answer(self, request, situation, score):
        if situation is Situation.OUTAGE:
            return SimulatorReply(status=500, body={"code": 7})
        return super().answer(request, situation, score)


class RefusedUploads(CheckReference):
    """Its vendor refuses a picture without a face at the upload, before there is a check."""

    def parse_non_200(self, call, reply):
        if reply.at("error") != "no_face":
            return None
        return attrs.evolve(nobody(call), warnings=(fm.backend.NO_FACE,))


class VendorOfUploads(CheckSimulator):
    plug_in = RefusedUploads

    def __init__(self):
        super().__init__(RefusedUploads)

    def answer(self, request, situation, score):
        is_upload = request.path.startswith("/applicants/") and request.body
        if is_upload and situation is Situation.NO_FACE:
            return SimulatorReply(status=422, body={"error": "no_face"})
        return super().answer(request, situation, score)


VENDORS = (
    *(Vendor, VendorOfLikelihood, VendorOfDistance, VendorOfInText, VendorOfOwnThresholds),
    *(VendorOfVerdicts, VendorOfLists, VendorOfLarge, VendorOfLiveOnly, VendorOfUploads),
    VendorOfNumbers,
)


@pytest.mark.slow
@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.plug_in.__name__)
def test_what_is_right_conforms(vendor):
    assert not failures(run(vendor))


@pytest.mark.slow
def test_a_request_that_comes_too_late_is_not_counted_with_the_next():
    class Late(VendorOfLiveOnly):
        """Its machine is busy: a call that is given 0.1 s has gone when it is heard."""

        def _serve(self, request):
            if self._situation in STALLS:
                time.sleep(0.12)
            return super()._serve(request)

    assert not failures(run(Late, {"R19"}))
