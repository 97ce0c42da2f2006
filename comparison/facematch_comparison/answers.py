"""What a comparison is made of: what each system answered to the pairs of a test set.

`ScoreTable` has the answers themselves, `Answers` the same with time, money and origin. Scores and
thresholds are on the scale of the system, times in seconds, money in the currency beside it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import attrs
import numpy as np

from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, Environment, ThresholdRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What `ScoreTable.decisions` means: its place here; `NO_DECISION` for none.
DECISIONS: Final = (Decision.NO_MATCH, Decision.MATCH, Decision.REVIEW, Decision.INCONCLUSIVE)
NO_DECISION: Final = -1

#: What `Answers.billed` means: its place here.
BILLED: Final = (Charged.NO, Charged.YES, Charged.UNKNOWN)

#: The largest amount of a score: the square of a larger one, for a variance, may overflow.
MOST_SCORE: Final = 1e150

#: Why a pair has no answer where no error says why.
NOT_ASKED: Final = "not asked"

_T = TypeVar("_T")


@attrs.frozen(kw_only=True, eq=False)
class Grouping:
    """One column of groups of a test set, by their names.

    Attributes:
        probe, reference: int64, (N,): the place in `labels` of the group of each picture's subject;
            -1 where that is not known.
    """

    labels: tuple[str, ...]
    probe: NDArray[np.int64]
    reference: NDArray[np.int64]

    @property
    def within(self) -> NDArray[np.int64]:
        """int64, (N,): the group of both subjects; -1 where they differ or one is not known."""
        return np.where(self.probe == self.reference, self.probe, -1)

    def take(self, rows: NDArray[Any]) -> Grouping:
        """Only `rows`: places, or a mask."""
        return attrs.evolve(self, probe=self.probe[rows], reference=self.reference[rows])


class People(NamedTuple):
    """Who is in a table.

    Attributes:
        numbers: int64, (P,), rising: of everybody, as in the columns of the table.
        probe, reference: int64, (N,): the place in `numbers` of the person in each picture.
    """

    numbers: NDArray[np.int64]
    probe: NDArray[np.int64]
    reference: NDArray[np.int64]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ScoreTable:
    """What one system answered to N pairs, in the order of the test set.

    A pair is *answered* if the system said anything about it; it is *acquired* if two faces could
    be compared. What was not answered (an outage, a lost answer) says nothing about faces and
    counts in no rate; what was answered without features is a failure to acquire (ISO/IEC 19795-1),
    and counts as an error where somebody is turned away for it.

    Attributes:
        name: The system's: of a backend or a profile of the configuration.
        rule: How its scores are compared with a threshold; `VENDOR` if that is not known.
        mated: bool, (N,): whether both pictures show one person.
        scores: float64, (N,), higher is more alike; NaN where there is none.
        decisions: int8, (N,): place in `DECISIONS`, at the threshold of the run; -1 for none.
        acquired: bool, (N,); False wherever `answered` is False.
        probe_subjects, reference_subjects: int64, (N,): a number for each person; the same person
            has the same number in both, and a mated pair has the same number twice.
        groups: Columns of the test set that put people into groups.
        scale: Of the scores; None if it is not known.
        threshold: That of the run, on the scale; None if it is the vendor's own.
        transactions: int64, (N,): a number for the transaction that each pair is an attempt of: one
            person's attempts against one person. The same in all tables of a test set; None if
            nobody said.
        attempts: int64, (N,): the order of each pair within its transaction, from 1; None without
            `transactions`, and only then.
    """

    name: str
    rule: ThresholdRule
    mated: NDArray[np.bool_]
    scores: NDArray[np.float64]
    decisions: NDArray[np.int8]
    acquired: NDArray[np.bool_]
    answered: NDArray[np.bool_]
    probe_subjects: NDArray[np.int64]
    reference_subjects: NDArray[np.int64]
    groups: Mapping[str, Grouping] = attrs.field(factory=dict)
    scale: str | None = None
    threshold: float | None = None
    transactions: NDArray[np.int64] | None = None
    attempts: NDArray[np.int64] | None = None
    _derived: dict[Any, Any] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        for name, column in self._columns().items():
            if column.shape != self.mated.shape:
                raise InvalidRequest(
                    f"{name} has the shape {column.shape}, mated has {self.mated.shape}: give one "
                    "value for each pair."
                )
        if np.any(np.abs(self.scores) > MOST_SCORE):
            raise InvalidRequest(
                f"{self.name} has a score beyond {MOST_SCORE:g}, too large to compute with."
            )
        if np.any(self.acquired & ~self.answered):
            raise InvalidRequest("A pair is acquired that was not answered.")
        self._check_transactions()

    def _columns(self) -> dict[str, NDArray[Any]]:
        """What has one value for each pair, without the columns that nobody gave."""
        columns = {name: getattr(self, name) for name in _COLUMNS}
        return {name: column for name, column in columns.items() if column is not None}

    def _check_transactions(self) -> None:
        """Refuse transactions of several people, and attempts in no order."""
        if (self.transactions is None) != (self.attempts is None):
            raise InvalidRequest(
                f"{self.name} has transactions or attempts, and needs both: which transaction each "
                "pair belongs to, and its order within it."
            )
        if self.transactions is None or self.attempts is None:
            return
        order = np.lexsort((self.attempts, self.transactions))
        number, attempt = self.transactions[order], self.attempts[order]
        of_whom = np.stack([self.mated, self.probe_subjects, self.reference_subjects])[:, order]
        is_same = (np.diff(attempt) == 0) | (np.diff(of_whom) != 0).any(axis=0)
        is_wrong = (np.diff(number) == 0) & is_same
        if np.any(attempt < 1) or np.any(is_wrong):
            place = int(number[np.append(is_wrong, False) | (attempt < 1)][0])
            raise InvalidRequest(
                f"Transaction {place} of {self.name} is not one person's attempts against one "
                "person, numbered from 1, each once."
            )

    def __len__(self) -> int:
        return len(self.mated)

    def __repr__(self) -> str:
        mated = int(np.count_nonzero(self.mated))
        of = f"{mated:,} mated and {len(self) - mated:,} non-mated pairs"
        return f"<{type(self).__name__} {self.name}: {of}>"

    def once(self, derive: Callable[..., _T], *more: Any) -> _T:
        """`derive(self, *more)`, computed the first time only."""
        if (derive, *more) not in self._derived:
            self._derived[derive, *more] = derive(self, *more)
        value: _T = self._derived[derive, *more]
        return value

    @functools.cached_property
    def people(self) -> People:
        """Everybody, numbered from 0 on."""
        columns = self.probe_subjects, self.reference_subjects
        low, high = (min(map(np.min, columns)), max(map(np.max, columns))) if len(self) else (0, -1)
        if low < 0 or high > 4 * len(self):
            numbers, places = np.unique(np.concatenate(columns), return_inverse=True)
            return People(numbers, *places.reshape(2, -1))
        # Small numbers need no sorting, and if none is missing they stay as they are.
        is_seen = np.zeros(high + 1, bool)
        for column in columns:
            is_seen[column] = True
        numbers = np.flatnonzero(is_seen)
        if len(numbers) == len(is_seen):
            return People(numbers, *columns)
        place = np.cumsum(is_seen) - 1
        return People(numbers, *(place[column] for column in columns))

    @functools.cached_property
    def scored(self) -> NDArray[np.bool_]:
        """bool, (N,): the pairs that have a score."""
        return self.acquired & ~np.isnan(self.scores)

    @functools.cached_property
    def scored_others(self) -> int:
        """How many non-mated pairs have a score."""
        return int(np.count_nonzero(self.scored & ~self.mated))

    @functools.cached_property
    def is_scored(self) -> bool:
        """Whether the acquired pairs have scores, so that a threshold can be chosen.

        A vendor that gives a score only for those who match is one point and no curve: the scores
        of the others are not known to be low. A few answers without one, at most one in a hundred,
        count as turned away at a threshold, and a caveat says how many.
        """
        acquired = int(np.count_nonzero(self.acquired))
        missing = acquired - int(np.count_nonzero(self.scored))
        return bool(acquired) and missing <= MISSING_SCORES * acquired

    def take(self, rows: NDArray[Any]) -> ScoreTable:
        """Only `rows`: places, or a mask; the order is that of `rows`."""
        if rows.dtype == bool and rows.all():
            return self
        return attrs.evolve(
            self,
            **{name: column[rows] for name, column in self._columns().items()},
            groups={name: group.take(rows) for name, group in self.groups.items()},
        )

    def best_of(self, attempts: int) -> ScoreTable:
        """A row for each transaction, with the best of its first `attempts`.

        It passes, or matches, if one of them does, and is acquired if one is. It is answered if all
        of them are: whether it would have passed cannot be known otherwise.

        Raises:
            InvalidRequest: nobody said which transaction a pair is an attempt of.
        """
        if self.transactions is None or self.attempts is None:
            raise InvalidRequest(
                f"{self.name} has no transactions: say of each pair which one it is an attempt of."
            )
        rows = np.flatnonzero(self.attempts <= attempts)
        rows = rows[np.argsort(self.transactions[rows], kind="stable")]
        numbers = self.transactions[rows]
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
        answered = np.logical_and.reduceat(self.answered[rows], starts)
        is_match = np.equal(self.decisions, DECISIONS.index(Decision.MATCH))
        # One without a decision might have been a match.
        ranks = np.where(is_match, 2, self.decisions == NO_DECISION) * self.acquired
        scores = np.where(self.scored, self.scores, -np.inf)[rows]
        best = np.maximum.reduceat(scores, starts)
        rank = np.maximum.reduceat(ranks[rows], starts)
        return attrs.evolve(
            self.take(rows[starts]),
            scores=np.where(answered & np.isfinite(best), best, np.nan),
            decisions=np.where(answered, _BY_RANK[rank], NO_DECISION),
            acquired=answered & np.logical_or.reduceat(self.acquired[rows], starts),
            answered=answered,
            transactions=None,
            attempts=None,
        )

    def passed(self, threshold: float | None) -> NDArray[np.bool_]:
        """bool, (N,): which pairs pass; never one that failed to acquire or has no score.

        Args:
            threshold: On the scale of the scores, by `rule`; None for the decisions of the run,
                of which only `MATCH` passes.

        Raises:
            InvalidRequest: a threshold is given, and the scores or the rule are not known; or none
                is given, and there are no decisions.
        """
        if threshold is None:
            if self.acquired.any() and not (self.decisions != NO_DECISION).any():
                raise InvalidRequest(f"{self.name} made no decisions: name a threshold.")
            return self.acquired & np.equal(self.decisions, DECISIONS.index(Decision.MATCH))
        if not self.is_scored:
            raise InvalidRequest(
                f"{self.name} does not give a score for every pair: it has no threshold."
            )
        if self.rule is ThresholdRule.ABOVE:
            return self.acquired & (self.scores > threshold)
        if self.rule is ThresholdRule.AT_LEAST:
            return self.acquired & (self.scores >= threshold)
        raise InvalidRequest(f"How {self.name} compares a score with a threshold is not known.")


#: The share of acquired pairs that may lack a score before no threshold can be chosen.
MISSING_SCORES: Final = 0.01


#: What a transaction comes to: none matched, one had no decision, one matched.
_BY_RANK: Final = np.array(
    [DECISIONS.index(Decision.NO_MATCH), NO_DECISION, DECISIONS.index(Decision.MATCH)], np.int8
)

#: What a test set says of each pair, and so every table of it.
_PAIRS: Final = ("mated", "probe_subjects", "reference_subjects", "transactions", "attempts")

_COLUMNS: Final = (*_PAIRS, "scores", "decisions", "acquired", "answered")


def check_alike(tables: Sequence[ScoreTable]) -> None:
    """Refuse tables of other pairs, people or order."""
    for table, column in itertools.product(tables[1:], _PAIRS):
        if not np.array_equal(getattr(table, column), getattr(tables[0], column)):
            raise InvalidRequest(
                f"{tables[0].name} and {table.name} were not asked about the same pairs: only "
                "answers to one test set belong together."
            )


@attrs.frozen(kw_only=True, eq=False)
class PairNames:
    """How a file of scores calls the pictures and the people of its N pairs.

    Attributes:
        pictures: Each picture once; empty if the file names none.
        probe, reference: int64, (N,): the place in `pictures` of each; empty likewise.
        subjects: Number of a person, as in the table, to their name; empty if people were inferred
            from the pictures.
    """

    pictures: Sequence[str]
    probe: NDArray[np.int64]
    reference: NDArray[np.int64]
    subjects: Mapping[int, str]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Answers:
    """One system's answers to the N pairs of a test set, with what they took and cost.

    Attributes:
        elapsed_s: float64, (N,), seconds that each call took; NaN where that is not known.
        billed: int8, (N,), place in `BILLED`.
        not_answered: Why pairs have no answer: name of the error, or `NOT_ASKED`, to how many.
        backend: As its results say; None where they do not, or differ.
        model: The one model that all answers came from; None where they do not say.
        other_models: Models that answered other pairs of the same run, which are not answers here:
            model to how many. Two models are two systems.
        environment: Where the answers came from; None for a file of scores.
        price: Of one comparison, in `currency`; None if nobody said.
        currency: Three letters; None without a price, and only then.
        privacy: What is known of what the vendor keeps, in a sentence.
        people_known: Whether it was said who is in the pictures. If not, pictures that mated pairs
            join stand for one person, every other picture for somebody of its own: a person whose
            pictures no mated pair joins counts as several, and intervals are too narrow.
        names: Of pictures and people, if the answers come from a file that has them.
    """

    table: ScoreTable
    elapsed_s: NDArray[np.float64]
    billed: NDArray[np.int8]
    not_answered: Mapping[str, int] = attrs.field(factory=dict)
    backend: str | None = None
    model: str | None = None
    other_models: Mapping[str, int] = attrs.field(factory=dict)
    environment: Environment | None = None
    price: float | None = None
    currency: str | None = None
    privacy: str = "Nothing is known of what was sent or kept."
    people_known: bool = True
    names: PairNames | None = None

    def __attrs_post_init__(self) -> None:
        for name in ("elapsed_s", "billed"):
            shape = getattr(self, name).shape
            if shape != (len(self.table),):
                raise InvalidRequest(
                    f"{name} of {self.table.name} has the shape {shape}: give one value for each "
                    f"of the {len(self.table)} pairs."
                )
        if (self.price is None) != (self.currency is None):
            raise InvalidRequest(f"{self.name} has a price or a currency, and needs both.")

    def __repr__(self) -> str:
        answered = int(np.count_nonzero(self.table.answered))
        return f"{repr(self.table).replace('ScoreTable', 'Answers')[:-1]}, {answered:,} answered>"

    @property
    def name(self) -> str:
        """The system's."""
        return self.table.name

    @classmethod
    def of_scores(cls, table: ScoreTable, **more: Any) -> Answers:
        """Answers of which only the scores are known; `more` as of `Answers`."""
        missing = int(np.count_nonzero(~table.answered))
        usual: dict[str, Any] = {
            "elapsed_s": np.full(len(table), np.nan),
            "billed": np.full(len(table), BILLED.index(Charged.NO), np.int8),
            "not_answered": {"no answer": missing} if missing else {},
        }
        return cls(table=table, **(usual | more))
