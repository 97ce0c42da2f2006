"""What differs is found, and the claims that are suspected of it are named."""

import contextlib
import itertools
import json

import attrs
import pytest
from drift_targets import (
    CHAINS,
    REF,
    SCRIPT,
    STEPS,
    WAYS,
    Target,
    false,
    judged,
    named,
    played,
    player,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch_mock_server.drift.run import Mock, changes_of, claims_of
from facematch_mock_server.drift.script import Heard

#: Found by what another claim of its area explains as well.
ELSEWHERE = {
    "didit.age.enrols": "didit.index.duplicates",
    "didit.liveness.duplicate_data": "didit.liveness.measured",
    "didit.session.sandbox": "didit.session.unknown",
}
#: Of so many claims that can be seen one is turned in `make test`.
EVERY = 25

MATCH = "/v3/face-match/"
LIVENESS = "/v3/passive-liveness/"


def named_by(answers):
    """The chains in which a claim is named, by its id, in the order of the claims."""
    chains = {}
    for one in answers:
        for claim in {claim for heard in one.heard for claim in heard.claims}:
            chains.setdefault(claim, []).append(one.chain)
    return {claim: chains[claim] for claim in claims_of("didit") if claim in chains}


def missed(edition, *, every=1, sandbox=False):
    """Claims that a false target shows, and that are not among the suspects; and how many show.

    Each is asked only the first chain that shows it, of short chains first.
    """
    lost, shown = {}, 0
    about = named_by(played(edition, sandbox=sandbox))
    for claim in list(about)[::every]:
        for change in list(changes_of("didit", claims_of("didit")[claim]))[:1]:
            for chain in sorted(about[claim], key=lambda one: len(one.steps)):
                answers = played(edition, [chain], change=change, sandbox=sandbox)
                findings = judged(answers, edition, sandbox=sandbox).findings
                if findings:
                    break
            shown += bool(findings)
            suspects = {one for f in findings if f.restores for one in named(f)}
            if findings and not suspects & {claim, ELSEWHERE.get(claim)}:
                lost[claim] = [(named(one), one.restores) for one in findings]
    return lost, shown


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=pytest.mark.long) for way in WAYS[:-2]] + [*WAYS[-2:]], ids=str
)
def test_nothing_differs_of_an_unchanged_mock(way):
    """The model answers as a mock of its edition does, to the last place."""
    edition, sandbox = way
    verdict = judged(played(edition, sandbox=sandbox), edition, sandbox=sandbox)
    assert verdict.findings == ()
    assert verdict.fits[edition] == 0
    assert len(verdict.agreeing) > (100 if sandbox else 250)


def test_a_false_claim_is_found_and_named():
    """Turned in the target, it is among the suspects whose change restores equality."""
    lost, shown = missed("2026-11", every=EVERY)
    assert not lost
    assert shown >= 5


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_false_claim_is_found_and_named(way):
    """Each claim that a request can show, in each way of asking."""
    edition, sandbox = way
    lost, shown = missed(edition, sandbox=sandbox)
    assert not lost
    assert shown > (50 if sandbox else 150)


def test_what_another_edition_says_is_named():
    """A vendor that does what another claim says: that claim is named, too, with its document."""
    verdict = judged(played("2026-11", [CHAINS["keys"], CHAINS["forms and paths"]]), "2026-07")
    found = {one.suspects[0].claim: one.suspects[0].instead for one in verdict.findings}
    assert found == {
        "didit.auth.wrong.403": "didit.auth.wrong.scoped",
        "didit.lists.there.not_yet": "didit.lists.there.later",
    }
    assert all(one.restores for one in verdict.findings)
    assert min(verdict.fits, key=verdict.fits.get) == "2026-11"


def test_several_false_claims_are_all_found():
    """Each by the places that it explains."""
    files = played(chains=[CHAINS["files"]], change=false("didit.file.missing"))
    match = played(chains=[CHAINS["match"]], change=false("didit.match.boundary.exclusive"))
    findings = judged([*files, *match]).findings
    assert {claim for one in findings if one.restores for claim in named(one)} >= {
        "didit.file.missing",
        "didit.match.boundary.exclusive",
    }


def test_what_follows_from_an_earlier_answer_is_found():
    """A price shows in no answer to the call that costs it, only in the balance after it."""
    change = false("didit.credit.price.match")
    (finding,) = judged(played(chains=[CHAINS["match"]], change=change)).findings
    assert named(finding) == [change.claim]
    assert finding.restores


# A vendor that does what no contrary of a claim says


def changed(path, alter, status=200):
    """Makes other answers of those to a path."""

    def instead(step, real):
        reply = real()
        return alter(reply) if (step.path, reply.status) == (path, status) else reply

    return instead


def reworded(old, new):
    """Another text instead of one."""
    return lambda reply: attrs.evolve(reply, body=reply.body.replace(old.encode(), new.encode()))


def with_body(change):
    """Another decoded body."""

    def alter(reply):
        body = json.loads(reply.body)
        change(body)
        return attrs.evolve(reply, body=json.dumps(body).encode())

    return alter


@pytest.mark.parametrize(
    ("chain", "instead", "claim"),
    [
        (
            "files",
            changed(MATCH, reworded("No file was submitted.", "Attach a file."), 400),
            "didit.file.missing",
        ),
        (
            "files",
            changed(MATCH, lambda reply: attrs.evolve(reply, status=422), 400),
            "didit.fields.refused",
        ),
        (
            "liveness",
            changed(LIVENESS, reworded("Low liveness score", "The score is low")),
            "didit.liveness.risk.LOW_LIVENESS_SCORE.short",
        ),
        (
            "match",
            changed(MATCH, reworded('"NO_REFERENCE_IMAGE"', '"FACE_MATCH_NOT_COMPUTED"')),
            "didit.match.no_face_risk.reference",
        ),
    ],
)
def test_the_claim_about_that_place_is_suspected(chain, instead, claim):
    """Among few, though the vendor says something that no claim says."""
    findings = judged(played(chains=[CHAINS[chain]], instead=instead)).findings
    first = next(one for one in findings if claim in named(one))
    assert len(first.suspects) <= 5


def test_what_is_new_is_told_though_no_claim_explains_it():
    """A new key of an answer is a difference of its own, without its value."""
    instead = changed(MATCH, with_body(lambda body: body.update(model="v4")))
    findings = judged(played(chains=[CHAINS["turned pictures"]], instead=instead)).findings
    assert {(place, seen) for one in findings for _, place, _, seen in one.differences} == {
        ("body.model", "a text")
    }
    assert not any(one.restores for one in findings)
    claims = claims_of("didit")
    suspects = {claim for one in findings for claim in named(one)}
    assert not [one for one in suspects if any(changes_of("didit", claims[one]))]


# Whatever the vendor finds in the pictures is no drift


def unlike(sent):
    """Nobody is alike, and nobody is alive, and of nobody the age can be told."""
    if "face-match" in sent.path:
        return "match", {"score": 8.23456}
    return "liveness", {"score": 11.23, "age": None}


def perfect(_sent):
    """Every pair scores the highest."""
    return "match", {"score": 100.0}


def attacked(_sent):
    """Attacks, bad light and known faces everywhere."""
    found = {"attack": True, "quality": 8.0, "luminance": 97.0, "blocklist": "possible"}
    return "liveness", {**found, "faces": 2}


def blind(sent):
    """No face is found in any picture."""
    return ("match", {"score": None}) if "face-match" in sent.path else ("liveness", {"faces": 0})


def deciding(outcome, edition, chains=SCRIPT.chains, change=None):
    """What a mock answers that finds this in every picture of a face."""
    found = []
    for chain in chains:
        target = Target(edition, change=change)

        def instead(step, real, mock=target.mock):
            shown = {file.picture for file in step.files}
            mock.control.clear_outcomes()
            if step.pays and shown.isdisjoint({"blank", "noise"}):
                kind, values = outcome(step)
                mock.control.set_outcome(kind, **values)
            return real()

        target.instead = instead
        found += player(target).play([chain]).played
    return found


#: Two outcomes that differ most, in two editions; all pairs of them take long.
QUICK = ((unlike, "2026-03"), (blind, "2026-11"))


@pytest.mark.parametrize(
    ("outcome", "edition"),
    [
        pytest.param(*pair, marks=() if pair in QUICK else pytest.mark.long)
        for pair in itertools.product(
            (unlike, perfect, attacked, blind), ("2026-03", "2026-07", "2026-11")
        )
    ],
)
def test_the_vendor_decides_about_people(outcome, edition):
    """Scores, attacks, qualities, ages and known faces are its own business."""
    assert judged(deciding(outcome, edition), edition).findings == ()


def test_a_boundary_is_found_with_people_of_any_score():
    """The threshold is asked at the score that this vendor gives."""
    change = false("didit.match.boundary.exclusive")
    answers = deciding(unlike, "2026-11", [CHAINS["match"]], change)
    (finding,) = judged(answers).findings
    assert named(finding) == [change.claim]


def test_a_review_that_should_not_be_is_a_difference():
    """Only the vendor decides that there is one; the edition says that it never does."""
    instead = changed(MATCH, reworded('"status":"Approved"', '"status":"In Review"'))
    findings = judged(played(chains=[CHAINS["turned pictures"]], instead=instead)).findings
    places = {place for one in findings for _, place, _, _ in one.differences}
    assert places == {"body.face_match.status"}


def test_a_step_is_filled_with_values():
    """Without one it is left out; an id that is none leads to no other path."""
    assert STEPS["list"].filled({"ref": REF}).query == {"vendor_data": REF}
    assert STEPS["list"].filled({}) is None
    odd = STEPS["decision of a match"].filled({"m1": "../../v3/x?"})
    assert odd.path == "/v3/session/..%2F..%2Fv3%2Fx%3F/decision/"


VALUES = (
    st.sampled_from([float("nan"), float("inf"), 10**400, -1, 1e300])
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
)
ODD = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("status", "warnings", "score", "user_image", "ref_image", "entities", "risk"),
                    *("matches", "best_angle", "age_estimation", "face_quality", "additional_data"),
                    *("session_id", "request_id"),
                ]
            ),
            inner,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=25)
@given(part=ODD, status=st.sampled_from([200, 400]))
def test_what_was_seen_is_read_from_any_answer(part, status):
    """However odd: the calls are paid by then, and their report must not be lost."""
    bodies = (part, {"face_match": part}, {"face_match": {"status": 1, "warnings": [], "x": part}})
    for body in bodies:
        heard = [
            Heard(step=step, status=status, body=body, own=frozenset({"x"}))
            for step in SCRIPT.chains[-2].steps + CHAINS["match"].steps
        ]
        for step in STEPS.values():
            for read in {**step.reads, **step.shares}.values():
                assert not isinstance(body, dict) or isinstance(read(body), str | None)
        for sight in SCRIPT.seen(heard).values():
            MOCK.control.clear_outcomes()
            with contextlib.suppress(ValueError):
                MOCK.control.set_outcome(sight.operation, **sight.outcome)


MOCK = Mock("didit", "2026-11")
