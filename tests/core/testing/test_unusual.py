"""Plug-ins that are right, of vendors unlike each bundled one: the kit finds nothing wrong.

Bundled vendors with a distance (DeepFace) and with thresholds of their own (Face++) are held to the
contract in `tests/backends`.
"""

from typing import ClassVar

import attrs
import pytest
from kit.contract import failures, run
from mutants.faults import LIVENESS, MATCH
from mutants.reference import (
    KEEPS_NOTHING,
    PLACES,
    HttpReference,
    HttpReferenceSimulator,
    in_base64,
)

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import Capabilities, ImageLimits
from facematch_core.testing import Situation

DECISIONS = {True: fm.Decision.MATCH, False: fm.Decision.NO_MATCH, None: fm.Decision.INCONCLUSIVE}


class ChecksLivenessAlone(HttpReference):
    """Its vendor takes no comparisons."""

    capabilities = attrs.evolve(
        KEEPS_NOTHING,
        operations=frozenset({LIVENESS}),
        billed_operations=frozenset({LIVENESS}),
    )


@attrs.define(kw_only=True, eq=False, slots=False)
class SaysYesOrNo(HttpReference):
    """Its vendor answers with a list of yes or no alone: nobody knows one answer from another."""

    capabilities = Capabilities(
        billed_operations=frozenset({MATCH}), threshold_rule=models.ThresholdRule.VENDOR
    )

    def request(self, call):
        return {place: in_base64(data) for place, data in self.pictures(call).items()}

    def parse(self, request, reply):
        [is_same] = reply.json()
        if type(is_same) not in (bool, type(None)):
            raise TypeError("It is no verdict.")
        return fm.MatchResult(
            decision=DECISIONS[is_same],
            warnings=(fm.backend.NO_FACE,) if is_same is None else (),
            backend=self.name,
            billing=fm.Billing(fm.Charged.YES, "the vendor's page on prices"),
        )


class YesOrNoVendor(HttpReferenceSimulator):
    limits = ImageLimits()
    faces: ClassVar = {}
    cannot_happen: ClassVar = {
        Situation.SPOOF: "It has no word for that.",
        Situation.TWO_FACES: "It counts no faces.",
        Situation.SMALLER_FACE_MATCHES: "It compares the largest face.",
        Situation.NO_CREDIT: "It sends a bill.",
        Situation.SCORE: "It has no score.",
        Situation.NULL_SCORE: "It has no score.",
        Situation.IMPOSSIBLE_SCORE: "It has no score.",
    }

    def __init__(self):
        super().__init__(SaysYesOrNo)
        self.situations = super().situations - self.cannot_happen.keys()

    @property
    def received(self):
        return {place: data for place, data in super().received.items() if place in PLACES}

    def answered(self, words, key, situation, score):
        status, body = super().answered({**words, "retention": "minimal"}, key, situation, score)
        if "score" not in body:
            return status, body
        return status, [None if body["score"] is None else body["verdict"] == "yes"]


@pytest.mark.slow
def test_plug_in_that_only_checks_liveness_conforms():
    assert not failures(run(lambda: HttpReferenceSimulator(ChecksLivenessAlone)))


@pytest.mark.slow
def test_plug_in_without_scores_conforms():
    assert not failures(run(YesOrNoVendor))
