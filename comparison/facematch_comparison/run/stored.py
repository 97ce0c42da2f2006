"""Test sets and systems in a run database.

Their rows hold no pictures and no names of files or people.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from facematch_comparison.scores.answers import Grouping
from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment

from .pairs import PairOutcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facematch_comparison.study import Study

#: Settings that affect answers, with their names in error messages. Prices and retention may change
#: between runs.
_FIXED: Final = {
    "backend": "backend",
    "environment": "environment",
    "threshold": "threshold",
    "rule": "threshold rule",
    "review_threshold": "review threshold",
}


def _read_amount(value: Decimal | str) -> Decimal:
    with contextlib.suppress(ArithmeticError):
        amount = Decimal(value)
        if 0 <= amount < Decimal("Infinity"):
            return amount
    raise InvalidRequest(f"A price must be 0 or more, such as 0.05 (got {str(value)[:40]!r}).")


@attrs.frozen(kw_only=True)
class Price:
    """The price of one comparison: an amount of at least 0 and a currency code such as USD."""

    amount: Decimal = attrs.field(converter=_read_amount)
    currency: str = attrs.field()

    @currency.validator
    def _check_currency(self, _attribute: object, word: str) -> None:
        if not re.fullmatch("[A-Z]{3}", word):
            raise InvalidRequest(f"A currency is three capitals, such as USD (got {word[:40]!r}).")


@attrs.frozen(kw_only=True)
class StoredStudy:
    """A test set in the run database: the people in each pair by number, no pictures or names."""

    digest: str
    name: str
    pairs: int
    made_at: datetime
    content: Mapping[str, Any] = attrs.field(repr=False)

    @classmethod
    def of_study(
        cls, study: Study, digest: str, name: str | None, made_at: datetime
    ) -> StoredStudy:
        probe, reference = study.subject_numbers
        content = {
            "mated": study.mated.astype(int).tolist(),
            "probe": probe.tolist(),
            "reference": reference.tolist(),
            "groups": {
                column: {key: np.asarray(value).tolist() for key, value in group._asdict().items()}
                for column, group in study.groupings().items()
            },
        }
        pairs, name = len(study.pairs), name or study.name
        return cls(digest=digest, name=name, pairs=pairs, made_at=made_at, content=content)

    def columns(self) -> dict[str, Any]:
        """Return the arguments of `frame_of` that all systems share."""
        content = self.content
        return {
            "mated": np.array(content["mated"], np.bool_),
            "probe_subjects": np.array(content["probe"], np.int64),
            "reference_subjects": np.array(content["reference"], np.int64),
            "groups": {
                column: Grouping(
                    labels=tuple(group["labels"]),
                    probe=np.array(group["probe"], np.int64),
                    reference=np.array(group["reference"], np.int64),
                )
                for column, group in content["groups"].items()
            },
        }

    def turns(self) -> NDArray[np.int64]:
        """Return the position of each pair in a random order, seeded with the digest.

        Every start of the run gets the same order. Mated and non-mated pairs alternate in
        proportion, so an interrupted run has asked a random sample, however the file is sorted.
        """
        chance = np.random.default_rng(list(self.digest.encode()))
        mated = np.array(self.content["mated"], np.bool_)
        share = np.empty(len(mated))
        for kind in (mated, ~mated):
            count = int(kind.sum())
            share[kind] = (chance.permutation(count) + 0.5) / max(count, 1)
        turns = np.empty(len(mated), dtype=np.int64)
        turns[np.argsort(share, kind="stable")] = np.arange(len(mated))
        return turns


@attrs.frozen(kw_only=True)
class StoredSystem:
    """A system in the run database: its settings, and the scale and origin of its first answer."""

    number: int = 0
    study: str = ""
    name: str
    settings: Mapping[str, Any]
    scale: str | None = None
    answered_from: Environment | None = None
    price: Price | None = None

    def reference(self, pair: int) -> str:
        """Return the caller reference for a pair's call; it contains no personal data."""
        return f"facematch-{self.study[:16]}-{pair}"

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> StoredSystem:
        price = None
        if row["price"] is not None:
            price = Price(amount=row["price"], currency=row["currency"])
        names = {field.name for field in attrs.fields(cls)} - {"price"}
        return cls(**{name: row[name] for name in names}, price=price)

    def apply_changes(self, system: StoredSystem) -> StoredSystem:
        """Apply settings that may change between runs; raise `InvalidRequest` if others changed."""
        for key, words in _FIXED.items():
            if self.settings[key] != system.settings[key]:
                raise InvalidRequest(
                    f"The {words} of system {self.name[:60]!r} was {self.settings[key]} in earlier "
                    f"runs of this test set and is now {system.settings[key]}, so its answers "
                    "would not be comparable. Restore it, or use a profile with another name. "
                    "Nothing was sent."
                )
        settings = self.settings
        if system.settings["kept"] and not settings["kept"]:
            # The vendor still has the calls it was asked to keep earlier.
            settings = {**settings, **{name: system.settings[name] for name in ("kept", "privacy")}}
        return attrs.evolve(self, settings=settings, price=system.price or self.price)

    def compare(self, outcome: PairOutcome) -> tuple[StoredSystem, str | None]:
        """Return the system, with the scale and origin of its first answer, and a difference."""
        if outcome.decision is None:
            return self, None
        scale, where = self.scale or outcome.scale, self.answered_from or outcome.environment
        system = attrs.evolve(self, scale=scale, answered_from=where)
        if outcome.scale not in (None, scale):
            return system, f"with a score on the scale {outcome.scale} instead of {scale}"
        if outcome.environment is not where:
            return system, f"from {outcome.environment} instead of {where}"
        return system, None
