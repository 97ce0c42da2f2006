"""Test sets and systems in a run database: entered once, then unchanged.

They hold no picture, and no name of a file or of a person.
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

#: `content` is JSON: who is in each pair, and in which group. Each row of a pair has the number of
#: its system.
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

#: Settings that change answers, with their words in a sentence. Prices and what is kept may change
#: between two starts.
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
    raise InvalidRequest(f"The price {str(value)[:40]!r} is no amount from 0 on, such as 0.05.")


@attrs.frozen(kw_only=True)
class Price:
    """Price of one comparison: an amount from 0 on, and a currency as three capital letters."""

    amount: Decimal = attrs.field(converter=_read_amount)
    currency: str = attrs.field()

    @currency.validator
    def _check_currency(self, _attribute: object, word: str) -> None:
        if not re.fullmatch("[A-Z]{3}", word):
            raise InvalidRequest(f"{word[:40]!r} is no currency: write three capitals, as USD.")


@attrs.frozen(kw_only=True)
class StoredStudy:
    """A test set in the run database: who is in each pair, without pictures and names."""

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
        """Return the turn of each pair, at random by the digest: the same in every start.

        Mated and non-mated pairs come in proportion. So the asked pairs are a sample of the whole
        wherever a run ends, however its file is sorted.
        """
        chance = np.random.default_rng(list(self.digest.encode()))
        mated = self.columns()["mated"]
        share = np.empty(len(mated))
        for kind in (mated, ~mated):
            count = int(kind.sum())
            share[kind] = (chance.permutation(count) + 0.5) / max(count, 1)
        turns = np.empty(len(mated), dtype=np.int64)
        turns[np.argsort(share, kind="stable")] = np.arange(len(mated))
        return turns


@attrs.frozen(kw_only=True)
class StoredSystem:
    """A system in the run database: its settings, and what its first answers are like."""

    number: int = 0
    study: str = ""
    name: str
    settings: Mapping[str, Any]
    scale: str | None = None
    answered_from: Environment | None = None
    price: Price | None = None

    def reference(self, pair: int) -> str:
        """Return the caller reference of a kept call, which contains no personal data."""
        return f"facematch-{self.study[:16]}-{pair}"

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> StoredSystem:
        price = row["price"] and Price(amount=row["price"], currency=row["currency"])
        where = row["answered_from"] and Environment(row["answered_from"])
        same = {name: row[name] for name in ("number", "study", "name", "scale")}
        settings = json.loads(row["settings"])
        return cls(**same, settings=settings, answered_from=where, price=price)

    def apply_changes(self, system: StoredSystem) -> StoredSystem:
        """Apply the settings that may change between two starts; raise if others changed."""
        for key, words in _FIXED.items():
            if self.settings[key] != system.settings[key]:
                raise InvalidRequest(
                    f"The system {self.name[:60]!r} was asked with the {words} "
                    f"{self.settings[key]} in this test set, and is now set to "
                    f"{system.settings[key]}: its answers would not belong together. Set it back, "
                    "or run a profile of another name. Nothing was sent."
                )
        settings = self.settings
        if system.settings["kept"] and not settings["kept"]:
            # Calls that were kept stay kept, whatever later calls ask for.
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
