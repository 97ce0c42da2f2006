"""Vendors of mutants that are no form of the reference's: what each answers otherwise."""

import base64
import io
from typing import ClassVar

from mutants.making import SIMULATORS
from mutants.reference import (
    LIMITS,
    HttpReference,
    HttpReferenceSimulator,
    ReferenceSimulator,
)
from PIL import Image as Pillow

import facematch_core as fm
from facematch_core.backend import NO_FACE
from facematch_core.http import ErrorRow, InconclusiveRow
from facematch_core.testing import Refusal, Situation, Verdict, noise


class TellsOfPhotos(ReferenceSimulator):
    """The vendor, who only compares, and says beside that if the probe is a photograph."""

    situations = ReferenceSimulator.situations - {Situation.LIVE}

    def answered(self, words, key, situation, score):
        if situation is not Situation.SPOOF:
            return super().answered(words, key, situation, score)
        status, body = super().answered(words, key, Situation.SAME_PERSON, score)
        return status, {**body, "verdict": "photo"}


class LooksAtSizes(ReferenceSimulator):
    """The vendor, who refuses what is larger than it says."""

    looks_at_pictures = True
    limits = None

    def answered(self, words, key, situation, score):
        reply = super().answered(words, key, situation, score)
        if len(base64.b64decode(words["probe"])) > LIMITS.max_bytes:
            return 400, {"error": "no"}
        return reply


class ChargesNobody(ReferenceSimulator):
    """The vendor, who charges nobody."""

    @property
    def charges(self):
        return 0

    @charges.setter
    def charges(self, count):
        pass


class ScoresOneNumber(ReferenceSimulator):
    """The vendor, who cannot be told a score to answer with."""

    situations = ReferenceSimulator.situations - {Situation.SCORE}


class PassesWithTheBestScore(ScoresOneNumber):
    """The vendor, whose pass has the best score of all."""

    def answered(self, words, key, situation, score):
        status, body = super().answered(words, key, situation, score)
        if body.get("score") == 93.5:
            body = {**body, "score": 100.0}
        return status, body


class GivesOneId(HttpReferenceSimulator):
    """The vendor, who gives each call the id of the first one."""

    def answered(self, words, key, situation, score):
        status, body = super().answered(words, key, situation, score)
        if "id" in body:
            body = {**body, "id": "call-1"}
        return status, body


class ShowsWhereItFailed(HttpReferenceSimulator):
    """The vendor, whose errors of the server have a traceback."""

    def answered(self, words, key, situation, score):
        status, body = super().answered(words, key, situation, score)
        if status == 503:
            traceback = (
                'Traceback (most recent call last):\n  File "/app/service.py", line 48, in compare'
            )
            body = {"error": f"No. {traceback}"}
        return status, body


class HttpNeverWithoutAFace(HttpReferenceSimulator):
    """The vendor, in whose pictures a face is never missing."""

    situations = HttpReferenceSimulator.situations - {Situation.NO_FACE}


class HasOnePicture(ReferenceSimulator):
    """The vendor, whose two pictures are one."""

    def pictures(self):
        picture = noise(7, (120, 80))
        return picture, picture


class HasPlainPictures(ReferenceSimulator):
    """The vendor, whose pictures have one colour and no bytes to tell them by."""

    def pictures(self):
        return self.of_one_colour(90), self.of_one_colour(120)

    def of_one_colour(self, level):
        buffer = io.BytesIO()
        Pillow.new("RGB", (96, 96), (level, level, level)).save(buffer, "PNG", compress_level=0)
        return fm.Image.from_bytes(buffer.getvalue())


class ReceivesBase64(ReferenceSimulator):
    """The vendor, who shows what it received undecoded."""

    @property
    def received(self):
        return {**super().received, "probe": self.words["probe"]}


class RefusedReference(HttpReference):
    """Conforms; reads the refusals that its vendor documents beside the situations."""

    error_codes: ClassVar = {
        "blank": InconclusiveRow(NO_FACE, fm.Charged.NO, "the vendor's page"),
        "busy": ErrorRow(
            fm.RateLimited, fm.Charged.UNKNOWN, "not documented", "it is busy", retryable=False
        ),
    }

    def error_code(self, reply):
        return reply.at("error")


#: What the vendor answers of whom it accepts, but for the verdict.
ANSWER = {"score": 93.5, "warnings": [], "faces": {}, "id": "-"}


class RefusesAsDocumented(HttpReferenceSimulator):
    """The vendor, who documents refusals and verdicts beside the situations."""

    refusals = (
        Refusal(status=413, body={"error": "big"}, error=fm.RequestRejected, charged=fm.Charged.NO),
        Refusal(status=422, body={"error": "blank"}, error=None, charged=fm.Charged.NO),
        Refusal(
            status=403, body={"error": "busy"}, error=fm.RateLimited, charged=fm.Charged.UNKNOWN
        ),
        Refusal(
            status=429,
            headers={"Retry-After": "7"},
            body={"error": "slow"},
            error=fm.RateLimited,
            charged=fm.Charged.NO,
        ),
    )

    verdicts = (
        Verdict(body={**ANSWER, "verdict": "look"}, decision=fm.Decision.REVIEW),
        Verdict(body={**ANSWER, "verdict": "no"}, decision=fm.Decision.NO_MATCH),
        Verdict(body={**ANSWER, "verdict": "look"}, decision=fm.LivenessDecision.REVIEW),
    )

    def __init__(self, backend_class=RefusedReference):
        super().__init__(backend_class)


SIMULATORS[RefusedReference] = RefusesAsDocumented
