"""Decisions in plain words, with a mark and a colour: the same on a terminal and in a picture."""

from __future__ import annotations

import enum

import attrs

from facematch_core._enums import ThresholdRule, ThresholdSource
from facematch_core._results import Result
from facematch_core._scores import Threshold

from ._text import number


class Mark(enum.StrEnum):
    """A sign beside the colour, for those who do not see the colour."""

    CHECK = "check"
    CROSS = "cross"
    QUESTION = "question"


@attrs.frozen
class Verdict:
    """How one decision is shown.

    Attributes:
        word: The decision in capitals.
        says: What it means.
        mark: Its sign.
    """

    word: str
    says: str
    mark: Mark

    @property
    def style(self) -> str:
        """Its style on a terminal."""
        return _STYLES[self.mark]

    @property
    def colour(self) -> str:
        """Its colour in a picture: dark enough to be read on white."""
        return _COLOURS[self.mark]


_STYLES = {Mark.CHECK: "bold green", Mark.CROSS: "bold red", Mark.QUESTION: "bold yellow"}
_COLOURS = {Mark.CHECK: "#1a7f37", Mark.CROSS: "#b3261e", Mark.QUESTION: "#8a5a00"}

#: Decision to how it is shown.
VERDICTS: dict[str, Verdict] = {
    "match": Verdict("MATCH", "same person, as far as this engine can tell", Mark.CHECK),
    "no_match": Verdict(
        "NO MATCH", "not the same person, as far as this engine can tell", Mark.CROSS
    ),
    "live": Verdict("LIVE", "a live face, as far as this engine can tell", Mark.CHECK),
    "not_live": Verdict("NOT LIVE", "not a live face, as far as this engine can tell", Mark.CROSS),
    "verified": Verdict(
        "VERIFIED", "live and same person, as far as this engine can tell", Mark.CHECK
    ),
    "review": Verdict("REVIEW", "neither yes nor no: a person should look", Mark.QUESTION),
    "inconclusive": Verdict(
        "INCONCLUSIVE", "no face could be judged: this says nothing about the people", Mark.QUESTION
    ),
}

#: How a score is compared with a threshold, in words.
RULES = {ThresholdRule.ABOVE: "above", ThresholdRule.AT_LEAST: "at least"}

_AUTHORS = {
    ThresholdSource.PROFILE: ", from the profile",
    ThresholdSource.DEFAULT: ", the default",
    ThresholdSource.VENDOR: ", the vendor's",
    ThresholdSource.CALIBRATION: ", calibrated",
}


def _words(threshold: Threshold | None) -> str:
    if threshold is None or threshold.value is None:
        return "the vendor's own threshold"
    rule = RULES.get(threshold.rule, "the vendor's rule at")
    return f"threshold {rule} {number(threshold.value)}{_AUTHORS.get(threshold.source, '')}"


def limits(result: Result) -> str:
    """Where a pass begins, for example ``threshold at least 50, the default``."""
    review = result.review_threshold
    if review is None or review.value is None:
        return _words(result.threshold)
    return f"{_words(result.threshold)}, review up to {number(review.value)}"
