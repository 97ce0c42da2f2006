"""No claim is idle: turning it changes an answer, and the answer names it."""

import mock_didit as didit


def test_turning_a_claim_changes_an_answer(claim, suite, answers):
    """If a claim were false, at least one answer of the suite would be another one."""
    for settings, before in suite:
        world = didit.new_world(**settings)
        if claim not in world.behaviours.claims:
            continue
        after = answers(settings, {claim.id})
        if [answer for answer, _ in before] != [answer for answer, _ in after]:
            return
    raise AssertionError(f"turning {claim.id} changes nothing")


def test_a_claim_is_named_by_an_answer(claim, suite):
    """At least one answer of the suite says that it rests on the claim."""
    assert any(claim.id in named for _, before in suite for _, named in before)


def test_what_changes_is_named(suite, answers):
    """An answer changed by the price of a comparison is one whose claims name that price."""
    settings, before = suite[0]
    after = answers(settings, {"didit.match.boundary.exclusive"})
    changed = [old for old, new in zip(before, after, strict=True) if old[0] != new[0]]
    assert changed
    assert all(
        "didit.match.boundary.exclusive" in claims for (_, _, _), claims in changed if claims
    )
