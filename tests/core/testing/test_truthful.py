"""No rule punishes a backend that tells the truth in a way of its own."""

import json

import attrs
import pytest
from mutants.reference import (
    HttpReference,
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
from facematch_core.testing.running import run


def cases(rule, backend, simulator=None):
    """What comes out of one rule, and why."""
    usual = HttpReferenceSimulator if issubclass(backend, HttpReference) else ReferenceSimulator
    make = simulator or usual
    found = run({"it": lambda: make(backend)}, aimed={"it": rule})["it"]
    return {(case.status, case.reason) for case in found}


PASSED = {(Status.PASSED, "")}


class NoScoreNoAnswer(ReferenceBackend):
    """A verdict without its score is an answer that it cannot read."""

    charge = Charged.YES

    def result(self, call, body):
        if body["score"] is None and not body["warnings"]:
            problem = UnexpectedResponse("No score.", billing=Billing(self.charge, "answered"))
            del call, body
            raise problem
        return super().result(call, body)


@pytest.mark.parametrize("rule", ["R04", "R10", "R16", "R21", "R29", "R34", "R41"])
def test_a_null_score_may_be_an_answer_that_cannot_be_read(rule):
    """It was paid, and says so."""
    assert cases(rule, NoScoreNoAnswer) == PASSED


def test_but_not_one_that_was_free():
    """The vendor has charged it."""

    class Sparing(NoScoreNoAnswer):
        charge = Charged.NO

    [(status, _)] = cases("R10", Sparing)
    assert status is Status.FAILED


def test_a_vendor_may_have_codes_alone():
    """A warning's text is compared where there is one."""

    class Codes(ReferenceSimulator):
        unknown_warning = (ReferenceSimulator.unknown_warning[0], None)

    class Silent(ReferenceBackend):
        def warnings(self, body):
            return tuple(attrs.evolve(warning, text=None) for warning in super().warnings(body))

    assert cases("R14", Silent, Codes) == PASSED
    assert cases("R14", Silent) != PASSED


def test_plain_attributes_and_validators_of_attrs_will_do():
    """The core holds the first, attrs the second, which says what it was given."""

    @attrs.define(kw_only=True, eq=False, slots=False)
    class Plain(HttpReference):
        region: str = "eu"
        tries: int = attrs.field(default=1, validator=attrs.validators.instance_of(int))

    assert cases("R46", Plain) == PASSED


def test_a_validator_of_ones_own_may_not_show_the_value():
    """It may be a key that stands in the wrong place."""

    def quoted(_, attribute, value):
        if not isinstance(value, int):
            raise TypeError(f"{attribute.name} cannot be {value!r}")

    @attrs.define(kw_only=True, eq=False, slots=False)
    class Quoting(HttpReference):
        tries: int = attrs.field(default=1, validator=quoted)

    assert cases("R46", Quoting) == {(Status.FAILED, "TypeError shows the value of a setting")}


class FreeUploads(StepsReference):
    """Its vendor charges the comparison, and no upload."""

    def upload(self, data):
        return attrs.evolve(super().upload(data), charges=0)


class FreeUploadsSimulator(StepsSimulator):
    """That vendor: an upload is free whatever is answered."""

    def __init__(self):
        super().__init__(FreeUploads)

    def answer(self, request, situation, score):
        reply = super().answer(request, situation, score)
        return reply if self.ends(request) else attrs.evolve(reply, charged=False)


@pytest.mark.parametrize("rule", ["R16", "R17", "R18", "R19", "R38", "R40"])
def test_a_step_may_be_free(rule):
    """Also where its answer cannot be read, or has no end."""
    found = run({"it": FreeUploadsSimulator}, aimed={"it": rule})["it"]
    assert {case.status for case in found} <= {Status.PASSED, Status.DOES_NOT_APPLY}


class Strict(Library):
    """A library that raises an error of its own where the score is missing."""

    def ask(self, path, key, words):
        status, content = super().ask(path, key, words)
        if status == 200 and path != "upload":
            json.loads(content)["score"]
        return status, content


class AsksStrictly(SdkReference):
    """By that library."""

    @property
    def library(self):
        return Strict(self.address)


@pytest.mark.parametrize("rule", ["R17", "R39", "R40"])
def test_a_library_may_fall_over_an_answer(rule):
    """Then nobody knows of a charge: it does not say that there was an answer."""
    found = run({"it": lambda: HttpReferenceSimulator(AsksStrictly)}, aimed={"it": rule})["it"]
    assert {case.status for case in found} == {Status.PASSED}, {case.reason for case in found}
