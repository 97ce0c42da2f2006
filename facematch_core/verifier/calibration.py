"""`Calibration`: which threshold of one vendor keeps to which false match rate, from a file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from facematch_core.backend import Backend
from facematch_core.base.files import read_text
from facematch_core.base.nesting import load_json
from facematch_core.errors import ConfigurationError, InvalidRequest
from facematch_core.models import Environment, ThresholdRule, check_aware, read_document, written

#: Version of the form.
SCHEMA: Final = 1
KIND: Final = "calibration"

#: Answers of these say nothing about a vendor; thresholds from them are for them alone.
_NOT_REAL: Final = (Environment.MOCK, Environment.SANDBOX)

_RATE: Final = [attrs.validators.gt(0), attrs.validators.le(1)]


@attrs.frozen(kw_only=True)
class CalibrationPoint:
    """One threshold, and the data that it was chosen by.

    Attributes:
        max_fmr: The false match rate that was asked for, above 0, at most 1.
        threshold: 0-100, on the scale of the calibration.
        errors: Pairs of two people that pass at it.
        trials: Pairs of two people that were compared.
        upper: Below this the true rate lies, 0-1, with the confidence of the calibration; above
            `max_fmr` unless it `is_bounded`.
        is_bounded: Whether `upper`, and not only what was seen, was to be at most `max_fmr`.
    """

    max_fmr: float = attrs.field(validator=_RATE)
    threshold: float = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.le(100)])
    errors: int
    trials: int
    upper: float = attrs.field(validator=_RATE)
    is_bounded: bool = False

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.errors <= self.trials or self.trials < 1:
            raise InvalidRequest(
                f"There cannot be {self.errors} errors in {self.trials} pairs of two people."
            )


def _points(points: Iterable[CalibrationPoint]) -> tuple[CalibrationPoint, ...]:
    return tuple(sorted(points, key=lambda point: -point.max_fmr))


@attrs.frozen(kw_only=True)
class Calibration:
    """Thresholds of one vendor by false match rate (FMR).

    ``facematch compare report --calibration`` writes one. With it, ``verify(max_fmr=1e-3)`` means
    the same for every vendor, which no threshold does. It holds for people and pictures like those
    of the test set that it is from.

    Attributes:
        backend: Name of the backend that answered.
        scale: Of its scores.
        model: As its results named it; None if they did not.
        rule: How it compares a score with a threshold: ABOVE or AT_LEAST.
        environment: Where the answers came from. Those of a mock or a sandbox say nothing about a
            vendor, and are refused anywhere else.
        study: Name of the test set.
        study_digest: SHA-256 of its pairs and pictures, in hex; None for a file of scores.
        chosen_on: The pairs that thresholds were chosen on, in words.
        confidence: Of `CalibrationPoint.upper`, one-sided, above 0.5, below 1.
        made_at: When, with its offset from UTC.
        expires_at: From when on it is refused; None for never.
        points: Thresholds, the highest FMR first; a lower FMR has no lower threshold.

    Raises:
        ValueError: a value is out of its range; `InvalidRequest`, if two contradict each other.
    """

    backend: str
    scale: str
    model: str | None = None
    rule: ThresholdRule
    environment: Environment
    study: str
    study_digest: str | None = None
    chosen_on: str
    confidence: float
    made_at: datetime = attrs.field(validator=check_aware)
    expires_at: datetime | None = attrs.field(default=None, validator=check_aware)
    points: tuple[CalibrationPoint, ...] = attrs.field(converter=_points)

    def __attrs_post_init__(self) -> None:
        if self.rule is ThresholdRule.VENDOR:
            raise InvalidRequest("A calibration needs a known rule: ABOVE or AT_LEAST.")
        if not 0.5 < self.confidence < 1:
            raise InvalidRequest("The confidence of a calibration lies between 0.5 and 1.")
        if not self.points:
            raise InvalidRequest("A calibration needs at least one threshold.")
        for point, stricter in zip(self.points, self.points[1:], strict=False):
            if math.isclose(point.max_fmr, stricter.max_fmr):
                raise InvalidRequest(f"Two thresholds are for an FMR of {point.max_fmr:g}.")
            if stricter.threshold < point.threshold:
                raise InvalidRequest(
                    f"The threshold for an FMR of {stricter.max_fmr:g} is lower than the one for "
                    f"{point.max_fmr:g}, so one of them is wrong."
                )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Calibration:
        """Read a file.

        Raises:
            ConfigurationError: it cannot be read, or is no calibration.
        """
        text = read_text(path, "calibration")
        try:
            return cls.from_dict(load_json(text))
        except InvalidRequest as error:
            reason = f"cannot be used: {error.message}"
        except ValueError:
            reason = "is no JSON."
        raise ConfigurationError(f"The calibration {os.fspath(path)!r} {reason}")

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Calibration:
        """Read what `to_dict` wrote; `InvalidRequest` if it is something else."""
        value: Any = document
        if not isinstance(value, Mapping) or value.get("kind") != KIND:
            raise InvalidRequest(
                "It is no calibration: `facematch compare report --calibration` writes one."
            )
        if value.get("schema") not in (0, SCHEMA):
            raise InvalidRequest(
                f"It has the schema {value.get('schema')!r:.40}, and this facematch reads "
                f"{SCHEMA}: use the facematch that wrote it."
            )
        try:
            return read_document(cls, document)
        except ValueError as error:
            raise InvalidRequest(str(error)) from None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form (``"schema": 1``)."""
        return {"schema": SCHEMA, "kind": KIND, **written(self)}

    def threshold_for(self, max_fmr: float) -> float:
        """The threshold, 0-100, for one of the rates that it has.

        Raises:
            InvalidRequest: it has none for this one. It never interpolates.
        """
        if type(max_fmr) not in (int, float) or not 0 < max_fmr <= 1:
            raise InvalidRequest(
                "max_fmr must be a rate above 0 and at most 1, for example 1e-3 for one false "
                "match in a thousand pairs of two people."
            )
        for point in self.points:
            if math.isclose(point.max_fmr, max_fmr):
                return point.threshold
        rates = ", ".join(f"{point.max_fmr:g}" for point in self.points)
        raise InvalidRequest(
            f"The calibration of {self.backend} has no threshold for an FMR of {max_fmr:g}; it has "
            f"those for {rates}."
        )

    def check(self, backend: Backend, now: datetime) -> None:
        """Refuse a backend that it was not made for, or a day on which it is too old."""
        can = backend.capabilities
        for what, ours, theirs in (
            ("the backend", self.backend, backend.name),
            ("scores on the scale", self.scale, can.score_scale),
            ("the rule", self.rule, can.threshold_rule),
        ):
            if ours != theirs:
                raise ConfigurationError(
                    f"The calibration is for {what} {ours}, and this verifier has "
                    f"{theirs or 'none'}: calibrate {backend.name} itself."
                )
        if self.environment in _NOT_REAL and backend.environment is not self.environment:
            raise ConfigurationError(
                f"The calibration is from answers of a {self.environment}, and this verifier is "
                f"set to {backend.environment}: calibrate with answers of the vendor itself."
            )
        if self.expires_at is not None and now >= self.expires_at:
            raise ConfigurationError(
                f"The calibration of {self.backend} expired on {self.expires_at:%Y-%m-%d}: make a "
                "new one."
            )

    def doubt_of(self, scale: str | None, model: str | None) -> str | None:
        """Why the calibration does not cover an answer, in a sentence; None if it does."""
        for what, ours, theirs in (
            ("scores on the scale", self.scale, scale),
            ("the model", self.model, model),
        ):
            if None not in (ours, theirs) and ours != theirs:
                return f"The calibration is for {what} {ours}, and the answer is of {theirs}."
        return None


def as_calibration(value: object) -> Calibration | None:
    """A calibration from an argument: itself, the name of its file, or None."""
    if value is None or isinstance(value, Calibration):
        return value
    if isinstance(value, (str, os.PathLike)):
        return Calibration.read(value)
    raise ConfigurationError(
        f"calibration must be a Calibration or the name of its file, not {type(value).__name__}."
    )
