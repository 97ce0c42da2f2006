"""No rule punishes a backend that tells the truth in a way of its own."""

import json

import attrs
import pytest
from mutants.reference import (
    HttpReferenceSimulator,
    Library,
    ReferenceBackend,
    ReferenceSimulator,
    SdkReference,
    StepsReference,
    StepsSimulator,
)

from facematch_core import Billing, Charged, UnexpectedResponse
from facematch_core.testing import Status
from facematch_core.testing.conformance import run_rules


def statuses(rule, make):
    """Of each case of a rule."""
    return {case.status for case in run_rules(make, rules={rule})}


class NoScoreNoAnswer(ReferenceBackend):
    """A verdict without its score is an answer that it cannot read."""

    charge = Charged.YES

    def result(self, call, body):
        if body["score"] is None and not body["warnings"]:
            problem = UnexpectedResponse("No score.", billing=Billing(self.charge, "answered"))
            del call, body
            raise problem
        return super().result(call, body)


@pytest.mark.parametrize("rule", ["R10", "R16", "R21"])
def test_a_null_score_may_be_an_answer_that_cannot_be_read(rule):
    """It was paid, and says so."""
    assert statuses(rule, lambda: ReferenceSimulator(NoScoreNoAnswer)) == {Status.PASSED}


def test_but_not_one_that_was_free():
    """The vendor has charged it."""
    sparing = type("Sparing", (NoScoreNoAnswer,), {"charge": Charged.NO})
    assert statuses("R10", lambda: ReferenceSimulator(sparing)) == {Status.FAILED}


def test_a_vendor_may_have_codes_alone():
    """A warning's text is compared where there is one."""

    class Codes(ReferenceSimulator):
        unknown_warning = (ReferenceSimulator.unknown_warning[0], None)

    class Silent(ReferenceBackend):
        def warnings(self, body):
            return tuple(attrs.evolve(warning, text=None) for warning in super().warnings(body))

    assert statuses("R14", lambda: Codes(Silent)) == {Status.PASSED}
    assert statuses("R14", lambda: ReferenceSimulator(Silent)) == {Status.FAILED}


class FreeUploads(StepsReference):
    """Its vendor charges the comparison, and no upload."""

    def upload(self, data):
        return attrs.evolve(super().upload(data), charges=0)


class FreeUploadsSimulator(StepsSimulator):
    """That vendor: an upload is free whatever is answered."""

    def answer(self, request, situation, score):
        reply = super().answer(request, situation, score)
        return reply if self.ends(request) else attrs.evolve(reply, charged=False)


@pytest.mark.parametrize("rule", ["R16", "R17", "R18", "R19", "R38"])
@pytest.mark.long
def test_a_step_may_be_free(rule):
    """Also where its answer cannot be read, or has no end."""
    found = statuses(rule, lambda: FreeUploadsSimulator(FreeUploads))
    assert found <= {Status.PASSED, Status.DOES_NOT_APPLY}


class Strict(Library):
    """A library that raises an error of its own where the score is missing."""

    def ask(self, path, key, words):
        status, content = super().ask(path, key, words)
        if status == 200:
            json.loads(content)["score"]
        return status, content


@pytest.mark.parametrize("rule", ["R17", "R38", "R39"])
@pytest.mark.long
def test_a_library_may_fall_over_an_answer(rule):
    """Then nobody knows of a charge: it does not say that there was an answer."""
    strictly = type(
        "AsksStrictly", (SdkReference,), {"library": property(lambda me: Strict(me.address))}
    )
    assert statuses(rule, lambda: HttpReferenceSimulator(strictly)) == {Status.PASSED}
