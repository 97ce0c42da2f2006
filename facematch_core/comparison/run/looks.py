"""Looks at a run that is under way: when they are due, what they say, and who made them.

They are declared once for a test set, and kept with it: how many pairs each sees, and the order of
the pairs, drawn from a stored seed. `stats.sequential` decides; the run database keeps what was
decided, so that every process and every later start goes by the same.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import attrs

from facematch_core._basics import Clock
from facematch_core.comparison.model import as_json
from facematch_core.errors import InvalidRequest

from .answers import answers_before
from .journal import RunDatabase
from .schema import StoredStudy, StoredSystem

if TYPE_CHECKING:
    from facematch_core.comparison.stats.sequential import Looks

#: How long, in seconds, a look waits for pairs that other processes have, and between two glances.
_PATIENCE_S: Final = 60.0
_GLANCE_S: Final = 0.2


@attrs.frozen(kw_only=True)
class LookSummary:
    """What one look came to.

    Attributes:
        number: From 1 on.
        pairs: How many pairs every system had ended by then.
        stop: Whether it ended the run.
        sentences: What it says of each two systems.
    """

    number: int
    pairs: int
    stop: bool
    sentences: tuple[str, ...]


def declaration(looks: Looks, required_fmr: float, systems: Collection[str]) -> dict[str, Any]:
    """What is kept with the test set, so that nobody looks otherwise later.

    Raises:
        InvalidRequest: there is nothing to compare.
    """
    if len(systems) < 2:
        raise InvalidRequest("Looks compare systems: name at least two.")
    values = attrs.asdict(looks)
    return {
        **{key: list(one) if isinstance(one, tuple) else one for key, one in values.items()},
        "required_fmr": required_fmr,
        "systems": sorted(systems),
        "seed": secrets.token_hex(8),
    }


def places(study: StoredStudy) -> list[int]:
    """The turn of each pair: random by the stored seed, mated and non-mated pairs interleaved.

    Every look then sees a fair sample with as many of either kind as the whole. By SHA-256, which
    is the same in every version of every library.
    """
    seed, mated = str((study.looks or {})["seed"]), study.content["mated"]
    keys: list[tuple[float, bytes, int]] = []
    for kind in (0, 1):
        pairs = [pair for pair, is_mated in enumerate(mated) if is_mated == kind]
        drawn = [(hashlib.sha256(f"{seed} {pair}".encode()).digest(), pair) for pair in pairs]
        keys += [((at + 0.5) / len(pairs), *one) for at, one in enumerate(sorted(drawn))]
    turns = [0] * study.pairs
    for turn, (_, _, pair) in enumerate(sorted(keys)):
        turns[pair] = turn
    return turns


def has_decided(looks: Sequence[LookSummary], study: StoredStudy) -> bool:
    """Whether one ended the run early; after the last one nothing is left to be saved."""
    return any(look.stop and look.pairs < study.pairs for look in looks)


@attrs.frozen
class RunLooks:
    """The looks at one test set, numbered from 1.

    Attributes:
        database: Where they are kept.
        study: As it was entered, with its declaration.
        looks: As declared; None if there are none.
        clock: Time.
    """

    database: RunDatabase
    study: StoredStudy
    looks: Looks | None
    clock: Clock

    def __len__(self) -> int:
        return 0 if self.looks is None else len(self.looks.shares)

    def pairs_before(self, number: int) -> int:
        """How many pairs look `number` sees."""
        shares: Sequence[float] = (self.study.looks or {})["shares"]
        if number == len(shares):
            return self.study.pairs
        return round(shares[number - 1] * self.study.pairs)

    def made(self, number: int) -> LookSummary | None:
        """A look that was made, by whomever; None if it was not."""
        made = self.database.look(self.study.digest, number)
        if made is None:
            return None
        return LookSummary(
            number=number,
            pairs=self.pairs_before(number),
            stop=bool(made["stop"]),
            sentences=tuple(map(str, made["sentences"])),
        )

    def all_made(self) -> tuple[LookSummary, ...]:
        """Those that were made so far, in their order."""
        made = map(self.made, range(1, len(self) + 1))
        return tuple(look for look in made if look is not None)

    def make(
        self, number: int, systems: Sequence[StoredSystem], is_stopped: Callable[[], bool]
    ) -> LookSummary | None:
        """Make a look, unless somebody else did; None while some of its pairs have not ended."""
        if not self._have_ended(systems, self.pairs_before(number), is_stopped):
            return None
        # Who wrote it first is right, so that nobody goes on where somebody else stopped.
        self.database.write_look(self.study.digest, number, self._result(number, systems))
        return self.made(number)

    def _have_ended(
        self, systems: Sequence[StoredSystem], below: int, is_stopped: Callable[[], bool]
    ) -> bool:
        """Whether all pairs of a share have ended; other processes may still have some."""
        until = self.clock.monotonic() + _PATIENCE_S
        while not all(self.database.is_ended(one.number, below) for one in systems):
            if is_stopped() or self.clock.monotonic() >= until:
                return False
            self.clock.sleep(_GLANCE_S)
        return True

    def _result(self, number: int, systems: Sequence[StoredSystem]) -> dict[str, Any]:
        """What look `number` says, as it is kept: of each two systems, and whether to stop."""
        from facematch_core.comparison.stats.sequential import decide

        if self.looks is None:
            raise LookupError("no looks were declared")
        changed = [
            one.name for one in systems if len(self.database.progress(one.number).models) > 1
        ]
        if changed:
            sentences = [
                f"{name} changed its model during the run: no look ends it." for name in changed
            ]
            return {"stop": False, "sentences": sentences, "results": []}
        names = sorted(one.name for one in systems)
        answers = answers_before(self.database, self.study, self.pairs_before(number), names)
        pairs = list(combinations(names, 2))
        # Of several differences each gets its share of the error probability (Bonferroni).
        each = attrs.evolve(self.looks, alpha=self.looks.alpha / len(pairs))
        required_fmr = (self.study.looks or {})["required_fmr"]
        results: list[dict[str, Any]] = []
        for first, second in pairs:
            found = decide(each, number, answers[first], answers[second], required_fmr=required_fmr)
            results.append({"first": first, "second": second, **as_json(found)})
        earlier = (self.database.look(self.study.digest, one) for one in range(1, number))
        before = [one for look in earlier if look is not None for one in look["results"]]
        decided = {(one["first"], one["second"]) for one in (*before, *results) if one["stop"]}
        return {
            # What was shown at an earlier look stays shown.
            "stop": decided == set(pairs),
            "sentences": [one["sentence"] for one in results],
            "results": results,
        }
