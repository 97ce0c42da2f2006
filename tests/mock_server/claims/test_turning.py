"""No claim is idle: turning it changes an answer, and the answer names it."""

import mock_didit as didit
import pytest

from facematch_mock_server.vendors import all_claims


@pytest.fixture(scope="module")
def naming(suite):
    """Tells the scenarios with an answer that says that it rests on a claim."""
    found = {}
    for one in suite:
        for claim_id in {claim for _, claims in one[2] for claim in claims}:
            found.setdefault(claim_id, []).append(one)
    return lambda claim_id: found.get(claim_id, [])


def changed(scenario, answers, turned):
    """The answers that are others when claims are turned, as they were before: (answer, claims)."""
    settings, steps, before = scenario
    after = answers(steps, settings, turned)
    return [old for old, new in zip(before, after, strict=True) if old[0] != new[0]]


def test_turning_a_claim_changes_an_answer(claim, suite, naming, answers):
    """If a claim were false, at least one answer of the suite would be another one."""
    likely = naming(claim.id)
    # Most often one that names it; an order of checks may show where another check answered.
    known = {id(one) for one in likely}
    others = (one for one in suite if id(one) not in known)
    for scenario in (*likely, *others):
        in_force = didit.new_world(**scenario[0]).behaviours.claims
        if claim in in_force and changed(scenario, answers, {claim.id}):
            return
    raise AssertionError(f"turning {claim.id} changes nothing")


def test_every_claim_is_named_by_an_answer(naming):
    """At least one answer of the suite says that it rests on the claim."""
    assert not [claim.id for claim in all_claims() if not naming(claim.id)]


def test_what_changes_is_named(naming, answers):
    """An answer changed by the boundary is one whose claims name the boundary."""
    boundary = "didit.match.boundary.exclusive"
    found = [
        claims
        for scenario in naming(boundary)
        for _, claims in changed(scenario, answers, {boundary})
    ]
    assert found
    assert all(boundary in claims for claims in found if claims)
