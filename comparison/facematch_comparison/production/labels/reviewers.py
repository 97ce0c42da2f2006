"""The labels of several reviewers: on what they agree, and how far.

A call that several files list counts if at least two of them say the same, and more than say the
opposite. So a third file with the contradictions of the first two decides them. Cohen's kappa is
the agreement beyond the one of two reviewers who label at random, each with their own share of yes
(J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological
Measurement 20, 1960). Its interval is that of J. L. Fleiss, J. Cohen and B. S. Everitt ("Large
sample standard errors of kappa and weighted kappa", Psychological Bulletin 72, 1969), by person,
and at least as wide as that of the agreement.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import attrs
import numpy as np
from scipy.special import ndtri

from facematch_comparison.production.calls import share_of
from facematch_comparison.stats.rates import Bools, Ints
from facematch_comparison.values.model import (
    Estimate,
    Interval,
    Method,
    ReviewersAgree,
    Share,
)
from facematch_core.errors import InvalidRequest

from .review import Labels


@attrs.frozen(kw_only=True)
class AgreedLabels:
    """What the reviewers say together.

    Attributes:
        files: The labels of each file.
        genuine: Whether a call is genuine, by its id, if enough of its reviewers agree.
        unclear: Calls that nobody could label.
        contradicted: Calls on which the reviewers do not agree.
        labelled_once: Calls that several files list and that only one has labelled.
    """

    files: tuple[Labels, ...]
    genuine: Mapping[str, bool]
    unclear: frozenset[str]
    contradicted: frozenset[str]
    labelled_once: frozenset[str]

    @property
    def question(self) -> str:
        return self.files[0].question

    @property
    def until(self) -> dt.datetime:
        return self.files[0].until

    @property
    def listed(self) -> frozenset[str]:
        """The calls of all files."""
        return frozenset[str]().union(*(labels.listed for labels in self.files))

    def files_listing(self, call_id: str) -> tuple[int, ...]:
        """Return the numbers of the files that list a call."""
        return tuple(n for n, labels in enumerate(self.files) if call_id in labels.listed)


def agree(files: Sequence[Labels]) -> AgreedLabels:
    """Return the labels on which the reviewers agree.

    The majority decides: of at least two reviewers, if two files list the call. A call is unclear
    if nobody could decide it.

    Raises:
        InvalidRequest: two files are about different questions.
    """
    for labels in files[1:]:
        if labels.question != files[0].question:
            raise InvalidRequest(
                f"{labels.file} was written for another question than {files[0].file}: "
                f"{labels.question!r:.300}, not {files[0].question!r:.300}."
            )
    genuine: dict[str, bool] = {}
    unclear: set[str] = set()
    contradicted: set[str] = set()
    labelled_once: set[str] = set()
    for call_id in frozenset[str]().union(*(labels.listed for labels in files)):
        listing = [labels for labels in files if call_id in labels.listed]
        votes = [labels.genuine[call_id] for labels in listing if call_id in labels.genuine]
        unclear_count = sum(call_id in labels.unclear for labels in listing)
        answers = len(votes) + unclear_count
        needed = min(2, len(listing))
        yes = sum(votes)
        no = len(votes) - yes
        if yes != no and max(yes, no) >= needed:
            genuine[call_id] = yes > no
        elif answers and not votes:
            unclear.add(call_id)
        elif answers >= 2:
            contradicted.add(call_id)
        elif answers:
            labelled_once.add(call_id)
    return AgreedLabels(
        files=tuple(files),
        genuine=genuine,
        unclear=frozenset(unclear),
        contradicted=frozenset(contradicted),
        labelled_once=frozenset(labelled_once),
    )


def compare_reviewers(
    files: Sequence[Labels], person_of: Mapping[str, int], confidence: float
) -> tuple[ReviewersAgree, ...]:
    """Return the agreement of every two reviewers who both said yes or no to some call.

    A file that was written for contradictions has harder calls than most: it is compared only with
    a file that lists the same calls. `person_of` has the number of each call's person; calls that
    it does not have are left out.
    """
    found = []
    for first, second in combinations(files, 2):
        are_plain = first.agreements_are_random and second.agreements_are_random
        if not are_plain and first.listed != second.listed:
            continue
        common = sorted(first.genuine.keys() & second.genuine.keys() & person_of.keys())
        if common:
            persons = np.array([person_of[call_id] for call_id in common], np.int64)
            found.append(_compare_two(first, second, common, persons, confidence))
    return tuple(found)


def _compare_two(
    first: Labels, second: Labels, call_ids: Sequence[str], persons: Ints, confidence: float
) -> ReviewersAgree:
    """Return how far two reviewers agree on the calls that both have labelled.

    `persons` has the person of each call, since labels of one person are no independent trials.
    `wrong_share` is the share of wrong labels that would explain the contradictions; None if half
    of the labels or more contradict.
    """
    labels_first = np.array([first.genuine[call_id] for call_id in call_ids], np.bool_)
    labels_second = np.array([second.genuine[call_id] for call_id in call_ids], np.bool_)
    agreement = share_of(labels_first == labels_second, persons, confidence)
    contradictions = 1 - agreement.count / agreement.of
    wrong_share = None
    if contradictions < 0.5:
        # Two labels differ if exactly one is wrong: 2 * share * (1 - share).
        wrong_share = (1 - math.sqrt(1 - 2 * contradictions)) / 2
    return ReviewersAgree(
        first=first.file,
        second=second.file,
        agreement=agreement,
        kappa=find_kappa(labels_first, labels_second, persons, agreement, confidence),
        wrong_share=wrong_share,
    )


def find_kappa(
    first: Bools, second: Bools, persons: Ints, agreement: Share, confidence: float
) -> Estimate | None:
    """Return Cohen's kappa of two arrays of labels (N,); None if there is one label only."""
    yes_first = float(first.mean())
    yes_second = float(second.mean())
    by_chance = yes_first * yes_second + (1 - yes_first) * (1 - yes_second)
    if by_chance == 1:
        return None
    agrees = first == second
    observed = float(agrees.mean())
    kappa = (observed - by_chance) / (1 - by_chance)
    # Each call's influence on kappa: through the observed agreement, and through that by chance.
    on_chance = (2 * yes_second - 1) * (first - yes_first)
    on_chance += (2 * yes_first - 1) * (second - yes_second)
    influence = (agrees - observed) / (1 - by_chance)
    influence -= (1 - observed) / (1 - by_chance) ** 2 * on_chance
    _, numbers = np.unique(persons, return_inverse=True)
    sums = np.bincount(numbers, influence)
    standard_error = math.sqrt(float((sums**2).sum())) / len(first)
    half = standard_error * float(ndtri((1 + confidence) / 2))
    # Without a contradiction the standard error is 0, which a few calls do not show.
    ends = agreement.interval
    assert ends is not None  # noqa: S101 - there are calls
    low = min(kappa - half, (ends.low - by_chance) / (1 - by_chance))
    high = max(kappa + half, (ends.high - by_chance) / (1 - by_chance))
    return Estimate(
        value=kappa,
        interval=Interval(
            low=max(-1.0, low),
            high=min(1.0, high),
            confidence=confidence,
            method=Method.CLUSTERED,
        ),
    )
