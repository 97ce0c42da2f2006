"""Read run databases: that of a whole test set, or those of its parts (`Study.part`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import attrs

from facematch_comparison.scores.answers import Parts
from facematch_comparison.study.reading import Part
from facematch_comparison.values.numbers import join_names
from facematch_core.batch.records import PairOutcome, PairState, Progress, StoredSystem
from facematch_core.errors import InvalidRequest

from .database import RunDatabase
from .records import StoredStudy


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
    """What one run database has: its test set, its systems, and their outcomes, by name."""

    def __init__(self, database: RunDatabase) -> None:
        self.file = database.file
        self.study = database.study()
        self.systems = {system.name: system for system in database.systems()}
        self.outcomes: dict[str, list[PairOutcome]] = {}
        for name, system in self.systems.items():
            self.outcomes[name] = database.answers(system.number, self.study.numbers)

    @property
    def part(self) -> Part:
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
    first = sources[0]
    if len(sources) == 1 and first.study.part is None:
        systems = list(first.systems.values())
        return StoredRun(study=first.study, systems=systems, outcomes=first.outcomes, parts={})
    _check_parts(sources)
    sources.sort(key=lambda source: source.part.number)
    outcomes = {}
    parts = {}
    systems = _join_systems(sources)
    for system in systems:
        of_parts = [source.outcomes[system.name] for source in sources]
        outcomes[system.name] = _in_order(sources, of_parts)
        parts[system.name] = _parts_of(sources, system)
    return StoredRun(study=_join_studies(sources), systems=systems, outcomes=outcomes, parts=parts)


def digest_of_parts(digests: Iterable[str]) -> str:
    """Return the digest of a test set by those of its parts, in their order."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _check_parts(sources: Sequence[_Source]) -> None:
    """Raise InvalidRequest unless the sources are different parts of one test set."""
    first = sources[0]
    file_of_part = {first.part.number: first.file}
    for source in sources[1:]:
        part = source.part
        if (part.list_digest, part.of) != (first.part.list_digest, first.part.of):
            raise InvalidRequest(
                f"{first.file} ({first.study.title}) and {source.file} ({source.study.title}) are "
                "not parts of one test set: the pairs, labels, groups or numbers of parts differ."
            )
        file = file_of_part.setdefault(part.number, source.file)
        if file is not source.file:
            raise InvalidRequest(f"{file} and {source.file} both have part {part.number}.")


def _join_systems(sources: Sequence[_Source]) -> list[StoredSystem]:
    """Return the systems of all parts; raise InvalidRequest if they or their settings differ."""
    first = sources[0]
    joined = dict(first.systems)
    for source in sources[1:]:
        if source.systems.keys() != joined.keys():
            raise InvalidRequest(
                f"{first.file} has the systems {join_names(list(joined))}, and {source.file} has "
                f"{join_names(list(source.systems)) or 'none'}: run each part with the same ones."
            )
        for name, system in source.systems.items():
            joined[name] = _complete(joined[name], system)
            if joined[name] != _complete(system, joined[name]):
                raise InvalidRequest(
                    f"The backend, environment, threshold, rule, scale or price of {name[:60]!r} "
                    f"in {source.file} differs from earlier parts, so its answers are not "
                    "comparable."
                )
    return list(joined.values())


def _complete(system: StoredSystem, other: StoredSystem) -> StoredSystem:
    """Return a system with the facts that it does not know yet, as another part knows them."""
    return attrs.evolve(
        system,
        number=0,
        settings={**system.settings, "billed": system.is_billed or other.is_billed},
        scale=system.scale or other.scale,
        answered_from=system.answered_from or other.answered_from,
        price=system.price or other.price,
    )


def _join_studies(sources: Sequence[_Source]) -> StoredStudy:
    """Return the pairs of all parts in the order of the whole test set."""
    contents = [source.study.content for source in sources]
    joined: dict[str, Any] = {"groups": {}}
    for key in ("numbers", "mated", "probe", "reference"):
        joined[key] = _in_order(sources, [content[key] for content in contents])
    for column in contents[0]["groups"]:
        groupings = [content["groups"][column] for content in contents]
        labels, *sides = zip(*groupings, strict=True)
        joined["groups"][column] = [labels[0], *(_in_order(sources, side) for side in sides)]
    digest = digest_of_parts(source.study.digest for source in sources)
    return StoredStudy(digest=digest, name=sources[0].study.name, content=joined)


def _in_order(sources: Sequence[_Source], values: Iterable[Sequence[Any]]) -> list[Any]:
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
    part = sources[0].part
    present = [source.part.number for source in sources]
    return Parts(
        of=part.of, pairs=part.pairs, present=present, unfinished=unfinished, unresolved=unresolved
    )
