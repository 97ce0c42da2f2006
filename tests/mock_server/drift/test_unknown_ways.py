"""A vendor that does what no claim says: what is named then, and what no claim speaks of."""

import json

import attrs
import pytest
from drift_targets import CHAINS, SCRIPT, People, false, named, played, proof

from facematch_mock_server.drift._judging import Judge


def changed(step_path, change, status=None):
    """What makes another answer of those to a path."""

    def other(asked, answer):
        if asked.path != step_path or (status is not None and answer.status != status):
            return answer
        return change(answer)

    return other


def reworded(old, new):
    """Another text instead of one."""
    return lambda answer: attrs.evolve(answer, body=answer.body.replace(old.encode(), new.encode()))


def with_body(change):
    """Another decoded body."""

    def other(answer):
        body = json.loads(answer.body)
        change(body)
        return attrs.evolve(answer, body=json.dumps(body).encode())

    return other


def judged(change, chains=None, people=None, edition="2026-07"):
    """What is found of a vendor whose answers are changed."""
    model = proof(edition).model
    run = played(model, chains=chains or SCRIPT.chains, change=change, people=people)
    return Judge(model, run.played).findings()


MATCH = "/v3/face-match/"
LIVENESS = "/v3/passive-liveness/"


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        (
            changed(MATCH, reworded("No file was submitted.", "Please attach a file.")),
            "didit.file.missing",
        ),
        (
            changed(MATCH, lambda answer: attrs.evolve(answer, status=422), status=400),
            "didit.fields.refused",
        ),
        (
            changed(LIVENESS, reworded("Low liveness score", "The score is low")),
            "didit.liveness.risk.LOW_LIVENESS_SCORE.short",
        ),
        (
            changed(
                "/v3/billing/balance/", with_body(lambda body: body.pop("auto_refill_enabled")), 200
            ),
            "didit.billing.keys",
        ),
        (
            changed(MATCH, reworded('"NO_REFERENCE_IMAGE"', '"FACE_MATCH_NOT_COMPUTED"')),
            "didit.match.no_face_risk.reference",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_claim_about_that_place_is_named(change, claim):
    """Among at most five, and it is said that it is not certain."""
    findings = judged(change, [CHAINS[name] for name in ("keys", "files", "match", "liveness")])
    first = next(one for one in findings if claim in named(one))
    assert len(first.turns) <= 5
    assert not first.is_exact


def test_what_is_new_is_told_though_no_claim_speaks_of_it():
    """A new key of an answer is a difference of its own."""
    change = changed(MATCH, with_body(lambda body: body.update(model="v4")), 200)
    findings = judged(change, [CHAINS["match"]])
    assert {one.path for finding in findings for one in (d.place for d in finding.differences)} == {
        "body.model"
    }
    assert not any(finding.turns for finding in findings)
    assert {d.seen for f in findings for d in f.differences} == {"a text"}


def test_several_false_claims_are_all_found():
    """Also where one changes what the other is seen by."""
    model = proof("2026-07").model
    claims = ("match.boundary.exclusive", "warning.keys.six", "match.declined", "auth.wrong.403")
    turns = frozenset(false(f"didit.{claim}") for claim in claims)
    findings = Judge(model, played(model, turns).played).findings()
    assert sorted(named(one)[0] for one in findings) == sorted(one.claim for one in turns)


def test_a_review_that_should_not_be_is_found():
    """Only the vendor decides that there is one; the claim says that it never does."""
    model, turn = proof("2026-07").model, false("didit.match.review.never")
    run = played(model, frozenset({turn}), [CHAINS["other person"]])
    (finding,) = Judge(model, run.played).findings()
    assert named(finding) == [turn.claim]


class Unlike(People):
    """Nobody is alike, and nobody is alive."""

    def match(self, probe, reference, **digests):
        """No pair is."""
        found = super().match(probe, reference, **digests)
        return attrs.evolve(found, score=found.score and 8.23456)

    def liveness(self, probe, **digests):
        """No face is."""
        found = super().liveness(probe, **digests)
        return attrs.evolve(found, score=found.score and 11.23456, age_known=False)


class Perfect(People):
    """Every pair scores the highest."""

    def match(self, probe, reference, **digests):
        """The end of the scale."""
        found = super().match(probe, reference, **digests)
        return attrs.evolve(found, score=found.score and 100.0)


class Blind(People):
    """Finds no face in any picture."""

    def match(self, probe, reference, **digests):
        """No pair can be scored."""
        found = super().match(probe, reference, **digests)
        sides = (attrs.evolve(one, faces=(), angle=0) for one in (found.probe, found.reference))
        one, two = sides
        return attrs.evolve(found, probe=one, reference=two, score=None)

    def liveness(self, probe, **digests):
        """No face."""
        found = super().liveness(probe, **digests)
        probe = attrs.evolve(found.probe, faces=(), angle=0)
        return attrs.evolve(found, probe=probe, score=None, quality=None, luminance=None)


@pytest.mark.parametrize("people", [Unlike, Perfect, Blind])
@pytest.mark.parametrize("edition", ["2026-03", "2026-07", "2026-11"])
def test_the_vendor_decides_about_people(people, edition):
    """Whatever it finds in the pictures, that is no drift."""
    assert judged(None, people=people(), edition=edition) == ()


def test_a_boundary_is_found_with_people_of_any_score():
    """The strictness of the threshold is asked at the score that this vendor gives."""
    model, turn = proof("2026-11").model, false("didit.match.boundary.exclusive")
    run = played(model, frozenset({turn}), [CHAINS["match"]], people=Unlike())
    (finding,) = Judge(model, run.played).findings()
    assert named(finding) == [turn.claim]
