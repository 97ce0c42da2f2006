"""The tables of a run database, and what its rows are as values. All of it is here.

The tables lie beside those of the store of calls, in one database or another, with a version of
their own: either can be read without the other. No picture, no name of a file or of a person is in
them.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
from sqlalchemy import (
    Column,
    Double,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from facematch_comparison.model import Grouping
from facematch_core.models import CallRecord, Charged, Decision, Environment, MatchResult

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import RowMapping

    from facematch_comparison.study import Study

#: Of these tables and of what is in them; a run database of another version is left alone.
VERSION: Final = 4

#: A record of a call that is missing after this time will not come any more.
SURELY_LATE: Final = timedelta(minutes=15)


class PairState(enum.StrEnum):
    """How far one pair has come with one system; `worker` draws how they follow each other."""

    #: It may be asked.
    FREE = "free"
    #: Its call has an id, and budgets may have set aside its price. Nothing was sent.
    BEGUN = "begun"
    #: The first byte may have left.
    ASKED = "asked"
    #: The system said something of it, or refuses its pictures.
    ANSWERED = "answered"
    #: It failed, was certainly not charged, and is asked again by the next start.
    FAILED = "failed"
    #: It may have been charged, and nothing says so. Never asked again by itself.
    UNRESOLVED = "unresolved"
    #: It was charged, and there is no answer. Never asked again.
    NO_RESPONSE = "no response"


#: States of a pair that is being asked about, or was when its process ended.
UNDER_WAY: Final = (PairState.BEGUN, PairState.ASKED)
#: States of a pair without an answer that may have been charged, or was.
WITHOUT_ANSWER: Final = (PairState.UNRESOLVED, PairState.NO_RESPONSE)


# --- Tables -------------------------------------------------------------------------------------

METADATA: Final = MetaData()

RUN_DATABASE: Final = Table(
    "facematch_comparison_store",
    METADATA,
    Column("version", Integer, primary_key=True),
    # Which process holds it, and since when; of one that was killed it stays here.
    Column("host", Text),
    Column("pid", Integer),
    Column("since", String(40)),
)

STUDIES: Final = Table(
    "facematch_studies",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("pairs", Integer, nullable=False),
    Column("made_at", String(40), nullable=False),
    # Who is alike and in which group, as JSON.
    Column("content", Text, nullable=False),
)

SYSTEMS: Final = Table(
    "facematch_systems",
    METADATA,
    # Short, because each of its pairs carries it.
    Column("number", Integer, primary_key=True),
    Column("study", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("scale", Text),
    Column("answered_from", String(20)),
    Column("price", Text),
    Column("currency", String(3)),
    Column("made_at", String(40), nullable=False),
    UniqueConstraint("study", "name"),
)

#: One pair and system per row, from the first start on.
COMPARISONS: Final = Table(
    "facematch_comparisons",
    METADATA,
    Column("system", Integer, primary_key=True, autoincrement=False),
    Column("pair", Integer, primary_key=True, autoincrement=False),
    Column("state", String(12), nullable=False),
    Column("call_id", String(64)),
    Column("call", Text),
    # Times are UTC and text that sorts: SQLite has no times with a zone.
    Column("started_at", String(40)),
    Column("ended_at", String(40)),
    Column("looked_at", String(40)),
    Column("elapsed_s", Double),
    Column("decision", String(20)),
    Column("score", Double),
    Column("scale", Text),
    Column("billed", String(20)),
    Column("environment", String(20)),
    Column("backend", Text),
    Column("model", Text),
    Column("error", Text),
)

#: A row of a pair that may be asked.
FREE: Final[dict[str, Any]] = {
    column.name: None for column in COMPARISONS.columns if column.name not in ("system", "pair")
} | {"state": PairState.FREE.value}


# --- Records ------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of one pair. No picture, no name of a file or of a person.

    Attributes:
        state: Where it stands.
        billed: Whether it was charged, as far as is known.
        decision: At the threshold of the run; None without a result.
        score: On `scale`; None if none was given.
        scale: Of the score.
        elapsed_s: What the call took, in seconds; None if that was not measured.
        environment: Where the answer came from; None if nothing says so.
        backend, model: As the result says.
        error: Class name of the error; None for a result.
        call_id: Of the call; None if none was made.
    """

    state: PairState
    billed: Charged
    decision: Decision | None = None
    score: float | None = None
    scale: str | None = None
    elapsed_s: float | None = None
    environment: Environment | None = None
    backend: str | None = None
    model: str | None = None
    error: str | None = None
    call_id: str | None = None

    @classmethod
    def of_result(cls, result: MatchResult, *, elapsed_s: float | None) -> Outcome:
        """Of an answer; also of one in which no two faces could be compared.

        Args:
            result: It.
            elapsed_s: What the call took, in seconds; None if that was not measured.
        """
        return cls(
            state=PairState.ANSWERED,
            billed=result.billing.charged,
            decision=result.decision,
            score=None if result.score is None else result.score.value,
            scale=None if result.score is None else result.score.scale,
            elapsed_s=elapsed_s,
            # Answers whose environment nobody knows count with the real ones.
            environment=result.environment or Environment.PRODUCTION,
            backend=result.backend,
            model=result.model,
            call_id=result.ids.call,
        )

    def differs_from(self, scale: str | None, answered_from: Environment | None) -> str | None:
        """How an answer differs from those on this scale and from there; None if it does not."""
        if self.scale not in (None, scale):
            return f"a score on the scale {self.scale}, and before on {scale}"
        if self.environment is not answered_from:
            return f"from {self.environment}, and before from {answered_from}"
        return None

    def row(self, at: datetime) -> dict[str, Any]:
        """As columns of `COMPARISONS`."""
        if self.state is PairState.FREE:
            return FREE
        columns = attrs.asdict(self)
        del columns["call_id"]
        for name in ("state", "billed", "decision", "environment"):
            columns[name] = columns[name] and columns[name].value
        return columns | {"ended_at": text_of(at)}


@attrs.frozen(kw_only=True)
class UnresolvedCharge:
    """A pair whose call has no answer, and may have been charged or was.

    Attributes:
        system: Its number in the run database.
        name: Its name.
        pair: Place of the pair in the test set, from 0.
        state: `UNRESOLVED`, or `NO_RESPONSE`.
        call: The call; None if it was not written down.
        error: Class name of the error that it ended in; None if its process is gone.
        since: When it was asked, UTC.
        looked_at: When it was last looked for in the vendor's records in vain, UTC; None if never.
    """

    system: int
    name: str
    pair: int
    state: PairState
    call: CallRecord | None
    error: str | None
    since: datetime
    looked_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether to look for it unasked: at once, and once more when it is late.

        To look for a call that was never made means to look through the records of a whole day.
        """
        if self.call is None or not self.call.kept:
            return False
        if self.looked_at is None:
            return True
        return self.looked_at - self.since < SURELY_LATE <= now - self.since

    @classmethod
    def of_row(cls, row: RowMapping, name: str) -> UnresolvedCharge:
        """From a row of `COMPARISONS`."""
        return cls(
            system=row["system"],
            name=name,
            pair=row["pair"],
            state=PairState(row["state"]),
            call=row["call"] and CallRecord.from_dict(json.loads(row["call"])),
            error=row["error"],
            since=_time(row["started_at"]),
            looked_at=row["looked_at"] and _time(row["looked_at"]),
        )


@attrs.frozen(kw_only=True)
class Progress:
    """How far one system has come with one test set.

    Attributes:
        states: How many pairs are in each state; a state without a pair is not there.
        not_acquired: Of those that are answered: those in which no two faces could be compared.
        charged: Pairs that were charged.
        maybe_charged: Pairs that may have been.
        models: Model that answers name to how many; more than one: the vendor changed it meanwhile.
    """

    states: Mapping[PairState, int]
    not_acquired: int
    charged: int
    maybe_charged: int
    models: Mapping[str, int] = attrs.field(factory=dict)

    @property
    def pairs(self) -> int:
        """All of them."""
        return sum(self.states.values())

    @property
    def left(self) -> int:
        """Pairs that a start would ask: of which nothing was sent, or nothing was charged."""
        states = (PairState.FREE, PairState.BEGUN, PairState.FAILED)
        return sum(self.states.get(state, 0) for state in states)


@attrs.frozen(kw_only=True)
class StoredStudy:
    """A test set as the run database has it: who is alike, without pictures and names.

    Attributes:
        digest: SHA-256 of its pictures, pairs and groups, in hex.
        name: What it was called when it was first run.
        pairs: How many there are.
        made_at: When it was first run, UTC.
        content: Who is alike and in which group, by numbers; see `content_of`.
    """

    digest: str
    name: str
    pairs: int
    made_at: datetime
    content: Mapping[str, Any] = attrs.field(repr=False)

    @classmethod
    def of_row(cls, row: RowMapping) -> StoredStudy:
        """From a row of `STUDIES`.

        Raises:
            ValueError, TypeError, LookupError: it is damaged.
        """
        study = cls(
            digest=row["digest"],
            name=row["name"],
            pairs=row["pairs"],
            made_at=_time(row["made_at"]),
            content=json.loads(row["content"]),
        )
        if {type(study.name), type(study.digest)} != {str}:
            raise TypeError("no name")
        if any(len(column) != study.pairs for column in study.columns().values()):
            raise ValueError("another number of pairs")
        study.groups()
        return study

    def row(self) -> dict[str, Any]:
        """As columns of `STUDIES`."""
        return {
            "digest": self.digest,
            "name": self.name,
            "pairs": self.pairs,
            "made_at": text_of(self.made_at),
            "content": json.dumps(self.content, separators=(",", ":")),
        }

    def columns(self) -> dict[str, NDArray[Any]]:
        """What a `ScoreTable` needs to know of it, groups apart."""
        content = self.content
        return {
            "mated": np.array(content["mated"], dtype=np.bool_),
            "probe_subjects": _numbers(content["probe"]),
            "reference_subjects": _numbers(content["reference"]),
        }

    def groups(self) -> dict[str, Grouping]:
        """Its groups, by column."""
        return {
            column: Grouping(
                labels=tuple(group["labels"]),
                probe=_numbers(group["probe"]),
                reference=_numbers(group["reference"]),
            )
            for column, group in self.content["groups"].items()
        }


@attrs.frozen(kw_only=True)
class StoredSystem:
    """A system as the run database has it.

    Attributes:
        number: Its own.
        study: Digest of the test set.
        name: Of the backend or profile.
        settings: What it was asked with; see `OpenSystem.settings`.
        scale: Of its scores; None before the first.
        answered_from: Where its answers come from; None before the first.
        price: Of one comparison, in `currency`; None if nobody said.
        currency: Three letters; None without a price.
    """

    number: int = 0
    study: str = ""
    name: str
    settings: Mapping[str, Any]
    scale: str | None = None
    answered_from: Environment | None = None
    price: Decimal | None = None
    currency: str | None = None

    def reference(self, pair: int) -> str:
        """What a call that is kept carries, so that it is found quickly; of nobody's data."""
        return f"facematch-{self.study[:16]}-{pair}"

    @classmethod
    def of_row(cls, row: RowMapping) -> StoredSystem:
        """From a row of `SYSTEMS`.

        Raises:
            ValueError, TypeError, LookupError, ArithmeticError: it is damaged.
        """
        settings = json.loads(row["settings"])
        for name in (*FIXED, "kept", "privacy"):
            settings[name]
        return cls(
            number=row["number"],
            study=row["study"],
            name=row["name"],
            settings=settings,
            scale=row["scale"],
            answered_from=row["answered_from"] and Environment(row["answered_from"]),
            price=row["price"] and Decimal(row["price"]),
            currency=row["currency"],
        )


#: Settings that change answers, and what they are called in a sentence. Prices and what is kept
#: may change between two starts.
FIXED: Final = {
    "backend": "backend",
    "environment": "environment",
    "threshold": "threshold",
    "rule": "threshold rule",
    "review_threshold": "review threshold",
}


@attrs.frozen
class AnswerRow:
    """What `read_answers` reads of one pair, in the order of these columns."""

    pair: int
    state: PairState
    decision: Decision | None
    score: float | None
    elapsed_s: float | None
    billed: Charged | None
    environment: Environment | None
    backend: str | None
    model: str | None
    error: str | None
    at: str | None

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> AnswerRow:
        """From columns of `COMPARISONS`.

        Raises:
            ValueError, TypeError: it is damaged.
        """
        pair, state, decision, score, elapsed_s, billed, environment, *texts = row
        for number in (score, elapsed_s):
            # SQLite keeps any text in a column of numbers.
            if number is not None and not math.isfinite(number):
                raise ValueError("not finite")
        if not all(text is None or isinstance(text, str) for text in texts):
            raise TypeError("no text")
        return cls(
            pair,
            PairState(state),
            decision and Decision(decision),
            score,
            elapsed_s,
            billed and Charged(billed),
            environment and Environment(environment),
            *texts,
        )


def content_of(study: Study) -> dict[str, Any]:
    """A test set as numbers: who is alike, and who belongs to which group."""
    probe, reference = (numbers.tolist() for numbers in study.subject_numbers)
    # By first appearance: the same on every machine, whatever people are called there.
    both = (number for two in zip(probe, reference, strict=True) for number in two)
    place = {number: at for at, number in enumerate(dict.fromkeys(both))}
    return {
        "mated": study.mated.astype(int).tolist(),
        "probe": [place[number] for number in probe],
        "reference": [place[number] for number in reference],
        "groups": {
            column: {
                "labels": list(group.labels),
                "probe": group.probe.tolist(),
                "reference": group.reference.tolist(),
            }
            for column, group in study.groupings().items()
        },
    }


def text_of(at: datetime) -> str:
    """A time, UTC, as it is stored."""
    return at.isoformat(timespec="microseconds")


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("no time zone")
    return at


def _numbers(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
