"""The tables of a run database, its rows as values, and the states of a pair with all their steps.

No picture, no name of a file or of a person is in them.
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
from sqlalchemy import Column, Double, Integer, MetaData, String, Table, Text, UniqueConstraint

from facematch_comparison.answers import Grouping
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
    """How far one pair has come with one system."""

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

#: State of a pair without an answer.
BY_CHARGE: Final[Mapping[Charged | None, PairState]] = {
    Charged.YES: PairState.NO_RESPONSE,
    Charged.UNKNOWN: PairState.UNRESOLVED,
}

#: Each step of a pair, and the states that it leads out of. A step is one transaction, of a row
#: that is in such a state and has no other call, and it is written *before* what it stands for is
#: done: whoever is killed leaves BEGUN, which is never paid for, or ASKED, which may be. So each
#: pair is charged once for each system, whoever dies when.
STEPS: Final = {
    # To BEGUN: the call has an id; budgets come after it.
    "begin": (PairState.FREE,),
    # To ASKED, before the first byte.
    "ask": (PairState.BEGUN,),
    # To BEGUN: a try failed unpaid, and another follows.
    "repeat": (PairState.ASKED,),
    # To ANSWERED, FAILED, UNRESOLVED, NO_RESPONSE by what was charged; to FREE where the error is
    # about the run and not about the pair: a wrong key, no credit, an open circuit breaker.
    "end": (PairState.FREE, *UNDER_WAY),
    # To FREE: held back before the first byte, because it could not be written down.
    "release": UNDER_WAY,
    # To UNRESOLVED: its process is gone. (BEGUN becomes FREE, once budgets know; so does FAILED.)
    "recover": (PairState.ASKED,),
    # To NO_RESPONSE or FREE: a budget or a person says whether it was charged.
    "resolve": (PairState.UNRESOLVED,),
    # To ANSWERED: the vendor's records have it.
    "find": WITHOUT_ANSWER,
    # To the same: the vendor's records do not have it.
    "look": WITHOUT_ANSWER,
}


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


# --- Rows ---------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of one pair."""

    state: PairState
    billed: Charged | None
    decision: Decision | None = None
    score: float | None = None
    scale: str | None = None
    elapsed_s: float | None = None
    environment: Environment | None = None
    backend: str | None = None
    model: str | None = None
    error: str | None = None
    call_id: str | None = None
    #: The call, if it has become known better since it began: by the vendor's id.
    call: CallRecord | None = None
    #: When it ended, as it is stored.
    at: str | None = None

    @classmethod
    def of_result(cls, result: MatchResult, *, elapsed_s: float | None) -> Outcome:
        """Of an answer; also of one in which no two faces could be compared."""
        return cls(
            state=PairState.ANSWERED,
            billed=result.billing.charged,
            decision=result.decision,
            score=None if result.score is None else result.score.value,
            scale=None if result.score is None else result.score.scale,
            elapsed_s=elapsed_s,
            environment=result.environment or Environment.PRODUCTION,
            backend=result.backend,
            model=result.model,
            call_id=result.ids.call,
        )

    def charge(self) -> Outcome:
        """What is kept of an answer that does not compare with the others."""
        return Outcome(
            state=BY_CHARGE.get(self.billed, PairState.FREE),
            billed=self.billed,
            environment=self.environment,
            error="UnexpectedResponse",
            call_id=self.call_id,
        )

    def row(self, at: datetime) -> dict[str, Any]:
        """As columns of `COMPARISONS`."""
        if self.state is PairState.FREE:
            return FREE
        columns = {name: getattr(self, name) for name in _KEPT} | {"ended_at": text_of(at)}
        return columns if self.call is None else columns | {"call": json.dumps(self.call.to_dict())}

    @classmethod
    def of_row(cls, row: RowMapping) -> Outcome:
        """A damaged one raises one of many kinds."""
        for name in ("score", "elapsed_s"):
            # SQLite keeps any text in a column of numbers.
            if row[name] is not None and not math.isfinite(row[name]):
                raise ValueError("not finite")
        texts = {name: row[name] for name in ("scale", "backend", "model", "error", "at")}
        if not all(text is None or isinstance(text, str) for text in texts.values()):
            raise TypeError("no text")
        return cls(
            state=PairState(row["state"]),
            billed=row["billed"] and Charged(row["billed"]),
            decision=row["decision"] and Decision(row["decision"]),
            environment=row["environment"] and Environment(row["environment"]),
            score=row["score"],
            elapsed_s=row["elapsed_s"],
            **texts,
        )


#: Fields of an outcome that are columns of the same name.
_KEPT: Final = (
    *("state", "billed", "decision", "score", "scale", "elapsed_s"),
    *("environment", "backend", "model", "error"),
)


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

        To look for a call that was never made takes the records of a whole day. A call with the
        vendor's own id is always due: to ask for it is one small request.
        """
        if self.call is None:
            return False
        if self.looked_at is None or self.call.vendor_id is not None:
            return True
        return self.looked_at - self.since < SURELY_LATE <= now - self.since

    @classmethod
    def of_row(cls, row: RowMapping, name: str) -> UnresolvedCharge:
        """Of a row of `COMPARISONS`."""
        return cls(
            system=row["system"],
            name=name,
            pair=row["pair"],
            state=PairState(row["state"]),
            call=row["call"] and CallRecord.from_dict(json.loads(row["call"])),
            error=row["error"],
            since=_time(row["started_at"] or row["ended_at"]),
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
    """A test set as the run database has it: who is alike, without pictures and names."""

    digest: str
    name: str
    pairs: int
    made_at: datetime
    content: Mapping[str, Any] = attrs.field(repr=False)

    @classmethod
    def of_row(cls, row: RowMapping) -> StoredStudy:
        """A damaged one raises one of many kinds."""
        known = dict(row) | {"made_at": _time(row["made_at"])}
        study = cls(**known | {"content": json.loads(row["content"])})
        if {type(study.name), type(study.digest)} != {str}:
            raise TypeError("no name")
        if any(len(column) != study.pairs for column in study.columns().values()):
            raise ValueError("another number of pairs")
        study.groups()
        return study

    def columns(self) -> dict[str, NDArray[Any]]:
        """What a `ScoreTable` needs to know of it, groups apart."""
        content = self.content
        return {
            "mated": np.array(content["mated"], dtype=np.bool_),
            "probe_subjects": np.array(content["probe"], dtype=np.int64),
            "reference_subjects": np.array(content["reference"], dtype=np.int64),
        }

    def groups(self) -> dict[str, Grouping]:
        """Its groups, by column."""
        return {
            column: Grouping(
                labels=tuple(group["labels"]),
                probe=np.array(group["probe"], dtype=np.int64),
                reference=np.array(group["reference"], dtype=np.int64),
            )
            for column, group in self.content["groups"].items()
        }

    def turns(self) -> NDArray[np.int64]:
        """For each pair, when it is asked: the same in every start.

        At random by the digest, mated and non-mated pairs in proportion: wherever a run ends, what
        was asked is a sample of the whole, however its file is sorted.
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
    """A system as the run database has it: what it was asked with, and how its answers are."""

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
        """A damaged one raises one of many kinds."""
        settings = json.loads(row["settings"])
        for name in (*FIXED, "kept", "privacy"):
            settings[name]
        known = {name: row[name] for name in ("number", "study", "name", "scale", "currency")}
        return cls(
            **known,
            settings=settings,
            answered_from=row["answered_from"] and Environment(row["answered_from"]),
            price=row["price"] and Decimal(row["price"]),
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
