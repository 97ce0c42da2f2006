"""The reference backend conforms: in this process and over HTTP, and between them to every rule."""

import pytest
from mutants.reference import HttpReferenceSimulator, ReferenceSimulator

from facematch_core.testing import rules
from facematch_core.testing.running import Status, run

#: What does not apply in this process, where answers are no bytes.
OF_BYTES = {"R38", "R39", "R40"}


def of(cases, *statuses):
    """The numbers of the rules with a case of these statuses."""
    return {case.rule for case in cases if case.status in statuses}


def test_conforms_in_this_process():
    """With nothing open."""
    cases = run({"reference": ReferenceSimulator})["reference"]
    assert [case for case in cases if case.status in (Status.FAILED, Status.OPEN)] == []
    assert of(cases, Status.DOES_NOT_APPLY) == OF_BYTES
    assert of(cases, Status.PASSED) == {rule.number for rule in rules()} - OF_BYTES


def test_conforms_where_an_answer_is_bytes():
    """And where a backend has settings: over HTTP."""
    aimed = {rule: rule for rule in (*OF_BYTES, "R41", "R46")}
    found = run(dict.fromkeys(aimed, HttpReferenceSimulator), aimed=aimed)
    assert [case for cases in found.values() for case in cases if case.reason] == []


@pytest.mark.long
def test_conforms_over_http():
    """To every rule; it keeps no records that could be looked into."""
    cases = run({"reference": HttpReferenceSimulator})["reference"]
    assert [case for case in cases if case.status in (Status.FAILED, Status.OPEN)] == []
    assert of(cases, Status.DOES_NOT_APPLY) == {"R32"}
