"""Where target and model differ, and the claims that are suspected of it.

The model is a mock that is shown cards of what the target saw, and asked the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import attrs

from facematch_core import VendorError
from facematch_core.http import HttpReply

from .pictures import cards
from .run import (
    KNOWN,
    Change,
    Mock,
    Played,
    Side,
    changes_of,
    claims_of,
    editions_of,
    first_values,
    heard_of,
)
from .script import Heard, Script, Sight
from .shape import ABSENT, Shape, shape_of, texts_of

#: What stands for an id that an answer of the model should have given and did not.
_NOBODY = "00000000-0000-4000-8000-00000000abcd"
#: An answer, by its chain and step; a place in it; what the model and the target have there.
At = tuple[str, str]
Place = tuple[At, str]
Pair = tuple[str, str]
Answers = dict[At, Heard]


@attrs.frozen(kw_only=True)
class Finding:
    """Differences, and the claims that are suspected of them.

    Attributes:
        suspects: One of them is false. Empty if no claim speaks of these places.
        restores: Whether changing a suspect in the model makes these places equal; else it only
            shows there, or cannot be changed.
        differences: Name of the step, place in its answer, what the model and the target have.
    """

    suspects: tuple[Change, ...]
    restores: bool
    differences: tuple[tuple[str, str, str, str], ...]


@attrs.frozen(kw_only=True)
class Verdict:
    """What came of comparing.

    Attributes:
        findings: Every difference, explained as far as claims can.
        agreeing: Ids of the claims behind answers that agree.
        touched: Ids of the claims behind any answer.
        fits: In how many places the target differs, by edition.
    """

    findings: tuple[Finding, ...]
    agreeing: frozenset[str]
    touched: frozenset[str]
    fits: Mapping[str, int]


def judge(
    script: Script, played: Sequence[Played], *, edition: str, ref: str, sandbox: bool = False
) -> Verdict:
    """Compare what a target answered with the model of an edition.

    The suspects of a difference are the claims that the model's answer names. Each of them that
    can be changed is changed once, alone, in a model that is asked the same again.
    """
    sights = {one.chain.name: script.seen(one.heard) for one in played}

    def model(edition: str, change: Change | None = None, named: Answers | None = None) -> Answers:
        """What the model answers; with `named`, of the chains whose answers name the claim."""
        answers: Answers = {}
        for one in played:
            names = (h.claims for at, h in (named or {}).items() if at[0] == one.chain.name)
            if named is None or change is None or any(change.claim in claims for claims in names):
                mock = Mock(script.vendor, edition, sandbox=sandbox, change=change)
                for heard in _modelled(script, one, mock, sights[one.chain.name], ref):
                    answers[one.chain.name, heard.step.name] = heard
        return answers

    def shapes(answers: Answers) -> dict[At, Shape]:
        return {at: shape_of(heard, script, vocabulary) for at, heard in answers.items()}

    models = {name: model(name) for name in editions_of(script.vendor)}
    bodies = (heard.body for answers in models.values() for heard in answers.values())
    vocabulary = {text for body in bodies for text in texts_of(body)}
    heard_there = {(one.chain.name, h.step.name): h for one in played for h in one.heard}
    target = shapes(heard_there)
    plain, expected = models[edition], shapes(models[edition])
    differences = _unlike(expected, target)
    differing = dict.fromkeys(at for at, _ in differences)
    claims = claims_of(script.vendor)
    # How each is known: what a document says goes before what follows from it, and our choices.
    in_force = {
        claim: KNOWN.index(claims[claim].origin.known)
        for claim in Mock(script.vendor, edition).claims & claims.keys()
    }
    effects: dict[Change, dict[Place, str]] = {}
    findings: tuple[Finding, ...] = ()
    near = dict.fromkeys(claim for at in differing for claim in plain[at].claims)
    # What an answer says may follow from what others of its chain rest on.
    chains = {chain for chain, _ in differing}
    far = dict.fromkeys(claim for at in plain if at[0] in chains for claim in plain[at].claims)
    for suspects in (near, [claim for claim in far if claim not in near]):
        for claim in (one for one in suspects if one in in_force):
            unlike_it = (at for at in differing if claim in plain[at].claims)
            seen = heard_there.get(next(unlike_it, ("", "")))
            for change in changes_of(script.vendor, claims[claim], seen):
                changed = shapes(model(edition, change, plain))
                unlike = _unlike({at: expected[at] for at in changed}, changed)
                effects[change] = {place: after for place, (_, after) in unlike.items()}
        findings = tuple(_explained(differences, effects, plain, in_force))
        if all(one.restores for one in findings):
            break
    false = {change.claim for one in findings if one.restores for change in one.suspects}
    agreeing = {claim for at, one in plain.items() if at not in differing for claim in one.claims}
    return Verdict(
        findings=findings,
        agreeing=frozenset((agreeing & in_force.keys()) - false),
        touched=frozenset(in_force.keys() & {c for one in plain.values() for c in one.claims}),
        fits={name: len(_unlike(shapes(answers), target)) for name, answers in models.items()},
    )


def _modelled(
    script: Script, played: Played, mock: Mock, sights: Mapping[str, Sight], ref: str
) -> Iterator[Heard]:
    """What the model answers to the steps of a chain that the target was asked."""
    side = Side(
        mock.client,
        script,
        credentials=mock.credentials,
        base_url="https://mock.invalid",
        pictures=cards(),
    )
    reads = (name for step in played.chain.steps for name in step.reads)
    values, own = {**dict.fromkeys(reads, _NOBODY), **first_values(script, ref)}, list[str]()
    for step in (heard.step for heard in played.heard):
        request = step.filled({**values, **played.shared}) or step
        sight = sights.get(step.name)
        if sight is not None:
            files = (attrs.evolve(file, data=sight.cards.get(file.field)) for file in step.files)
            request = attrs.evolve(request, files=tuple(files))
            mock.control.clear_outcomes()
            try:
                mock.control.set_outcome(sight.operation, **sight.outcome)
            except ValueError:
                # An edition that knows no review differs in that alone.
                with contextlib.suppress(ValueError):
                    outcome = {**sight.outcome, "review": None}
                    mock.control.set_outcome(sight.operation, **outcome)
        try:
            reply = side.ask(request, values)
        except VendorError:
            # A change may bring what is no HTTP.
            reply = HttpReply(status=500, headers={})
        yield heard_of(step, reply, values, own)


def _unlike(one: Mapping[At, Shape], other: Mapping[At, Shape]) -> dict[Place, Pair]:
    """Where the answers of two sides differ, in order, and what each has there."""
    found = {}
    for at in other:
        for path in sorted(one[at].keys() | other[at].keys()) if one[at] != other[at] else ():
            pair = one[at].get(path, ABSENT), other[at].get(path, ABSENT)
            if pair[0] != pair[1]:
                found[at, path] = pair
    return found


def _explained(
    differences: Mapping[Place, Pair],
    effects: Mapping[Change, Mapping[Place, str]],
    plain: Answers,
    in_force: Mapping[str, int],
) -> Iterator[Finding]:
    def finding(
        suspects: Iterable[Change], places: Collection[Place], *, restores: bool
    ) -> Finding:
        by_claim: dict[str, Change] = {}
        for change in suspects:
            by_claim.setdefault(change.claim, change)
        pairs = ((at[1], path, *differences[at, path]) for at, path in differences)
        kept = (pair for pair, place in zip(pairs, differences, strict=True) if place in places)
        return Finding(
            suspects=tuple(sorted(by_claim.values(), key=lambda one: in_force[one.claim])),
            restores=restores,
            differences=tuple(kept),
        )

    # First the claim that makes most places equal, less those that it makes unequal; and so on.
    broken = {c: sum(place not in differences for place in e) for c, e in effects.items()}
    right = {
        change: {
            place for place, word in effect.items() if differences.get(place, "")[1:] == (word,)
        }
        for change, effect in effects.items()
    }
    left = dict.fromkeys(differences)
    while best := max(right, key=lambda c: len(right[c]) - broken[c], default=None):
        made = set(right[best])
        if len(made) <= broken[best]:
            break
        alike = [c for c in right if right[c] == made and broken[c] == broken[best]]
        yield finding(alike, made, restores=True)
        left = {place: None for place in left if place not in made}
        right = {change: places - made for change, places in right.items()}
    # For the rest: what shows there, and in as few other places as may be; else what is fixed.
    groups: dict[tuple[str, ...], tuple[list[Change], list[Place]]] = {}
    changed = {change.claim for change in effects}
    for at, path in left:
        named = [claim for claim in plain[at].claims if claim in in_force]
        shows = {c: len(e) for c, e in effects.items() if (at, path) in e and c.claim in named}
        suspects = [c for c, many in shows.items() if many == min(shows.values())]
        suspects = suspects or [Change(one, "", None) for one in named if one not in changed]
        key = tuple(suspect.claim for suspect in suspects)
        groups.setdefault(key, (suspects, []))[1].append((at, path))
    for several, places in groups.values():
        yield finding(several, places, restores=False)
