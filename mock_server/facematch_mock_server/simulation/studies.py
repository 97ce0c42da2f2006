"""Made-up studies, and what simulated vendors answer to them: arrays, and what is true of them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_core import Charged, Decision, Environment, InvalidRequest, ThresholdRule
from facematch_core.comparison import (
    BILLED,
    DECISIONS,
    NO_DECISION,
    Answers,
    Grouping,
    ScoreTable,
)

from .vendors import SimulatedVendor

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Spread of the logarithm of latencies: the slowest twentieth takes 2.3 times the median.
_LATENCY_SPREAD: Final = 0.5

#: What is known of pictures that nobody is sent.
_PRIVACY: Final = "Nothing was sent: the scores are made up."


@attrs.frozen(kw_only=True, eq=False)
class SimulatedStudy:
    """N pairs of pictures, no two alike.

    Attributes:
        mated: bool, (N,): mated pairs first.
        probe_subjects, reference_subjects: int64, (N,): people, from 0.
        probe_pictures, reference_pictures: int64, (N,): pictures, from 0; each of one person.
        groups: Columns of groups.
        seed: That it was made with, and that what is common to all vendors is drawn by.
    """

    mated: NDArray[np.bool_]
    probe_subjects: NDArray[np.int64]
    reference_subjects: NDArray[np.int64]
    probe_pictures: NDArray[np.int64]
    reference_pictures: NDArray[np.int64]
    groups: Mapping[str, Grouping] = attrs.field(factory=dict)
    seed: int = 0

    def __len__(self) -> int:
        return len(self.mated)


def simulate_study(
    *,
    people: int,
    mated: int,
    non_mated: int,
    pictures: int | None = None,
    groups: Mapping[str, Mapping[str, float]] | None = None,
    seed: int = 0,
) -> SimulatedStudy:
    """Draw a study: everybody comes up in mated pairs before one comes up again.

    Args:
        people: At least 2.
        mated, non_mated: Pairs of each kind, from 0 on; at least one pair in all.
        pictures: Of each person, from 1 on; None for as few as the pairs need, 2 at least.
        groups: Column to group to its part of the people, above 0; the parts are taken in
            proportion, so that they need not sum up to 1.
        seed: From 0 on. The same gives the same study.

    Raises:
        InvalidRequest: a number is out of range, or there are not so many pairs.
    """
    for name, value, least in (
        ("people", people, 2),
        ("mated", mated, 0),
        ("non_mated", non_mated, 0),
        ("seed", seed, 0),
    ):
        if value < least:
            raise InvalidRequest(f"{name} of a simulated study must be at least {least}.")
    if not mated + non_mated:
        raise InvalidRequest("A simulated study has at least one pair.")
    each = _enough(people, mated, non_mated) if pictures is None else pictures
    rng = np.random.default_rng(seed)
    probe, reference = (
        np.concatenate(both)
        for both in zip(
            _mated(rng, people, each, mated), _non_mated(rng, people, each, non_mated), strict=True
        )
    )
    one, other = probe // each, reference // each
    return SimulatedStudy(
        mated=np.arange(mated + non_mated) < mated,
        probe_subjects=one,
        reference_subjects=other,
        probe_pictures=probe,
        reference_pictures=reference,
        groups={
            column: _grouped(rng, parts, people, one, other)
            for column, parts in (groups or {}).items()
        },
        seed=seed,
    )


def simulate(vendor: SimulatedVendor, study: SimulatedStudy, *, seed: int = 0) -> Answers:
    """What a vendor answers to the pairs of a study.

    Two vendors of other names have other noise with the same seed, apart from what they have in
    `common`; two that are alike but for their names are a true null hypothesis.

    Args:
        vendor: Who answers.
        study: To what.
        seed: From 0 on. The same gives the same answers.
    """
    number = len(study)
    own = np.random.default_rng([seed, zlib.crc32(vendor.name.encode())])
    latent = _latent(vendor, study, own)
    scores = np.asarray(vendor.curve(np.exp, latent), np.float64)
    if vendor.decimals is not None:
        scores = np.round(scores, vendor.decimals)
    pictures = int(max(study.probe_pictures.max(), study.reference_pictures.max())) + 1
    usable = own.random(pictures) >= vendor.fta
    answered = own.random(number) >= vendor.outage
    acquired = answered & usable[study.probe_pictures] & usable[study.reference_pictures]
    match, no_match, inconclusive = map(
        DECISIONS.index, (Decision.MATCH, Decision.NO_MATCH, Decision.INCONCLUSIVE)
    )
    decisions = np.where(vendor.passes(scores), match, no_match)
    decisions = np.where(acquired, decisions, np.where(answered, inconclusive, NO_DECISION))
    has_scores = not vendor.decisions_only
    table = ScoreTable(
        name=vendor.name,
        rule=vendor.rule if has_scores else ThresholdRule.VENDOR,
        mated=study.mated,
        scores=np.where(acquired & has_scores, scores, np.nan),
        decisions=decisions.astype(np.int8),
        acquired=acquired,
        answered=answered,
        probe_subjects=study.probe_subjects,
        reference_subjects=study.reference_subjects,
        groups=study.groups,
        scale=vendor.scale,
        threshold=vendor.threshold
        if has_scores and vendor.rule is not ThresholdRule.VENDOR
        else None,
    )
    missing = int(number - answered.sum())
    return Answers(
        table=table,
        elapsed_s=_latencies(vendor, own, number),
        billed=np.where(
            answered & (vendor.price is not None),
            BILLED.index(Charged.YES),
            BILLED.index(Charged.NO),
        ).astype(np.int8),
        not_answered={"VendorUnavailable": missing} if missing else {},
        backend="simulated",
        model=vendor.name,
        environment=Environment.MOCK,
        price=vendor.price,
        currency=vendor.currency,
        privacy=_PRIVACY,
    )


@attrs.frozen(kw_only=True)
class Truth:
    """Rates that a study of a simulated vendor estimates: 0-1, or None without such a pair.

    Attributes:
        fmr, fnmr: Of acquired pairs.
        far, frr: Of answered pairs, where failures to acquire count as refused.
    """

    fmr: float | None
    fnmr: float | None
    far: float | None
    frr: float | None


def truth_of(
    vendor: SimulatedVendor, study: SimulatedStudy, threshold: float | None = None
) -> Truth:
    """The true rates over the pairs of a study, whose groups may differ.

    Args:
        vendor: Whose.
        study: Of which pairs.
        threshold: On the vendor's scale; None for its own.
    """
    labels, group = _groups(vendor, study)
    rates = {
        "fnmr": (study.mated, vendor.true_fnmr),
        "fmr": (~study.mated, vendor.true_fmr),
        "frr": (study.mated, vendor.true_frr),
        "far": (~study.mated, vendor.true_far),
    }
    return Truth(
        **{
            name: float(
                np.array([rate(threshold, group=one) for one in labels])[group[rows]].mean()
            )
            if rows.any()
            else None
            for name, (rows, rate) in rates.items()
        }
    )


# --- Pairs ----------------------------------------------------------------------------------------


def _enough(people: int, mated: int, non_mated: int) -> int:
    """The fewest pictures of each person that make so many pairs."""
    each = 2
    while (
        people * each * (each - 1) // 2 < mated or people * (people - 1) // 2 * each**2 < non_mated
    ):
        each += 1
    return each


def _mated(
    rng: np.random.Generator, people: int, each: int, wanted: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    two = np.array([*combinations(range(each), 2)], np.int64).reshape(-1, 2)
    if wanted > people * len(two):
        raise InvalidRequest(
            f"{wanted} mated pairs are wanted, and {people} people with {each} pictures make "
            f"{people * len(two)}."
        )
    turn, who = np.divmod(np.arange(wanted), people)
    # Each person goes through the pairs of their pictures in an order of their own.
    orders = rng.permuted(np.tile(np.arange(len(two)), (people, 1)), axis=1)
    person = rng.permutation(people)[who]
    chosen = two[orders[person, turn]] if wanted else np.zeros((0, 2), np.int64)
    return person * each + chosen[:, 0], person * each + chosen[:, 1]


def _non_mated(
    rng: np.random.Generator, people: int, each: int, wanted: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    all_pictures = people * each
    possible = people * (people - 1) // 2 * each**2
    if wanted > possible:
        raise InvalidRequest(
            f"{wanted} non-mated pairs are wanted, and {people} people with {each} pictures make "
            f"{possible}."
        )
    if wanted > possible // 2:
        first, second = np.triu_indices(all_pictures, 1)
        others = np.flatnonzero(first // each != second // each)
        taken = rng.permutation(others)[:wanted]
        return first[taken].astype(np.int64), second[taken].astype(np.int64)
    keys = np.zeros(0, np.int64)
    while len(keys) < wanted:
        first, second = rng.integers(0, all_pictures, (2, 2 * (wanted - len(keys)) + 16))
        key = np.minimum(first, second) * all_pictures + np.maximum(first, second)
        keys = np.concatenate([keys, key[first // each != second // each]])
        # Each key once, in the order in which they came: sorted ones would favour low numbers.
        keys = keys[np.sort(np.unique(keys, return_index=True)[1])]
    return np.divmod(keys[:wanted], all_pictures)


def _grouped(
    rng: np.random.Generator,
    parts: Mapping[str, float],
    people: int,
    probe: NDArray[np.int64],
    reference: NDArray[np.int64],
) -> Grouping:
    if not parts or any(not 0 < part < np.inf for part in parts.values()):
        raise InvalidRequest("A column of groups has at least one group, each with a part above 0.")
    labels = tuple(sorted(parts))
    ends = np.cumsum([parts[label] for label in labels])
    of_person = np.searchsorted(ends / ends[-1], (np.arange(people) + 0.5) / people)
    of_person = rng.permutation(of_person)
    return Grouping(labels=labels, probe=of_person[probe], reference=of_person[reference])


# --- Scores ---------------------------------------------------------------------------------------


def _latent(
    vendor: SimulatedVendor, study: SimulatedStudy, own: np.random.Generator
) -> NDArray[np.float64]:
    """The normal variable of every pair; 0 is the vendor's own threshold."""
    one, other = study.probe_subjects, study.reference_subjects
    people = int(max(one.max(), other.max())) + 1
    # Drawn from the study, in this order, whatever the vendor: common to all of them.
    shared = np.random.default_rng([study.seed, 1])
    noise, goat, wolf = (
        np.sqrt(vendor.common) * shared.normal(size=size)
        + np.sqrt(1 - vendor.common) * own.normal(size=size)
        for size in (len(study), people, people)
    )
    labels, group = _groups(vendor, study)
    mean = np.where(
        study.mated,
        np.array([vendor.mean(is_mated=True, group=label) for label in labels])[group],
        np.array([vendor.mean(is_mated=False, group=label) for label in labels])[group],
    )
    of_pair, of_person = vendor.parts(is_mated=True)
    mated = of_pair * noise + of_person * goat[one]
    of_pair, of_person = vendor.parts(is_mated=False)
    non_mated = of_pair * noise + of_person * (wolf[one] + wolf[other])
    found: NDArray[np.float64] = mean + np.where(study.mated, mated, non_mated)
    return found


def _groups(
    vendor: SimulatedVendor, study: SimulatedStudy
) -> tuple[tuple[str | None, ...], NDArray[np.int64]]:
    """Labels of the groups that matter to a vendor, None first; the place of each pair's."""
    if vendor.column is None or vendor.column not in study.groups:
        return (None,), np.zeros(len(study), np.int64)
    grouping = study.groups[vendor.column]
    return (None, *grouping.labels), grouping.within + 1


def _latencies(
    vendor: SimulatedVendor, own: np.random.Generator, number: int
) -> NDArray[np.float64]:
    if vendor.latency_s is None:
        return np.full(number, np.nan)
    return vendor.latency_s * np.exp(_LATENCY_SPREAD * own.normal(size=number))
