"""The test set of a run, and what must not change between its runs.

No pictures and no names of files or people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from facematch_comparison.scores.answers import Grouping
from facematch_comparison.study.reading import Part, Study
from facematch_core.batch.records import (
    PairOutcome,
    PairState,
    Price,
    Progress,
    StoredSystem,
    UnresolvedCharge,
)
from facematch_core.errors import InvalidRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray


#: The last ones are public, and here by their public address.
__all__ = ["PairState", "Price", "Progress", "StoredStudy", "UnresolvedCharge"]

#: Settings that affect answers and must not change between runs.
_BACKEND_AND_THRESHOLDS: Final = ("backend", "environment", "threshold", "rule", "review_threshold")


@attrs.frozen(kw_only=True)
class StoredStudy:
    """The test set in the run database: people by number, without pictures or names."""

    digest: str
    name: str
    content: Mapping[str, Any] = attrs.field(repr=False)

    @classmethod
    def of_study(cls, study: Study, digest: str) -> StoredStudy:
        """Return what the run database keeps of a study.

        It has numbers, labels and groups, but neither a path nor a picture.
        """
        probe, reference = study.subject_numbers
        content: dict[str, Any] = {
            "mated": study.mated.astype(int).tolist(),
            "probe": probe.tolist(),
            "reference": reference.tolist(),
            "groups": {
                column: [group.labels, group.probe.tolist(), group.reference.tolist()]
                for column, group in study.groupings().items()
            },
        }
        if study.place is not None:
            content["numbers"] = list(study.pair_numbers)
            content["part"] = attrs.asdict(study.place)
        return cls(digest=digest, name=study.name, content=content)

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return len(self.content["mated"])

    @property
    def numbers(self) -> Sequence[int]:
        """The number of each pair, which it keeps in a part."""
        numbers: Sequence[int] = self.content.get("numbers") or range(self.pairs)
        return numbers

    @property
    def title(self) -> str:
        """The name, with the part, if it is one."""
        part = self.part
        return self.name if part is None else f"{self.name}, part {part.number}/{part.of}"

    @property
    def part(self) -> Part | None:
        """Which part of a test set it is; None if it is whole."""
        part = self.content.get("part")
        return None if part is None else Part(**part)

    def caller_ref_of(self, pair: int) -> str:
        """Return the caller reference for a pair's call; it contains no personal data."""
        return f"facematch-{self.digest[:16]}-{pair}"

    def columns(self) -> dict[str, Any]:
        """Return the arguments of `frame_of` that all systems share."""
        content = self.content
        return {
            "pairs": np.array(self.numbers, np.int64),
            "mated": np.array(content["mated"], np.bool_),
            "probe_subjects": np.array(content["probe"], np.int64),
            "reference_subjects": np.array(content["reference"], np.int64),
            "groups": {
                column: Grouping(tuple(labels), np.array(probe), np.array(reference))
                for column, (labels, probe, reference) in content["groups"].items()
            },
        }

    def turns(self) -> NDArray[np.int64]:
        """Return the position of each pair in a random order, seeded with the digest.

        Every run uses the same order. Mated and non-mated pairs alternate in proportion, so an
        interrupted run has answers to a random sample of pairs, however the file is sorted.
        """
        chance = np.random.default_rng(list(self.digest.encode()))
        mated = np.array(self.content["mated"], np.bool_)
        share = np.empty(len(mated))
        for is_of_kind in (mated, ~mated):
            count = int(is_of_kind.sum())
            share[is_of_kind] = (chance.permutation(count) + 0.5) / max(count, 1)
        turns = np.empty(len(mated), dtype=np.int64)
        turns[np.argsort(share, kind="stable")] = np.arange(len(mated))
        return turns


def apply_changes(stored: StoredSystem, system: StoredSystem) -> StoredSystem:
    """Apply settings that may change between runs; raise `InvalidRequest` on other changes."""
    for key in _BACKEND_AND_THRESHOLDS:
        before = stored.settings[key]
        now = system.settings[key]
        if before != now:
            raise InvalidRequest(
                f"The {key.replace('_', ' ')} of system {stored.name[:60]!r} was {before} in "
                f"earlier runs and is now {now}, so its answers would not be "
                "comparable. Restore it, or use a profile with another name. Nothing was sent."
            )
    # Earlier calls may be on the invoice.
    settings = {**stored.settings, "billed": stored.is_billed or system.is_billed}
    return attrs.evolve(stored, settings=settings, price=system.price or stored.price)


def compare(system: StoredSystem, outcome: PairOutcome) -> tuple[StoredSystem, str | None]:
    """Return the system with its first scale and environment, and how `outcome` differs."""
    if outcome.decision is None:
        return system, None
    scale = system.scale or outcome.scale
    environment = system.answered_from or outcome.environment
    system = attrs.evolve(system, scale=scale, answered_from=environment)
    if outcome.scale not in (None, scale):
        return system, f"with a score on the scale {outcome.scale} instead of {scale}"
    if outcome.environment is not environment:
        return system, f"from {outcome.environment} instead of {environment}"
    return system, None
