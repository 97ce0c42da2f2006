"""`Answers`: one system's answers for the pairs of a test set, as a pandas DataFrame.

The frame has one row for each pair, in the order of the test set. `frame_of` builds it. The
statistics read its columns as arrays through the properties of `Answers`. Scores and thresholds are
on the system's scale, times are in seconds, and prices are in `Answers.currency`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import attrs
import numpy as np
import pandas as pd

from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, Environment, ThresholdRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The decision for each code in `Answers.decisions`, and the code of a pair without a decision.
DECISIONS: Final = (Decision.NO_MATCH, Decision.MATCH, Decision.REVIEW, Decision.INCONCLUSIVE)
NO_DECISION: Final = -1

#: The charge for each code in `Answers.billed`.
BILLED: Final = (Charged.NO, Charged.YES, Charged.UNKNOWN)

#: Maximum magnitude of a score. The square of a larger score may overflow in a variance.
MOST_SCORE: Final = 1e150

#: The error of a missing answer if none was recorded.
NOT_ASKED: Final = "not asked"

#: Prefixes of columns with groups of people; ``group_`` applies to both people of a pair.
PROBE_GROUP: Final = "probe_group_"
REFERENCE_GROUP: Final = "reference_group_"
GROUP: Final = "group_"

#: Maximum share of acquired pairs without a score; above it, no threshold can be chosen.
MISSING_SCORES: Final = 0.01

#: Columns with the same values for all systems of a test set.
_OF_PAIRS: Final = ("mated", "probe_subjects", "reference_subjects")

_K = TypeVar("_K", bound=np.generic)


@attrs.frozen(kw_only=True)
class Parts:
    """The parts of a test set whose run databases were read (`Study.part`).

    Attributes:
        of: Number of all parts.
        pairs: Number of pairs in all parts.
        present: Numbers of the parts that were read, from 1, ascending.
        unfinished: Numbers of those in which the system has pairs left for another run.
        unresolved: Number of pairs for which the system may have been charged without an answer.
    """

    of: int
    pairs: int
    present: Sequence[int]
    unfinished: Sequence[int] = ()
    unresolved: int = 0


class Grouping(NamedTuple):
    """A division of people into groups, such as by sex.

    Attributes:
        labels: Names of the groups.
        probe, reference: int64, (N,): the group of the person in each picture, as an index in
            `labels`; -1 if unknown.
    """

    labels: tuple[str, ...]
    probe: NDArray[np.int64]
    reference: NDArray[np.int64]

    @property
    def within(self) -> NDArray[np.int64]:
        """int64, (N,): the group of both people; -1 if their groups differ or one is unknown."""
        return np.where(self.probe == self.reference, self.probe, -1)


class People(NamedTuple):
    """The people of a test set.

    Attributes:
        numbers: int64, (P,): the number of each person in the subject columns, ascending.
        probe, reference: int64, (N,): index in `numbers` of the person in each picture.
    """

    numbers: NDArray[np.int64]
    probe: NDArray[np.int64]
    reference: NDArray[np.int64]


class ScoresByKind(NamedTuple):
    """The scores of mated and of non-mated pairs."""

    mated: NDArray[np.float64]
    non_mated: NDArray[np.float64]


def couples_of(
    probes: NDArray[np.int64], references: NDArray[np.int64], numbered_people: int
) -> NDArray[np.int64]:
    """Number couples with several pairs from 1; return each pair's couple number, or else 0."""
    couples = np.minimum(probes, references) * numbered_people + np.maximum(probes, references)
    rising = np.sort(couples)
    repeated = np.unique(rising[1:][rising[1:] == rising[:-1]])
    if not len(repeated):
        return np.zeros(len(probes), np.int64)
    indices = np.searchsorted(repeated, couples)
    is_repeated = repeated[np.minimum(indices, len(repeated) - 1)] == couples
    return np.where(is_repeated, indices + 1, 0)


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
    pairs: Any = None,
    groups: Mapping[str, Grouping] | None = None,
) -> pd.DataFrame:
    """Build the frame of `Answers` from arrays with one value for each of N pairs.

    See `Answers` for the content of the arrays. By default there is no decision, time or charge,
    every pair is answered, and pairs with a score are acquired.

    Args:
        mated: By default, a pair is mated if both pictures have the same person number.
        errors: Reason for a missing answer; by default `NOT_ASKED`.
        people: Name of each person number; None if people have no names.
        pictures: Names of the probes, and of the references.
        pairs: Number of each pair; by default from 0.
        groups: Groupings by name.
    """
    probe = np.asarray(probe_subjects)
    reference = np.asarray(reference_subjects)
    scores = np.asarray(scores, np.float64)
    count = len(probe)
    columns: dict[str, Any] = {"pair": np.arange(count) if pairs is None else pairs}
    columns["mated"] = probe == reference if mated is None else np.asarray(mated)
    if pictures is not None:
        columns["probe"], columns["reference"] = pictures
    columns["person_1"] = _named(probe, people)
    columns["person_2"] = _named(reference, people)
    columns["score"] = scores
    if decisions is None:
        decisions = np.full(count, NO_DECISION, np.int8)
    columns["decision"] = _categorical(decisions, list(map(str, DECISIONS)))
    columns["acquired"] = ~np.isnan(scores) if acquired is None else np.asarray(acquired)
    answered = np.ones(count, np.bool_) if answered is None else np.asarray(answered)
    columns["answered"] = answered
    if errors is None:
        errors = _categorical(np.where(answered, np.int8(-1), np.int8(0)), [NOT_ASKED])
    columns["error"] = errors
    if elapsed_s is None:
        elapsed_s = np.broadcast_to(np.nan, count)
    columns["elapsed_s"] = np.asarray(elapsed_s)
    if billed is None:
        billed = np.zeros(count, np.int8)
    columns["billed"] = _categorical(billed, list(map(str, BILLED)))
    for name, grouping in (groups or {}).items():
        columns[PROBE_GROUP + name] = _categorical(grouping.probe, list(grouping.labels))
        columns[REFERENCE_GROUP + name] = _categorical(grouping.reference, list(grouping.labels))
    try:
        return pd.DataFrame(columns, copy=False)
    except ValueError as error:
        raise InvalidRequest(f"Pass one value for each of {count} pairs: {error}.") from None


def _categorical(codes: Any, labels: Sequence[str]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, labels)


def _named(numbers: NDArray[Any], names: Any) -> pd.Categorical | NDArray[Any]:
    """Return people by name; by number if they have no names."""
    if names is None:
        return numbers
    # An index that is known to be unique is not hashed again.
    index = names if isinstance(names, pd.Index) else pd.Index(names)
    return pd.Categorical.from_codes(numbers, dtype=pd.CategoricalDtype(index))


def _numbers(frame: pd.DataFrame, column: str, dtype: type[_K]) -> NDArray[_K]:
    """Return a column of numbers, or the codes of a categorical column."""
    values = frame[column]
    if hasattr(values, "cat"):
        values = values.cat.codes
    numbers: NDArray[_K] = values.to_numpy(dtype)
    return numbers


def _column(name: str, dtype: type[_K]) -> cached_property[NDArray[_K]]:
    """Return a property of `Answers` with the `_numbers` of a column."""
    return cached_property(lambda answers: _numbers(answers.frame, name, dtype))


@attrs.frozen(slots=False, kw_only=True, eq=False, repr=False)
class Answers:
    """Answers of one system to the N pairs of a test set, with times and charges.

    A pair without an answer (an outage, a timeout) is excluded from all error rates. An answer
    without two faces to compare is a failure to acquire (ISO/IEC 19795-1), which is an error for a
    mated pair.

    Attributes:
        name: Name of the system: a backend, a profile or a column.
        rule: How scores are compared with a threshold; `VENDOR` if unknown.
        frame: One row for each pair: ``pair`` (its number), ``mated``, ``probe`` and ``reference``
            (pictures) if known, ``person_1``, ``person_2``, ``score``, ``decision``, ``acquired``,
            ``answered``, ``error``, ``elapsed_s``, ``billed``, and the groups ``probe_group_X`` and
            ``reference_group_X``.
        scale: Scale of the scores; None if unknown.
        threshold: Threshold of the run, on that scale; None if the vendor's own was used.
        backend, model: Values in the results; None if missing or not unique.
        environment: Environment that returned the answers; None if a score file does not name it.
        price: Price of one comparison, in `currency`; None if unknown.
        currency: Currency code, such as USD; None if and only if there is no price.
        people_known: Whether the source names the people. If not, pictures connected by mated pairs
            are treated as one person, and every other picture as a separate person. A person whose
            pictures are not connected is treated as several, which makes intervals too narrow.
        parts: The parts that were read, if the run databases have parts of a test set; or None.
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
    people_known: bool = True
    parts: Parts | None = None

    mated = _column("mated", np.bool_)
    """bool, (N,): whether both pictures show one person."""

    scores = _column("score", np.float64)
    """float64, (N,): higher means more similar; NaN if there is none."""

    decisions = _column("decision", np.int8)
    """int8, (N,): index in `DECISIONS`, at the threshold of the run; -1 if none."""

    acquired = _column("acquired", np.bool_)
    """bool, (N,): whether two faces could be compared; False without an answer."""

    answered = _column("answered", np.bool_)
    """bool, (N,): whether the system answered."""

    elapsed_s = _column("elapsed_s", np.float64)
    """float64, (N,): duration of each call; NaN if unknown."""

    billed = _column("billed", np.int8)
    """int8, (N,): index in `BILLED`."""

    probe_subjects = _column("person_1", np.int64)
    """int64, (N,): number of the person in each probe."""

    reference_subjects = _column("person_2", np.int64)
    """int64, (N,): number of the person in each reference."""

    @classmethod
    def of(cls, *, name: str, rule: ThresholdRule, **arguments: Any) -> Answers:
        """Build answers from the arguments of `frame_of` and the other attributes of `Answers`."""
        attributes = {}
        for field in attrs.fields(cls):
            if field.init and field.name in arguments:
                attributes[field.name] = arguments.pop(field.name)
        return cls(name=name, rule=rule, frame=frame_of(**arguments), **attributes)

    def __attrs_post_init__(self) -> None:
        """Raise InvalidRequest if scores are too large, or fields contradict each other."""
        lowest = np.fmin.reduce(self.scores, initial=0)
        highest = np.fmax.reduce(self.scores, initial=0)
        if max(-lowest, highest) > MOST_SCORE:
            raise InvalidRequest(
                f"{self.name} has a score beyond {MOST_SCORE:g}, which is too large."
            )
        if np.any(self.acquired & ~self.answered):
            raise InvalidRequest(f"{self.name}: a pair is acquired but not answered.")
        if (self.price is None) != (self.currency is None):
            raise InvalidRequest(f"{self.name} needs both a price and a currency, or neither.")

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        mated = int(self.mated.sum())
        answered = int(self.answered.sum())
        return (
            f"<Answers {self.name}: {mated:,} mated and {len(self) - mated:,} non-mated pairs, "
            f"{answered:,} answered>"
        )

    @cached_property
    def groups(self) -> dict[str, Grouping]:
        """Groupings by name."""
        groupings = {}
        for column in self.frame:
            if column.startswith(PROBE_GROUP):
                name = column.removeprefix(PROBE_GROUP)
                groupings[name] = Grouping(
                    labels=tuple(self.frame[column].cat.categories),
                    probe=_numbers(self.frame, column, np.int64),
                    reference=_numbers(self.frame, REFERENCE_GROUP + name, np.int64),
                )
        return groupings

    @property
    def not_answered(self) -> dict[str, int]:
        """Number of pairs without an answer, by reason."""
        errors = self.frame["error"][~self.answered].astype(object)
        counts = errors.value_counts(sort=False)
        return {str(reason): int(count) for reason, count in counts.items()}

    def person(self, number: int) -> str | None:
        """Return the name of the person with this number, or None if people have no names."""
        column = self.frame["person_1"]
        return str(column.cat.categories[number]) if hasattr(column, "cat") else None

    @cached_property
    def people(self) -> People:
        """All people, numbered from 0."""
        subjects = np.stack([self.probe_subjects, self.reference_subjects])
        if subjects.min(initial=0) < 0 or subjects.max(initial=0) > 4 * len(self):
            numbers, ranks = np.unique(subjects, return_inverse=True)
            probe, reference = ranks.reshape(2, -1)
            return People(numbers, probe, reference)
        is_present = np.bincount(subjects.ravel()) > 0  # small numbers are counted without sorting
        probe, reference = (np.cumsum(is_present) - 1)[subjects]
        return People(np.flatnonzero(is_present), probe, reference)

    @cached_property
    def scored(self) -> NDArray[np.bool_]:
        """bool, (N,): whether a pair is acquired and has a score."""
        return self.acquired & ~np.isnan(self.scores)

    @cached_property
    def sorted_scores(self) -> ScoresByKind:
        """The scores of mated and of non-mated pairs, each ascending."""
        return ScoresByKind(
            mated=np.sort(self.scores[self.scored & self.mated]),
            non_mated=np.sort(self.scores[self.scored & ~self.mated]),
        )

    @cached_property
    def couple_of_pair(self) -> NDArray[np.int64]:
        """int64, (N,): `couples_of` the non-mated pairs; 0 for mated pairs."""
        non_mated = ~self.mated
        couples = np.zeros(len(self), np.int64)
        couples[non_mated] = couples_of(
            self.people.probe[non_mated],
            self.people.reference[non_mated],
            len(self.people.numbers),
        )
        return couples

    @property
    def scored_others(self) -> int:
        """Number of non-mated pairs that have a score."""
        return len(self.sorted_scores.non_mated)

    @cached_property
    def is_scored(self) -> bool:
        """Whether the acquired pairs have scores, so that a threshold can be chosen.

        A vendor that returns scores only for matches has no DET curve, because a missing score need
        not be low. If at most 1 % of acquired pairs have no score, they are rejected at every
        threshold, and the report has a caveat.
        """
        count = int(np.count_nonzero(self.acquired))
        missing = count - int(np.count_nonzero(self.scored))
        return bool(count) and missing <= MISSING_SCORES * count

    def take(self, rows: NDArray[Any]) -> Answers:
        """Return the answers for `rows` (indices or a mask), in that order."""
        if rows.dtype == bool:
            if rows.all():
                return self
            rows = np.flatnonzero(rows)
        return attrs.evolve(self, frame=self.frame.take(rows))

    def passed(self, threshold: float | None) -> NDArray[np.bool_]:
        """Return whether each pair passes: bool, (N,).

        A pair that is not acquired, without two faces to compare, never passes.

        Args:
            threshold: Compared with the scores by `rule`; a pair without a score does not pass. If
                None, the decisions of the run are used, and only `MATCH` passes.

        Raises:
            InvalidRequest: the threshold cannot be compared (no scores, or an unknown rule), or
                there are no decisions.
        """
        if threshold is None:
            if self.acquired.any() and not (self.decisions != NO_DECISION).any():
                raise InvalidRequest(f"{self.name} made no decisions: pass a threshold.")
            return self.acquired & np.equal(self.decisions, DECISIONS.index(Decision.MATCH))
        if not self.is_scored:
            raise InvalidRequest(
                f"{self.name} has no score for too many pairs, so it has no threshold."
            )
        if self.rule is ThresholdRule.VENDOR:
            raise InvalidRequest(f"{self.name}: the rule for passing a threshold is unknown.")
        passes = np.greater if self.rule is ThresholdRule.ABOVE else np.greater_equal
        return self.acquired & passes(self.scores, threshold)


def share_people(systems: Sequence[Answers]) -> None:
    """Number the people of systems with the same pairs once, not again for each system."""
    for system in systems[1:]:
        # The values of cached properties, which a frozen class does not let us set.
        vars(system)["people"] = systems[0].people
        vars(system)["couple_of_pair"] = systems[0].couple_of_pair


def check_alike(systems: Sequence[Answers]) -> None:
    """Raise `InvalidRequest` unless all systems have the same pairs in the same order."""
    for system in systems[1:]:
        for column in _OF_PAIRS:
            if not np.array_equal(getattr(system, column), getattr(systems[0], column)):
                raise InvalidRequest(
                    f"{systems[0].name} and {system.name} did not answer the same pairs: only "
                    "answers to the same test set can be compared."
                )
