"""Read run databases: that of a whole test set, or those of its parts (`Study.part`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import attrs

from facematch_comparison.scores.answers import Parts
from facematch_comparison.values.numbers import join_names
from facematch_core.batch.records import PairOutcome, PairState, Progress, StoredSystem
from facematch_core.errors import InvalidRequest

from .database import RunDatabase
from .records import BACKEND_AND_THRESHOLDS, StoredPart, StoredStudy

#: Facts of a system that no run may know yet.
_LATE_FACTS: Final = ("scale", "answered_from", "price")


@attrs.frozen(kw_only=True)
class StoredRun:
    """A test set, its systems, and the outcomes of each system's pairs, by its name.

    Attributes:
        parts: The parts that were read, by the name of a system; empty for a whole test set.
    """

    study: StoredStudy
    systems: Sequence[StoredSystem]
    outcomes: Mapping[str, Sequence[PairOutcome]]
    parts: Mapping[str, Parts]


class _Source:
    """What one run database has: its test set, its systems by name, and their outcomes."""

    def __init__(self, database: RunDatabase) -> None:
        self.file = database.file
        self.study = database.study()
        self.systems = {system.name: system for system in database.systems()}
        self.outcomes: dict[str, list[PairOutcome]] = {}
        for name, system in self.systems.items():
            self.outcomes[name] = database.answers(system.number, self.study.numbers)

    @property
    def part(self) -> StoredPart:
        """The part of a test set; raise InvalidRequest if it is whole."""
        if self.study.part is None:
            raise InvalidRequest(
                f"{self.file} has a whole test set. Only run databases of its parts, which "
                "`facematch compare run --part` and Study.part make, can be read together."
            )
        return self.study.part


def read_run(databases: Sequence[RunDatabase]) -> StoredRun:
    """Read the run database of a whole test set, or join those of its parts; some may be missing.

    Raise InvalidRequest if a database has no test set, or if several are not different parts of one
    test set, run with the same systems and settings.
    """
    if not databases:
        raise InvalidRequest("There is no run database to read.")
    sources = [_Source(database) for database in databases]
    if len(sources) == 1 and sources[0].study.part is None:
        (whole,) = sources
        systems = list(whole.systems.values())
        return StoredRun(study=whole.study, systems=systems, outcomes=whole.outcomes, parts={})
    _check_parts(sources)
    sources.sort(key=lambda source: source.part.number)
    joined_systems = _join_systems(sources)
    outcomes = {}
    parts = {}
    for name, system in joined_systems.items():
        outcomes[name] = _in_order(sources, [source.outcomes[name] for source in sources])
        parts[name] = _parts_of(sources, system)
    return StoredRun(
        study=_join_studies(sources),
        systems=list(joined_systems.values()),
        outcomes=outcomes,
        parts=parts,
    )


def digest_of_parts(digests: Iterable[str]) -> str:
    """Return the digest of a test set by those of its parts in their order."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _check_parts(sources: Sequence[_Source]) -> None:
    """Raise InvalidRequest unless the sources are different parts of one test set."""
    first = sources[0]
    source_of_part: dict[int, _Source] = {}
    for source in sources:
        if source.part.list_digest != first.part.list_digest:
            raise InvalidRequest(
                f"{first.file} and {source.file} have parts of different test sets: the pairs, "
                "labels or groups in their files of pairs differ."
            )
        if source.part.of != first.part.of:
            raise InvalidRequest(
                f"{first.file} has one of {first.part.of} parts, and {source.file} one of "
                f"{source.part.of}: all parts need the same number."
            )
        same = source_of_part.setdefault(source.part.number, source)
        if same is not source:
            raise InvalidRequest(
                f"{same.file} and {source.file} both have part {source.part.number}: leave one out."
            )


def _join_systems(sources: Sequence[_Source]) -> dict[str, StoredSystem]:
    """Return the systems of all parts by name; raise InvalidRequest if they differ."""
    first = sources[0]
    joined = dict(first.systems)
    for source in sources[1:]:
        if source.systems.keys() != joined.keys():
            raise InvalidRequest(
                f"{first.file} has the systems {join_names(list(joined))}, and {source.file} has "
                f"{join_names(list(source.systems)) or 'none'}: run each part with the same ones."
            )
        for name, system in source.systems.items():
            joined[name] = _join_system(joined[name], system, source)
    return joined


def _join_system(joined: StoredSystem, system: StoredSystem, source: _Source) -> StoredSystem:
    """Return a system with what another part knows of it; raise InvalidRequest if they differ."""
    facts = {key: (joined.settings[key], system.settings[key]) for key in BACKEND_AND_THRESHOLDS}
    late_facts = {}
    for key in _LATE_FACTS:
        before = getattr(joined, key)
        now = getattr(system, key)
        late_facts[key] = now if before is None else before
        facts[key] = (late_facts[key], late_facts[key] if now is None else now)
    for key, (before, now) in facts.items():
        if before != now:
            raise InvalidRequest(
                f"The {key.replace('_', ' ')} of system {system.name[:60]!r} is {now} in "
                f"{source.file} and {before} in other parts, so they cannot be judged together."
            )
    settings = {**joined.settings, "billed": joined.is_billed or system.is_billed}
    return attrs.evolve(joined, settings=settings, **late_facts)


def _join_studies(sources: Sequence[_Source]) -> StoredStudy:
    """Return the pairs of all parts in the order of the whole test set."""
    contents = [source.study.content for source in sources]
    content: dict[str, Any] = {}
    for key in ("numbers", "mated", "probe", "reference"):
        content[key] = _in_order(sources, [each[key] for each in contents])
    content["groups"] = {}
    for column, (labels, _, _) in contents[0]["groups"].items():
        sides = []
        for side in (1, 2):
            sides.append(_in_order(sources, [each["groups"][column][side] for each in contents]))
        content["groups"][column] = [labels, *sides]
    digest = digest_of_parts(source.study.digest for source in sources)
    return StoredStudy(digest=digest, name=sources[0].study.name, content=content)


def _in_order(sources: Sequence[_Source], values: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the values of all parts' pairs in the order of the whole test set."""
    numbers = chain.from_iterable(source.study.numbers for source in sources)
    by_number = dict(zip(numbers, chain.from_iterable(values), strict=True))
    return [by_number[number] for number in sorted(by_number)]


def _parts_of(sources: Sequence[_Source], system: StoredSystem) -> Parts:
    """Return which parts were read, and what is left to do or to resolve in them."""
    unfinished = []
    unresolved = 0
    for source in sources:
        progress = Progress.of(source.outcomes[system.name], is_billed=system.is_billed)
        if progress.left:
            unfinished.append(source.part.number)
        for state in (PairState.ASKED, PairState.UNRESOLVED):
            unresolved += progress.states.get(state, 0)
    return Parts(
        of=sources[0].part.of,
        pairs=sources[0].part.pairs,
        present=[source.part.number for source in sources],
        unfinished=unfinished,
        unresolved=unresolved,
    )
