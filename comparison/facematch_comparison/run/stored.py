"""Test sets and systems in a run database.

Their rows hold no pictures and no names of files or people.
"""

from __future__ import annotations

import contextlib
import json
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

from .file import change, select, time_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facematch_comparison.study import Study

    from .file import Db

#: `content` is JSON: the people in each pair and their groups, by number. The row of a pair refers
#: to its system by `number`.
TABLES: Final = (
    """
CREATE TABLE IF NOT EXISTS facematch_studies (
  digest VARCHAR(64) NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, pairs INTEGER NOT NULL,
  made_at VARCHAR(40) NOT NULL, content TEXT NOT NULL)""",
    """
CREATE TABLE IF NOT EXISTS facematch_systems (
  number INTEGER NOT NULL PRIMARY KEY, study VARCHAR(64) NOT NULL, name TEXT NOT NULL,
  settings TEXT NOT NULL, scale TEXT, answered_from VARCHAR(20), price TEXT, currency VARCHAR(3),
  made_at VARCHAR(40) NOT NULL, UNIQUE (study, name))""",
)

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

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> StoredStudy:
        parsed = {"made_at": time_of(row["made_at"]), "content": json.loads(row["content"])}
        return cls(**{**row, **parsed})

    def columns(self) -> dict[str, Any]:
        """Return the arguments of `frame_of` that all systems share."""
        mated, probe, reference, groups = (
            self.content[key] for key in ("mated", "probe", "reference", "groups")
        )
        return {
            "mated": np.array(mated, np.bool_),
            "probe_subjects": np.array(probe, np.int64),
            "reference_subjects": np.array(reference, np.int64),
            "groups": {
                column: Grouping(
                    tuple(group["labels"]),
                    *(np.array(group[side], np.int64) for side in ("probe", "reference")),
                )
                for column, group in groups.items()
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
        price = row["price"] and Price(amount=row["price"], currency=row["currency"])
        where = row["answered_from"] and Environment(row["answered_from"])
        same = {name: row[name] for name in ("number", "study", "name", "scale")}
        settings = json.loads(row["settings"])
        return cls(**same, settings=settings, answered_from=where, price=price)

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


def read_system(db: Db, number: int) -> StoredSystem:
    (row,) = select(db, "SELECT * FROM facematch_systems WHERE number = ?", number)
    return StoredSystem.of_row(row)


def write_system(db: Db, system: StoredSystem) -> None:
    statement = (
        "UPDATE facematch_systems SET settings = ?, scale = ?, answered_from = ?, price = ?, "
        "currency = ? WHERE number = ?"
    )
    price = (str(system.price.amount), system.price.currency) if system.price else (None, None)
    row = (compact(system.settings), system.scale, system.answered_from, *price)
    change(db, statement, *row, system.number)


def compact(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
