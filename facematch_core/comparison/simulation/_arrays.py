"""What a simulated vendor answers to a study, as arrays, and what is true of it."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_core.comparison._answers import BILLED, Answers
from facematch_core.comparison.metrics import DECISIONS, NO_DECISION, ScoreTable
from facematch_core.models import Charged, Decision, Environment, ThresholdRule

from ._study import SimulatedStudy
from ._vendor import SimulatedVendor

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Spread of the logarithm of latencies: the slowest twentieth takes 2.3 times the median.
_LATENCY_SPREAD: Final = 0.5

#: What a picture is known by to whom nothing is sent.
_PRIVACY: Final = "Nothing was sent: the scores are made up."


@attrs.frozen(kw_only=True)
class Truth:
    """Rates that a study of a simulated vendor estimates: 0-1, or None without such a pair.

    Attributes:
        fmr, fnmr: Of acquired pairs.
        far, frr: Of answered pairs, where what is not acquired is refused.
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
    decisions = np.where(vendor.passes(scores), _MATCH, _NO_MATCH)
    decisions = np.where(acquired, decisions, np.where(answered, _INCONCLUSIVE, NO_DECISION))
    told = not vendor.decisions_only
    table = ScoreTable(
        name=vendor.name,
        rule=vendor.rule if told else ThresholdRule.VENDOR,
        mated=study.mated,
        scores=np.where(acquired & told, scores, np.nan),
        decisions=decisions.astype(np.int8),
        acquired=acquired,
        answered=answered,
        probe_subjects=study.probe_subjects,
        reference_subjects=study.reference_subjects,
        groups=study.groups,
        scale=vendor.scale,
        threshold=vendor.threshold if told and vendor.rule is not ThresholdRule.VENDOR else None,
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


_NO_MATCH, _MATCH = DECISIONS.index(Decision.NO_MATCH), DECISIONS.index(Decision.MATCH)
_INCONCLUSIVE = DECISIONS.index(Decision.INCONCLUSIVE)


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
