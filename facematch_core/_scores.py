"""A score that knows its scale, and a threshold that knows its rule and its author."""

from __future__ import annotations

from typing import Any

import attrs

from ._enums import ThresholdRule, ThresholdSource
from .errors import IncomparableScores, InvalidRequest


def percentage(name: str, value: object) -> float:
    """Return `value` as a float if it is a number from 0 to 100.

    Raises:
        InvalidRequest: it is a bool, no number, NaN, infinite or outside 0-100.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidRequest(f"{name} must be a number from 0 to 100, not {type(value).__name__}.")
    # False for NaN, and no conversion: an int may be too large for a float.
    if not 0 <= value <= 100:
        raise InvalidRequest(f"{name} must lie between 0 and 100.")
    return float(value)


def _as_float(value: float) -> float:
    # Anything but an int stays as it is, for the validator to judge: float("5") is no score.
    return float(value) if type(value) is int else value


def _as_float_or_none(value: float | None) -> float | None:
    return None if value is None else _as_float(value)


def _valid_percentage(_: Any, attribute: attrs.Attribute[float], value: object) -> None:
    percentage(attribute.name, value)


@attrs.frozen(order=False)
class Score:
    """How alike two faces are (or how live one is), on a named scale.

    Two scores of one scale compare and subtract. Across scales `==` is False, and `<` and `-`
    raise `IncomparableScores`: 90 of one vendor is not 90 of another.

    Attributes:
        value: 0 to 100, higher is more alike (more live). It is no probability.
        scale: Vendor and model or method, for example ``local/dlib-resnet-v1``.
    """

    value: float = attrs.field(validator=_valid_percentage, converter=_as_float)
    scale: str = attrs.field(validator=attrs.validators.min_len(1))

    def __str__(self) -> str:
        return f"{self.value:g} ({self.scale})"

    def _same_scale(self, other: Score) -> None:
        if self.scale != other.scale:
            raise IncomparableScores(
                f"Scores of {self.scale} and {other.scale} do not compare: "
                "give each backend its own threshold."
            )

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Score):
            return NotImplemented
        self._same_scale(other)
        return self.value < other.value

    def __le__(self, other: object) -> bool:
        if not isinstance(other, Score):
            return NotImplemented
        self._same_scale(other)
        return self.value <= other.value

    def __gt__(self, other: object) -> bool:
        if not isinstance(other, Score):
            return NotImplemented
        return other < self

    def __ge__(self, other: object) -> bool:
        if not isinstance(other, Score):
            return NotImplemented
        return other <= self

    def __sub__(self, other: object) -> float:
        if not isinstance(other, Score):
            return NotImplemented
        self._same_scale(other)
        return self.value - other.value


@attrs.frozen
class Threshold:
    """Where a pass begins, on the scale of the backend that used it.

    Attributes:
        value: 0 to 100; None if the vendor does not tell its own.
        rule: How a score is compared with it.
        source: Who set it.
    """

    value: float | None = attrs.field(
        validator=attrs.validators.optional(_valid_percentage), converter=_as_float_or_none
    )
    rule: ThresholdRule
    source: ThresholdSource

    def __attrs_post_init__(self) -> None:
        if self.value is None and self.rule is not ThresholdRule.VENDOR:
            raise InvalidRequest(f"A threshold with the rule {self.rule} needs a value.")

    def passes(self, score: float | None) -> bool | None:
        """Whether `score` (0-100) passes; None if the rule or the score is not known."""
        if score is None or self.value is None or self.rule is ThresholdRule.VENDOR:
            return None
        if self.rule is ThresholdRule.ABOVE:
            return score > self.value
        return score >= self.value
