"""`Answers`: the answers of one system to the pairs of a test set, as a pandas frame.

The frame has one row for each pair, in the order of the test set. `frame_of` builds it. The
statistics read its columns as arrays through the properties of `Answers`. Scores and thresholds are
on the scale of the system, times in seconds, money in the currency beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import attrs
import numpy as np
import pandas as pd

from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, Environment, ThresholdRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Meaning of each code in `Answers.decisions`; `NO_DECISION` means none.
DECISIONS: Final = (Decision.NO_MATCH, Decision.MATCH, Decision.REVIEW, Decision.INCONCLUSIVE)
NO_DECISION: Final = -1

#: Meaning of each code in `Answers.billed`.
BILLED: Final = (Charged.NO, Charged.YES, Charged.UNKNOWN)

#: Largest magnitude of a score. The square of a larger one may overflow in a variance.
MOST_SCORE: Final = 1e150

#: Reason for a missing answer if no error gives one.
NOT_ASKED: Final = "not asked"

#: Prefixes of columns with groups of people; ``group_`` is for both sides of a pair.
PROBE_GROUP, REFERENCE_GROUP, GROUP = "probe_group_", "reference_group_", "group_"

#: Maximum share of acquired pairs without a score for which a threshold can be chosen.
MISSING_SCORES: Final = 0.01

#: Columns with the same values for all systems of a test set.
_OF_PAIRS: Final = ("mated", "probe_subjects", "reference_subjects", "transactions", "attempts")

_T = TypeVar("_T")
_K = TypeVar("_K", bound=np.generic)


class Grouping(NamedTuple):
    """A grouping of people, such as sex.

    Attributes:
        labels: Names of the groups.
        probe, reference: int64, (N,): index in `labels` of the group of each picture's subject; -1
            if unknown.
    """

    labels: tuple[str, ...]
    probe: NDArray[np.int64]
    reference: NDArray[np.int64]

    @property
    def within(self) -> NDArray[np.int64]:
        """int64, (N,): the group of both subjects; -1 if they differ or one is unknown."""
        return np.where(self.probe == self.reference, self.probe, -1)


class People(NamedTuple):
    """The people of a test set.

    Attributes:
        numbers: int64, (P,), rising: the number of each person, as in the subject columns.
        probe, reference: int64, (N,): index in `numbers` of the person in each picture.
    """

    numbers: NDArray[np.int64]
    probe: NDArray[np.int64]
    reference: NDArray[np.int64]


def frame_of(
    *,
    probe_subjects: Any,
    reference_subjects: Any,
    scores: Any,
    mated: Any = None,
    decisions: Any = None,
    acquired: Any = None,
    answered: Any = None,
    errors: Any = None,
    elapsed_s: Any = None,
    billed: Any = None,
    people: Any = None,
    pictures: tuple[Any, Any] | None = None,
    groups: Mapping[str, Grouping] | None = None,
    transactions: Any = None,
    attempts: Any = None,
) -> pd.DataFrame:
    """Build the frame of `Answers` from arrays with one value for each of N pairs.

    `Answers` says what the arrays hold. By default there is no decision, time or charge, every pair
    is answered, and those with a score are acquired.

    Args:
        mated: By default, pairs whose people have the same number.
        errors: Reason for a missing answer; by default `NOT_ASKED`.
        people: The name of each number; None if people have no names.
        pictures: Names of probes and references.
        groups: Kinds of groups by name.
    """
    category = pd.Categorical.from_codes
    probe, reference = (np.asarray(side) for side in (probe_subjects, reference_subjects))
    scores, count = np.asarray(scores, np.float64), len(probe)
    answered = np.ones(count, np.bool_) if answered is None else np.asarray(answered)
    decisions = np.full(count, NO_DECISION, np.int8) if decisions is None else decisions
    billed = np.zeros(count, np.int8) if billed is None else billed
    names = None if people is None else pd.CategoricalDtype(pd.Index(people))
    every: dict[str, Any] = {
        "pair": np.arange(count),
        "transaction": transactions,
        "attempt": attempts,
        "mated": probe == reference if mated is None else np.asarray(mated),
        "probe": pictures[0] if pictures else None,
        "reference": pictures[1] if pictures else None,
        "person_1": probe if names is None else category(probe, dtype=names),
        "person_2": reference if names is None else category(reference, dtype=names),
        "score": scores,
        "decision": category(decisions, [*map(str, DECISIONS)]),
        "acquired": ~np.isnan(scores) if acquired is None else np.asarray(acquired),
        "answered": answered,
        "error": category(np.where(answered, -1, 0), [NOT_ASKED]) if errors is None else errors,
        "elapsed_s": np.full(count, np.nan) if elapsed_s is None else np.asarray(elapsed_s),
        "billed": category(billed, [*map(str, BILLED)]),
    }
    columns = {name: column for name, column in every.items() if column is not None}
    for name, group in (groups or {}).items():
        for prefix, side in ((PROBE_GROUP, group.probe), (REFERENCE_GROUP, group.reference)):
            columns[prefix + name] = category(side, list(group.labels))
    try:
        return pd.DataFrame(columns, copy=False)
    except ValueError as error:
        raise InvalidRequest(f"Give one value for each of {count} pairs: {error}.") from None


def _column(name: str, kind: type[_K]) -> cached_property[NDArray[_K]]:
    """Return a property: a column of numbers, or the codes of a categorical one."""

    def values(answers: Answers) -> NDArray[_K]:
        column = answers.frame[name]
        numbers = column.cat.codes if hasattr(column, "cat") else column
        array: NDArray[_K] = numbers.to_numpy(kind)
        return array

    return cached_property(values)


@attrs.frozen(slots=False, kw_only=True, eq=False, repr=False)
class Answers:
    """Answers of one system to the N pairs of a test set, with times and charges.

    A pair without an answer (an outage, a timeout) says nothing about faces and counts in no rate.
    An answer without features is a failure to acquire (ISO/IEC 19795-1). It counts as an error of
    a mated pair.

    Attributes:
        name: Name of the system: a backend, a profile or a column.
        rule: How scores are compared with a threshold; `VENDOR` if that is unknown.
        frame: One row for each pair: ``pair`` (from 0), ``transaction`` and ``attempt`` if known,
            ``mated``, ``probe`` and ``reference`` (pictures) if known, ``person_1``, ``person_2``,
            ``score``, ``decision``, ``acquired``, ``answered``, ``error``, ``elapsed_s``,
            ``billed``, and the groups ``probe_group_X`` and ``reference_group_X``. Attempts of one
            transaction have the same number; `attempt` counts them from 1.
        scale: Scale of the scores; None if unknown.
        threshold: Threshold of the run, on the scale; None if it is the vendor's own.
        backend, model: Values in the results; None if missing or not unique.
        environment: Origin of the answers; None for a score file that does not say.
        price: Price of one comparison, in `currency`; None if unknown.
        currency: Three letters; None if and only if there is no price.
        privacy: A sentence on the data that the vendor keeps.
        people_known: Whether the source names the people. If not, pictures that mated pairs join
            count as one person, and every other picture as another person. A person whose pictures
            no mated pair joins then counts as several, and intervals are too narrow.
        mated: bool, (N,): whether both pictures show one person.
        scores: float64, (N,): higher means more similar; NaN if there is none.
        decisions: int8, (N,): index in `DECISIONS`, at the threshold of the run; -1 for none.
        acquired: bool, (N,): whether two faces could be compared; False without an answer.
        answered: bool, (N,): whether the system answered.
        elapsed_s: float64, (N,): seconds that each call took; NaN if unknown.
        billed: int8, (N,): index in `BILLED`.
        probe_subjects, reference_subjects: int64, (N,): number of the person in each picture.
    """

    name: str
    rule: ThresholdRule
    frame: pd.DataFrame
    scale: str | None = None
    threshold: float | None = None
    backend: str | None = None
    model: str | None = None
    environment: Environment | None = None
    price: float | None = None
    currency: str | None = None
    privacy: str = "It is not known which data were sent or kept."
    people_known: bool = True
    _derived: dict[Any, Any] = attrs.field(factory=dict, init=False)

    mated = _column("mated", np.bool_)
    scores = _column("score", np.float64)
    decisions = _column("decision", np.int8)
    acquired = _column("acquired", np.bool_)
    answered = _column("answered", np.bool_)
    elapsed_s = _column("elapsed_s", np.float64)
    billed = _column("billed", np.int8)
    probe_subjects = _column("person_1", np.int64)
    reference_subjects = _column("person_2", np.int64)
    _transactions = _column("transaction", np.int64)
    _attempts = _column("attempt", np.int64)

    @property
    def transactions(self) -> NDArray[np.int64] | None:
        """int64, (N,): number of the transaction that each pair is an attempt of; or None."""
        return self._transactions if "transaction" in self.frame else None

    @property
    def attempts(self) -> NDArray[np.int64] | None:
        """int64, (N,): order of each pair within its transaction, from 1; or None."""
        return self._attempts if "attempt" in self.frame else None

    @classmethod
    def of(cls, *, name: str, rule: ThresholdRule, **more: Any) -> Answers:
        """Build answers from arrays: the arguments of `frame_of`, and the facts of a system."""
        facts = {
            field.name: more.pop(field.name)
            for field in attrs.fields(cls)
            if field.init and field.name in more
        }
        return cls(name=name, rule=rule, frame=frame_of(**more), **facts)

    def __attrs_post_init__(self) -> None:
        ends = np.fmin.reduce(self.scores, initial=0), np.fmax.reduce(self.scores, initial=0)
        if max(-ends[0], ends[1]) > MOST_SCORE:
            raise InvalidRequest(
                f"{self.name} has a score beyond {MOST_SCORE:g}, too large to compute with."
            )
        if np.any(self.acquired & ~self.answered):
            raise InvalidRequest(f"{self.name}: a pair is acquired but not answered.")
        if (self.price is None) != (self.currency is None):
            raise InvalidRequest(f"{self.name} has a price or a currency, and needs both.")
        if (self.transactions is None) != (self.attempts is None):
            raise InvalidRequest(
                f"{self.name} has transactions or attempts, and needs both: the transaction of "
                "each pair, and the pair's order within it."
            )
        if self.transactions is None:
            return
        of_whom = self.frame[["transaction", "mated", "person_1", "person_2"]].drop_duplicates()
        several = of_whom["transaction"][of_whom["transaction"].duplicated()]
        is_again = self.frame.duplicated(["transaction", "attempt"])
        is_wrong = is_again | (self.frame["attempt"] < 1) | self.frame["transaction"].isin(several)
        if is_wrong.any():
            raise InvalidRequest(
                f"Transaction {self.frame['transaction'][is_wrong].iloc[0]} of {self.name} must "
                "hold one person's attempts against one person, numbered from 1, each once."
            )

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        mated, answered = int(self.mated.sum()), int(self.answered.sum())
        return (
            f"<Answers {self.name}: {mated:,} mated and {len(self) - mated:,} non-mated pairs, "
            f"{answered:,} answered>"
        )

    def once(self, derive: Callable[..., _T], *more: Any) -> _T:
        """Return `derive(self, *more)`, computed once."""
        if (derive, *more) not in self._derived:
            self._derived[derive, *more] = derive(self, *more)
        value: _T = self._derived[derive, *more]
        return value

    @cached_property
    def groups(self) -> dict[str, Grouping]:
        """Kinds of groups by name."""
        groups = {}
        for name in [name for name in self.frame if name.startswith(PROBE_GROUP)]:
            kind = name.removeprefix(PROBE_GROUP)
            sides = (self.frame[side + kind].cat for side in (PROBE_GROUP, REFERENCE_GROUP))
            probe, reference = (side.codes.to_numpy(np.int64) for side in sides)
            groups[kind] = Grouping(tuple(self.frame[name].cat.categories), probe, reference)
        return groups

    @property
    def not_answered(self) -> dict[str, int]:
        """Number of pairs without an answer by reason, in the order of the pairs."""
        errors = self.frame["error"][~self.answered].astype(object)
        return {str(word): int(n) for word, n in errors.value_counts(sort=False).items()}

    def person(self, number: int) -> str | None:
        """Return the name of a person's number; None if the source does not name people."""
        column = self.frame["person_1"]
        return str(column.cat.categories[number]) if hasattr(column, "cat") else None

    @cached_property
    def people(self) -> People:
        """All people, numbered from 0."""
        both = np.stack([self.probe_subjects, self.reference_subjects])
        if both.min(initial=0) < 0 or both.max(initial=0) > 4 * len(self):
            numbers, places = np.unique(both, return_inverse=True)
            return People(numbers, *places.reshape(2, -1))
        is_seen = np.bincount(both.ravel()) > 0  # small numbers need no sorting
        return People(np.flatnonzero(is_seen), *(np.cumsum(is_seen) - 1)[both])

    @cached_property
    def scored(self) -> NDArray[np.bool_]:
        """bool, (N,): the pairs that have a score."""
        return self.acquired & ~np.isnan(self.scores)

    @cached_property
    def scored_others(self) -> int:
        """Number of non-mated pairs that have a score."""
        return int(np.count_nonzero(self.scored & ~self.mated))

    @cached_property
    def is_scored(self) -> bool:
        """Whether the acquired pairs have scores, so that a threshold can be chosen.

        A vendor that returns scores only for matches has no DET curve, because its other scores may
        not be low. Up to 1 % of answers without a score count as rejected at a threshold, with a
        caveat.
        """
        acquired = int(np.count_nonzero(self.acquired))
        missing = acquired - int(np.count_nonzero(self.scored))
        return bool(acquired) and missing <= MISSING_SCORES * acquired

    def take(self, rows: NDArray[Any]) -> Answers:
        """Return only `rows` (indices or a mask), in that order."""
        if rows.dtype == bool:
            if rows.all():
                return self
            rows = np.flatnonzero(rows)
        return attrs.evolve(self, frame=self.frame.take(rows))

    def best_of(self, attempts: int) -> Answers:
        """Return a row for each transaction, with the best of its first `attempts`.

        A transaction passes, or matches, if one attempt does, and is acquired if one is. It is
        answered if all of them are, because otherwise its outcome is unknown.

        Raises:
            InvalidRequest: there are no transactions.
        """
        if self.transactions is None or self.attempts is None:
            raise InvalidRequest(
                f"{self.name} has no transactions: add the transaction of each pair."
            )
        rows = np.flatnonzero(self.attempts <= attempts)
        rows = rows[np.argsort(self.transactions[rows], kind="stable")]
        # An attempt without a decision might have been a match.
        is_match = np.equal(self.decisions, DECISIONS.index(Decision.MATCH))
        ranks = np.where(is_match, 2, self.decisions == NO_DECISION) * self.acquired
        scores = np.where(self.scored, self.scores, np.nan)
        numbers = self.transactions[rows]
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
        answered = np.logical_and.reduceat(self.answered[rows], starts)
        rank = np.where(answered, np.maximum.reduceat(ranks[rows], starts), 1)
        frame = self.frame.take(rows[starts]).drop(columns=["transaction", "attempt"])
        frame = frame.assign(
            score=np.where(answered, np.fmax.reduceat(scores[rows], starts), np.nan),
            decision=pd.Categorical.from_codes(_BY_RANK[rank], dtype=frame["decision"].dtype),
            acquired=answered & np.logical_or.reduceat(self.acquired[rows], starts),
            answered=answered,
        )
        return attrs.evolve(self, frame=frame)

    def passed(self, threshold: float | None) -> NDArray[np.bool_]:
        """bool, (N,): which pairs pass; pairs that failed to acquire or have no score never do.

        Args:
            threshold: On the scale of the scores, by `rule`; None for the decisions of the run, of
                which only `MATCH` passes.

        Raises:
            InvalidRequest: there is a threshold but no scores or no known rule; or there is none
                and no decisions.
        """
        if threshold is None:
            if self.acquired.any() and not (self.decisions != NO_DECISION).any():
                raise InvalidRequest(f"{self.name} made no decisions: pass a threshold.")
            return self.acquired & np.equal(self.decisions, DECISIONS.index(Decision.MATCH))
        if not self.is_scored:
            raise InvalidRequest(
                f"{self.name} does not give a score for every pair: it has no threshold."
            )
        if self.rule is ThresholdRule.VENDOR:
            raise InvalidRequest(f"{self.name}: the rule for passing a threshold is unknown.")
        passes = np.greater if self.rule is ThresholdRule.ABOVE else np.greater_equal
        return self.acquired & passes(self.scores, threshold)


#: Decision of a transaction: none matched, one had no decision, one matched.
_BY_RANK: Final = np.array(
    [DECISIONS.index(Decision.NO_MATCH), NO_DECISION, DECISIONS.index(Decision.MATCH)], np.int8
)


def check_alike(systems: Sequence[Answers]) -> None:
    """Raise `InvalidRequest` if systems have different pairs, people or order."""
    for answers, column in itertools.product(systems[1:], _OF_PAIRS):
        if not np.array_equal(getattr(answers, column), getattr(systems[0], column)):
            raise InvalidRequest(
                f"{systems[0].name} and {answers.name} did not answer the same pairs: only answers "
                "to one test set can be compared."
            )
