"""Mutants that read an answer wrong: its score, its faces, and words that nobody knows."""

from mutants.faults import (
    FAIL,
    FREE,
    INCONCLUSIVE,
    LIVENESS,
    MATCH,
    REVIEW,
    BelievesAVerdictAlone,
    ComparesAlone,
    DecidesByItself,
    evolve,
)
from mutants.making import caught_by, vendor
from mutants.reference import PASS, ReferenceBackend, can
from mutants.vendors import PassesWithTheBestScore, RefusedReference, TellsOfPhotos

import facematch_core as fm
from facematch_core import models

# R02: A score lies on its scale, and the verdict is the vendor's.


@caught_by("R02")
class ClampedScore(ReferenceBackend):
    """No score may look too good to be true."""

    def score(self, call, number):
        if number is None:
            return None
        return super().score(call, min(max(number, 1.0), 99.0))


@caught_by("R02")
class ZeroIsNone(ReferenceBackend):
    """`if score` where `if score is not None` was meant."""

    def score(self, call, number):
        return super().score(call, number or None)


@caught_by("R02")
class AtLeastForAbove(ReferenceBackend):
    """>= where > is declared."""

    def decision(self, call, body, score):
        if score and score.value == self.threshold(call):
            return PASS[call.operation]
        return super().decision(call, body, score)


@caught_by("R02")
class RoundsTheThreshold(DecidesByItself):
    """Where the vendor has a rule of its own it is sent one decimal of a threshold."""

    def threshold(self, call):
        if call.threshold is None:
            return None
        return round(call.threshold.value, 1)


@caught_by("R02")
class ZeroForNone(ReferenceBackend):
    """0 where the vendor gave no score."""

    def score(self, call, number):
        return super().score(call, number or 0.0)

    def decision(self, call, body, score):
        if body["score"] is not None:
            return super().decision(call, body, score)
        return INCONCLUSIVE[call.operation]


@caught_by("R02")
class VerdictWithoutScore(ReferenceBackend):
    """Believes a "yes" that cannot be held against the caller's threshold."""

    def unscored(self, call, decision):
        if decision is PASS[call.operation]:
            return decision
        return super().unscored(call, decision)


@caught_by("R02")
class NoScoreIsFree(ReferenceBackend):
    """A verdict without its score is odd, and said to be free."""

    def result(self, call, body):
        if body["score"] is not None or body["warnings"]:
            return super().result(call, body)
        raise fm.UnexpectedResponse("No score.", billing=FREE)


@caught_by("R02")
class PassesWithoutItsScore(BelievesAVerdictAlone, ReferenceBackend):
    """Drops a score beyond the scale, and believes the verdict beside it."""

    def drops(self, number):
        return isinstance(number, float) and number > 100


@caught_by("R02")
class SaysTheVendorSetIt(ReferenceBackend):
    """Reports the caller's threshold as one that the vendor chose."""

    def result(self, call, body):
        result = super().result(call, body)
        if call.threshold is None:
            return result
        threshold = evolve(call.threshold, source=models.ThresholdSource.VENDOR)
        return evolve(result, threshold=threshold)


@caught_by("R02")
class LeavesANoToAPerson(ReferenceBackend):
    """Who does not pass is left to a person."""

    def decision(self, call, body, score):
        decision = super().decision(call, body, score)
        if decision is FAIL[call.operation]:
            return REVIEW[call.operation]
        return decision


@caught_by("R02")
class LeavesANoAtAThresholdToAPerson(ReferenceBackend):
    """A no is left to a person if a caller sets a threshold."""

    def decision(self, call, body, score):
        decision = super().decision(call, body, score)
        is_of_caller = call.threshold.source is models.ThresholdSource.CALLER
        if is_of_caller and decision is FAIL[call.operation]:
            return REVIEW[call.operation]
        return decision


@caught_by("R02")
class ScoreOfAnotherScale(ReferenceBackend):
    """A score is reported on a scale that is not declared."""

    def score(self, call, number):
        if number is None:
            return number
        return fm.Score(number, "reference/other")


@caught_by("R02")
class MultipliesTheFraction(ReferenceBackend):
    """A fraction is multiplied in binary, and 29 % is below 29."""

    def score(self, call, number):
        if number is None:
            return number
        return evolve(super().score(call, number), value=number / 100 * 100, raw=number / 100)


@caught_by("R02")
class RoundsTheScore(ReferenceBackend):
    """A score has one decimal, where the vendor gives more."""

    def score(self, call, number):
        if number is None:
            return None
        return super().score(call, round(number, 1))


@caught_by("R02")
class RoundsHighScores(ReferenceBackend):
    """A high score is a whole number, with which no usual threshold decides otherwise."""

    def score(self, call, number):
        if number is None or number <= 62:
            return super().score(call, number)
        return super().score(call, round(number))


@caught_by("R02")
class NobodyIsAnotherPerson(ReferenceBackend):
    """A picture without a face is a no, as the vendor words it."""

    def unscored(self, call, decision):
        if decision is FAIL[call.operation]:
            return decision
        return super().unscored(call, decision)


@caught_by("R02")
class NobodyIsNotTold(ReferenceBackend):
    """The warning that there is no face is left out."""

    def warnings(self, body):
        all_warnings = super().warnings(body)
        return tuple(w for w in all_warnings if w.code is not fm.WarningCode.NO_FACE)


@caught_by("R02")
class ZeroWithoutAFace(ReferenceBackend):
    """A picture without a face has a score of 0."""

    def result(self, call, body):
        if body["faces"]:
            return super().result(call, body)
        return evolve(
            super().result(call, body), score=fm.Score(0.0, self.capabilities.score_scale)
        )


@caught_by("R02")
class JudgesByTheCallersThreshold(DecidesByItself):
    """A threshold of the caller puts no match in the place of the vendor's verdict."""

    def decision(self, call, body, score):
        if call.threshold is None or score is None:
            return super().decision(call, body, score)
        return PASS[call.operation] if call.threshold.passes(score.value) else FAIL[call.operation]


@caught_by("R02")
class TakesALookForAYes(RefusedReference):
    """The vendor's third word counts as its first."""

    def decision(self, call, body, score):
        is_look = body["verdict"] == "look"
        return super().decision(call, {**body, "verdict": "yes"} if is_look else body, score)


@caught_by("R02")
class NamesAThresholdOfItsOwn(DecidesByItself):
    """A default threshold is reported, and none is set."""

    reported_threshold = fm.Threshold(
        50.0, models.ThresholdRule.VENDOR, models.ThresholdSource.DEFAULT
    )

    def result(self, call, body):
        threshold = call.threshold or self.reported_threshold
        return evolve(super().result(call, body), threshold=threshold)


@caught_by("R02", TellsOfPhotos)
class ReadsNoWordOfAPhoto(ComparesAlone):
    """Does not read that the probe of a comparison is a photo."""

    def decision(self, call, body, score):
        return super().decision(
            call, {**body, "verdict": body["verdict"].replace("photo", "yes")}, score
        )


@caught_by("R02")
class DeclaresAScaleForNothing(DecidesByItself):
    """A scale is declared, and no result has a score."""

    def threshold(self, call):
        return None

    def score(self, call, number):
        return None

    def unscored(self, call, decision):
        return decision


@caught_by("R02", PassesWithTheBestScore)
class PassesAtTheEdge(ReferenceBackend):
    """The simulator's pass has the best score of all."""


@caught_by("R02", vendor(vendor_thresholds={MATCH: 25.0, LIVENESS: 25.0}))
class TakesAnotherRate(NamesAThresholdOfItsOwn):
    """The threshold of another rate is read in the answer."""

    reported_threshold = fm.Threshold(
        35.0, models.ThresholdRule.VENDOR, models.ThresholdSource.VENDOR
    )


# R12: Two faces are told, and boxes are where faces are.


@caught_by("R12")
class DropsInformation(ReferenceBackend):
    """Only grave warnings are handed on."""

    def warnings(self, body):
        all_warnings = super().warnings(body)
        return tuple(w for w in all_warnings if w.severity is not models.Severity.INFORMATION)


@caught_by("R12")
class TheLowerOfTwo(ReferenceBackend):
    """Of two faces in a picture that which is less alike is taken."""

    def decision(self, call, body, score):
        if len(body["faces"].get("probe", ())) > 1:
            return FAIL[call.operation]
        return super().decision(call, body, score)


@caught_by("R12")
class ComparedWithNobody(ReferenceBackend):
    """Each face has its likeness, and none is the one compared."""

    def result(self, call, body):
        result = super().result(call, body)
        if result.score is None:
            return result
        faces = [
            evolve(face, similarity=result.score, compared=False) for face in result.probe_faces
        ]
        return evolve(result, probe_faces=faces)


@caught_by("R12")
class FacesSwapped(ReferenceBackend):
    """The faces of the reference are reported as those of the probe."""

    def faces(self, body, place):
        if place == "probe":
            return super().faces(body, "reference")
        return super().faces(body, "probe")


@caught_by("R12")
class FacesNeverGiven(ReferenceBackend):
    """Declares that it says where faces are, and never does."""

    def faces(self, body, place):
        return tuple(evolve(face, box=None) for face in super().faces(body, place))


@caught_by("R12")
class TwoWereCompared(ReferenceBackend):
    """Every face of a picture is reported as the compared one."""

    def faces(self, body, place):
        return tuple(evolve(face, compared=True) for face in super().faces(body, place))


@caught_by("R12")
class FacesUndeclared(ReferenceBackend):
    """Says where faces are, and does not declare it."""

    capabilities = can(reports_faces=False)


@caught_by("R12")
class TellsOfOneFace(ReferenceBackend):
    """Of several faces one is reported."""

    def faces(self, body, place):
        return super().faces(body, place)[:1]


@caught_by("R12")
class CutsTheChin(ReferenceBackend):
    """The box of a face ends a little above the chin."""

    def box(self, edges):
        return super().box((*edges[:3], edges[3] - 0.05))


# R14: The largest face decides.


@caught_by("R14")
class TakesTheMostSimilar(ReferenceBackend):
    """Of several faces the most similar one decides."""

    def by_face(self, call, faces):
        return evolve(
            super().by_face(call, faces),
            decision=fm.Decision.MATCH,
            score=faces[1].similarity,
            faces=[evolve(face, compared=face is faces[1]) for face in faces],
        )


@caught_by("R14")
class ScoreOfTheSmaller(ReferenceBackend):
    """A review, with the score of the smaller face."""

    def by_face(self, call, faces):
        return evolve(super().by_face(call, faces), score=faces[1].similarity)


@caught_by("R14")
class ComparesTheSmaller(TakesTheMostSimilar):
    """A review, with the smaller face as the compared one."""

    def by_face(self, call, faces):
        return evolve(super().by_face(call, faces), decision=fm.Decision.REVIEW)


@caught_by("R14")
class ForgetsTheSmaller(ReferenceBackend):
    """A smaller face that matches leaves it at no match."""

    def by_face(self, call, faces):
        return evolve(super().by_face(call, faces), decision=fm.Decision.NO_MATCH)


@caught_by("R14")
class HidesTheSmaller(ReferenceBackend):
    """The warning that a smaller face matches is left out."""

    def by_face(self, call, faces):
        return evolve(super().by_face(call, faces), warnings=())
