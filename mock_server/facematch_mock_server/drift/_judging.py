"""Where target and model differ, and which claims are false if that is to be so.

A claim is taken for false in the model, and whatever rests on it is asked anew. The claims without
which nothing differs any more are false; where the vendor does what no contrary of a claim says,
those are named whose turning touches the very places that differ.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import attrs

from ._findings import ABSENT, MOST_NAMED, Difference, Finding, Place
from ._model import NONE, Heard, Model, Turn, Turns
from ._playing import Played, is_bad_sign

#: How many false claims are looked for one after the other.
_MOST_ROUNDS = 60
#: The share of the chains up to which few claims are likely to be false.
_LITTLE = 0.4


@attrs.frozen
class _Explanation:
    """Turns that explain the same differences.

    Attributes:
        score: How many more they explain than they contradict: up to the first answer of each
            chain that differs, and in all.
        turns: One for each claim.
        places: What they explain.
        against: How many places they change otherwise.
        is_smooth: Whether none of those lies before or in the first answer of a chain that differs.
    """

    score: tuple[int, int]
    turns: tuple[Turn, ...]
    places: frozenset[Place]
    against: int
    is_smooth: bool


#: From place to what was expected and what was seen.
Differences = Mapping[Place, tuple[str, str]]


class Judge:
    """Compares what a target answered with a model.

    Args:
        model: Of the edition that the target should have.
        played: What was asked and answered.
    """

    def __init__(self, model: Model, played: Iterable[Played]) -> None:
        self._model = model
        self._played = {one.told.chain: one for one in played}
        self._order = {
            chain: {step: number for number, step in enumerate(one.told.steps)}
            for chain, one in self._played.items()
        }
        self._named_by: dict[tuple[str, Turns], frozenset[str]] = {}

    def differences(self, turns: Turns = NONE) -> Differences:
        """Where they differ while claims are turned, in order."""
        found: dict[Place, tuple[str, str]] = {}
        for chain, played in self._played.items():
            for step, heard in self._heard(chain, turns):
                expected, seen = heard.seen, played.seen[step]
                if expected is not seen:
                    for path, pair in _unlike(expected, seen):
                        found[Place(chain, step, path)] = pair
        return found

    def findings(self) -> tuple[Finding, ...]:
        """Every difference, explained as far as claims can."""
        found: list[Finding] = []
        turned: Turns = NONE
        left = self.differences()
        for _ in range(_MOST_ROUNDS):
            best = self._best(left, turned) if left else None
            if best is None:
                break
            found.append(_finding(best.turns, left, best.places, is_exact=True))
            turned |= {best.turns[0]}
            left = self.differences(turned)
        return (*found, *self._rest(left, turned))

    def checked(self, ids: Iterable[str]) -> list[str]:
        """Those of the claims that would have been found, had they been false."""
        return [claim for claim in ids if self._would_show(claim)]

    def effect(
        self, turn: Turn, turned: Turns = NONE, chains: Collection[str] | None = None
    ) -> dict[Place, str]:
        """What the model has in the places that turning one more claim changes.

        Args:
            turn: The claim.
            turned: Those before it.
            chains: Where to look; None for all chains that rest on the claim.
        """
        found: dict[Place, str] = {}
        for chain in self._resting_on(turn.claim, turned) if chains is None else chains:
            pairs = zip(
                self._heard(chain, turned), self._heard(chain, turned | {turn}), strict=True
            )
            for (step, before), (_, after) in pairs:
                if before.seen is not after.seen:
                    for path, (_, word) in _unlike(before.seen, after.seen):
                        found[Place(chain, step, path)] = word
        return found

    def _heard(self, chain: str, turns: Turns) -> Iterator[tuple[str, Heard]]:
        told = self._played[chain].told
        return zip(told.steps, self._model.hear(told, turns), strict=True)

    def _would_show(self, claim: str) -> bool:
        """Whether it would differ in a target, once the model is told what that saw."""
        turns = frozenset({Turn(claim)})
        for chain in self._resting_on(claim, NONE):
            told = self._played[chain].told
            as_target = self._asked_of(chain, self._model.hear(told, turns))
            if all(
                one.seen is two.seen
                for one, two in zip(as_target, self._model.hear(told), strict=False)
            ):
                continue
            as_model = self._model.hear(self._model.told_by(told, turns))
            if any(one.seen != two.seen for one, two in zip(as_target, as_model, strict=False)):
                return True
        return False

    def _asked_of(self, chain: str, heard: Sequence[Heard]) -> Sequence[Heard]:
        """What would be heard of a target: it is asked no more after a bad sign."""
        steps = {step.name: step for step in self._played[chain].chain.steps}
        names = self._played[chain].told.steps
        for number, (name, one) in enumerate(zip(names, heard, strict=True)):
            if is_bad_sign(steps[name], int(one.seen["status"])):
                return heard[:number]
        return heard

    def _resting_on(self, claim: str, turned: Turns) -> list[str]:
        return [chain for chain in self._played if claim in self._claims_of(chain, turned)]

    def _claims_of(self, chain: str, turned: Turns) -> frozenset[str]:
        key = chain, turned
        if key not in self._named_by:
            every = [heard for _, heard in self._heard(chain, turned)]
            named = (claim for heard in every for claim in heard.claims)
            self._named_by[key] = frozenset(named).union(*(heard.looked for heard in every))
        return self._named_by[key]

    def _best(self, left: Differences, turned: Turns) -> _Explanation | None:
        """What explains most and contradicts least.

        The claims that the first answers rest on are asked first; if one of them explains all, no
        others are.
        """
        firsts = self._firsts(left)
        # Where little differs all are asked: one claim may explain what several do, too.
        little = not turned and len(firsts) <= len(self._played) * _LITTLE
        best: _Explanation | None = None
        for is_near in (True, False):
            for first in firsts.values():
                suspects = self._suspects(first, turned, is_near=is_near)
                found = self._best_of(suspects, first, firsts, left, turned)
                if found is None:
                    continue
                if best is None or found.score > best.score:
                    best = found
                if found.places == left.keys() and not found.against:
                    return self._with_kin(found, firsts, left, turned)
                if not little and found.is_smooth and _is_whole(found, first, left):
                    return found
            if best is not None and not little:
                break
        return best

    def _firsts(self, left: Differences) -> dict[str, Place]:
        """The first answer of each chain that differs, by chain, of short chains first.

        What differs later in a chain may follow from that.
        """
        firsts: dict[str, Place] = {}
        for place in left:
            firsts.setdefault(place.chain, place)
        lengths = {chain: len(self._played[chain].told.steps) for chain in firsts}
        return {chain: firsts[chain] for chain in sorted(firsts, key=lambda one: lengths[one])}

    def _suspects(self, first: Place, turned: Turns, *, is_near: bool) -> list[str]:
        """The claims that an answer rests on, or those of the other answers of its chain."""
        taken = {turn.claim for turn in turned}
        near: dict[str, None] = {}
        far: dict[str, None] = {}
        for step, heard in self._heard(first.chain, turned):
            claims = (c for c in heard.claims if c in self._model.in_force and c not in taken)
            (near if step == first.step else far).update(dict.fromkeys(claims))
            looked = heard.looked & self._model.in_force - taken
            far.update(dict.fromkeys(sorted(looked)))
        return list(near) if is_near else [claim for claim in far if claim not in near]

    def _best_of(
        self,
        claims: Iterable[str],
        first: Place,
        firsts: Mapping[str, Place],
        left: Differences,
        turned: Turns,
    ) -> _Explanation | None:
        """The best turn of some claims that explains something of the first answer."""
        found: dict[tuple[int, int], dict[frozenset[Place], list[_Explanation]]] = {}
        for turn in (turn for claim in claims for turn in self._model.turns_of(claim)):
            here = self.effect(turn, turned, [first.chain])
            if not any(_explains(left, p, w) for p, w in here.items() if p.step == first.step):
                continue
            effect = self.effect(turn, turned)
            good = frozenset(p for p, word in effect.items() if _explains(left, p, word))
            # What differs after the first answer of a chain may be due to another claim.
            counted = {place for place in effect if self._counts(place, firsts)}
            score = 2 * len(counted & good) - len(counted), 2 * len(good) - len(effect)
            if score[0] > 0:
                against = len(effect) - len(good)
                one = _Explanation(score, (turn,), good, against, counted <= good)
                found.setdefault(score, {}).setdefault(good, []).append(one)
        if not found:
            return None
        alike = next(iter(found[max(found)].values()))
        by_claim: dict[str, Turn] = {}
        for (turn,) in (one.turns for one in alike):
            # What another document says goes before what none does.
            if turn.instead is not None or turn.claim not in by_claim:
                by_claim[turn.claim] = turn
        return attrs.evolve(alike[0], turns=tuple(by_claim.values()))

    def _counts(self, place: Place, firsts: Mapping[str, Place]) -> bool:
        if place.chain not in firsts:
            return True
        steps = self._order[place.chain]
        return steps[place.step] <= steps[firsts[place.chain].step]

    def _with_kin(
        self,
        best: _Explanation,
        firsts: Mapping[str, Place],
        left: Differences,
        turned: Turns,
    ) -> _Explanation:
        """Also the claims of the same area that explain the same: an order names two of its."""
        areas = {_area(turn.claim) for turn in best.turns}
        named = {turn.claim for turn in best.turns}
        first = next(iter(firsts.values()))
        far = self._suspects(first, turned, is_near=False)
        kin = [claim for claim in far if _area(claim) in areas and claim not in named]
        found = self._best_of(kin, first, firsts, left, turned)
        if found is None or found.score != best.score:
            return best
        return attrs.evolve(best, turns=(*best.turns, *found.turns))

    def _rest(self, left: Differences, turned: Turns) -> Iterator[Finding]:
        """What no contrary explains: the claims that touch the same places, and as few others."""
        groups: dict[tuple[str, ...], set[Place]] = {}
        effects: dict[str, Collection[Place]] = {}
        for place in left:
            for claim in self._suspects(place, turned, is_near=True):
                if claim not in effects:
                    effects[claim] = self.effect(Turn(claim), turned).keys()
            touching = {
                claim: len(places & left.keys()) / len(places | left.keys())
                for claim, places in effects.items()
                if place in places
            }
            most = max(touching.values(), default=0)
            named = tuple(claim for claim, much in touching.items() if much == most)
            groups.setdefault(named[:MOST_NAMED], set()).add(place)
        for named, places in groups.items():
            turns = tuple(Turn(claim) for claim in named)
            yield _finding(turns, left, places, is_exact=False)


def _is_whole(found: _Explanation, first: Place, left: Differences) -> bool:
    """Whether everything that differs in an answer is explained."""
    here = (place for place in left if (place.chain, place.step) == (first.chain, first.step))
    return all(place in found.places for place in here)


def _area(claim: str) -> str:
    return ".".join(claim.split(".")[:2])


def _explains(left: Differences, place: Place, word: str) -> bool:
    return place in left and left[place][1] == word


def _unlike(
    one: Mapping[str, str], other: Mapping[str, str]
) -> Iterator[tuple[str, tuple[str, str]]]:
    for path in sorted(one.keys() | other.keys()):
        pair = one.get(path, ABSENT), other.get(path, ABSENT)
        if pair[0] != pair[1]:
            yield path, pair


def _finding(
    turns: Iterable[Turn],
    left: Differences,
    places: Collection[Place],
    *,
    is_exact: bool,
) -> Finding:
    return Finding(
        turns=tuple(turns),
        is_exact=is_exact,
        differences=tuple(
            Difference(place=place, expected=expected, seen=seen)
            for place, (expected, seen) in left.items()
            if place in places
        ),
    )
