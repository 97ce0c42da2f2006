"""Every claim that can be seen from outside is found and named, if it is false.

In `make test` every sixth of them is false, in one way of asking; `make test-long` has all, in all
ways.
"""

import pytest
from drift_targets import WAYS, false, named, proof

from facematch_mock_server.drift._judging import Judge
from facematch_mock_server.vendors import all_claims

#: No request can tell these from each other.
ALIKE = (
    {"didit.rate.headers", "didit.rate.headers_on_success"},
    {"didit.door.key", "didit.door.method"},
    {"didit.liveness.boundary.exclusive", "didit.liveness.compared"},
    {"didit.save.default", "didit.session.saved"},
    {"didit.search.most", "didit.search.type"},
    {"didit.search.narrow", "didit.search.narrow_statuses"},
)


#: Of so many claims one is turned in `make test`.
EVERY = 6


def taking_turns(claims):
    """Each of the claims that can be seen, with one way in which it can; the ways take turns."""
    for number, claim in enumerate(claims):
        turn = number % len(WAYS)
        for way in (*WAYS[turn:], *WAYS[:turn]):
            if claim in proof(*way).model.in_force and proof(*way).judge.checked([claim]):
                yield proof(*way), claim
                break


def misjudged(judged, claim):
    """What is found instead of one false claim, alone or with one that is like it; else None."""
    findings = judged.findings(false(claim))
    suspects = set(named(findings[0])) if findings else set()
    if len(findings) == 1 and findings[0].is_exact and claim in suspects:
        return None if len(suspects) == 1 or suspects in ALIKE else suspects
    return [(named(one), one.is_exact) for one in findings]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_nothing_is_false_of_an_unchanged_mock(way):
    """The model answers as a mock of its edition does, to the last place."""
    assert proof(*way).plain.stopped is None
    assert proof(*way).judge.findings() == ()
    assert not [one.left_out for one in proof(*way).plain.played if one.left_out]


def test_a_false_claim_is_found_and_named():
    """Each claim that can be seen is turned in the target: it is the one that is found."""
    about = sorted({c.id for c in all_claims("didit") if c.vendor == "didit"})
    seen = list(taking_turns(about[::EVERY]))
    assert len(seen) > 40
    wrong = {claim: misjudged(judged, claim) for judged, claim in seen}
    assert not {claim: found for claim, found in wrong.items() if found is not None}


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_false_claim_is_found_and_named(way):
    """The same in every way of asking in which it can be seen."""
    wrong = {claim: misjudged(proof(*way), claim) for claim in proof(*way).checked}
    assert not {claim: found for claim, found in wrong.items() if found is not None}


@pytest.mark.parametrize("way", WAYS[1:3], ids=str)
def test_what_another_edition_says_is_named(way):
    """A vendor that does what another claim says: that claim is named, too."""
    judged = proof(*way)
    for claim in sorted(judged.model.in_force):
        for turn in judged.model.turns_of(claim)[1:]:
            if not judged.judge.effect(turn) or not judged.judge.checked([claim]):
                continue
            findings = judged.findings(turn)
            assert [named(one) for one in findings] == [[claim]], turn
            rival = judged.model.rival_of(findings[0].turns[0])
            assert rival.value == judged.model.claim(turn.instead).value


@pytest.mark.long  # over HTTP, with what people are told, it is in test_command.py
def test_a_vendor_of_another_edition_is_told_by_its_claims():
    """Many claims are false at once, and each of them is found; nothing is left unexplained."""
    march, july = proof("2026-03"), proof("2026-07")
    findings = Judge(march.model, july.plain.played).findings()
    assert all(one.is_exact and len(one.turns) == 1 for one in findings)
    found = {named(one)[0] for one in findings}
    assert found <= march.model.in_force - july.model.in_force | {
        "didit.liveness.quality_risks.warned"
    }
    assert {"didit.match.boundary.inclusive", "didit.match.score_type.integer"} < found
