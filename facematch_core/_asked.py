"""What a caller asked for, checked once and before anything is sent."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

from ._calibration import Calibration
from ._calls import ATTEMPT_KEY
from ._enums import Operation, Retention, SearchMode, ThresholdRule, ThresholdSource
from ._images import Image
from ._own_options import own_options
from ._private import without_private
from ._scores import Threshold, percentage
from .backend import Capabilities
from .errors import (
    ConfigurationError,
    InvalidImage,
    InvalidRequest,
    UnsupportedCapability,
    UnsupportedOption,
)

#: What a picture may be given as. Plain text is refused: `Image.read` and `Image.from_base64` say
#: what it is.
Picture: TypeAlias = Image | bytes | bytearray | memoryview | os.PathLike[str]

#: Pictures that a caller handed over, or what is wrong with one of them.
Taken: TypeAlias = tuple[list[Image], InvalidImage | None]

#: Who sets the threshold of one call alone.
_OF_ONE_CALL = (ThresholdSource.CALLER, ThresholdSource.CALIBRATION)

#: What the pictures of a call are called, in their order.
PICTURES = ("probe", "reference")


def _percentage_or_none(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    try:
        percentage(attribute.name, value)
    except InvalidRequest as error:
        raise ConfigurationError(error.message) from None


@attrs.frozen(kw_only=True)
class Defaults:
    """Thresholds that a verifier was opened with, 0-100; None leaves the backend's own.

    Attributes:
        threshold, liveness_threshold: Where a pass begins.
        review_threshold, liveness_review_threshold: Up to which score a pass needs a person.
        calibration: Thresholds by false match rate; None if there are none.
    """

    threshold: float | None = attrs.field(default=None, validator=_percentage_or_none)
    liveness_threshold: float | None = attrs.field(default=None, validator=_percentage_or_none)
    review_threshold: float | None = attrs.field(default=None, validator=_percentage_or_none)
    liveness_review_threshold: float | None = attrs.field(
        default=None, validator=_percentage_or_none
    )
    calibration: Calibration | None = None

    def __attrs_post_init__(self) -> None:
        for operation in Operation:
            threshold, review = self.of(operation)
            if threshold is not None and review is not None and review <= threshold:
                raise ConfigurationError(
                    f"The review threshold of {operation} must lie above its threshold "
                    f"({threshold:g}), not at {review:g}."
                )

    def of(self, operation: Operation) -> tuple[float | None, float | None]:
        """The threshold and the review threshold of one operation; None for one that has none."""
        if operation is Operation.MATCH:
            return self.threshold, self.review_threshold
        if operation is Operation.SEARCH:
            return None, None
        return self.liveness_threshold, self.liveness_review_threshold


@attrs.frozen(kw_only=True)
class Asked:
    """The options of one call, as the caller wrote them; `mode` and `minimum_age` have one each."""

    threshold: Any = None
    review_threshold: Any = None
    max_fmr: Any = None
    rotate: Any = False
    retention: Any = Retention.MINIMAL
    caller_ref: Any = None
    metadata: Any = attrs.field(default=None, repr=False)
    options: Any = attrs.field(default=None, repr=False)
    deadline_s: Any = None
    mode: Any = SearchMode.MOST_SIMILAR
    minimum_age: Any = None


@attrs.frozen(kw_only=True)
class Checked:
    """The same, valid, with thresholds that know who set them.

    Attributes:
        own: The fields that only calls of this operation have.
    """

    threshold: Threshold | None
    review_threshold: Threshold | None
    rotate: bool
    retention: Retention
    caller_ref: str | None
    metadata: dict[str, Any] | None = attrs.field(repr=False)
    options: Any = attrs.field(repr=False)
    deadline_s: float | None
    own: dict[str, Any]


def taken(*values: object) -> Taken:
    """The pictures a caller handed over, or the error that says what is wrong with one.

    The error is handed back, not raised, so that the caller can first let go of the bytes: a
    traceback with local variables must not show a face.
    """
    images = []
    for value, picture in zip(values, PICTURES, strict=False):
        try:
            images.append(Image.of(value))
        except InvalidImage as error:
            return [], error.of(picture)
    return images, None


def check(
    asked: Asked, *, operation: Operation, backend: str, can: Capabilities, defaults: Defaults
) -> Checked:
    """Check the options of one call against what the backend can do.

    Raises:
        InvalidRequest: a value that no backend could take.
        UnsupportedCapability: the backend has no such operation.
        UnsupportedOption: the backend has no way to pass an option on.
    """
    if operation not in can.operations:
        raise UnsupportedCapability(
            f"The backend {backend} has no {operation} call: choose a backend that has "
            "(`facematch backends` lists them).",
            backend=backend,
            capability=operation,
        )
    if asked.max_fmr is None:
        threshold = _threshold(asked.threshold, operation, can, defaults)
    else:
        threshold = _calibrated(asked, operation, backend, can, defaults)
    return Checked(
        threshold=threshold,
        review_threshold=_review(asked.review_threshold, threshold, operation, defaults),
        rotate=_rotate(asked.rotate, backend, can),
        retention=_retention(asked.retention, backend, can),
        caller_ref=_caller_ref(asked.caller_ref),
        metadata=_metadata(asked.metadata),
        options=_options(asked.options, backend, can),
        deadline_s=deadline(asked.deadline_s),
        own=own_options(operation, asked.mode, asked.minimum_age, backend, can),
    )


def _threshold(
    asked: Any, operation: Operation, can: Capabilities, defaults: Defaults
) -> Threshold | None:
    profile, _ = defaults.of(operation)
    for value, source in (
        (asked, ThresholdSource.CALLER),
        (profile, ThresholdSource.PROFILE),
        (can.default_for(operation), ThresholdSource.DEFAULT),
    ):
        if value is not None:
            return Threshold(percentage("threshold", value), can.threshold_rule, source)
    return None


def _calibrated(
    asked: Asked, operation: Operation, backend: str, can: Capabilities, defaults: Defaults
) -> Threshold:
    """The threshold for `max_fmr`, which the calibration of the verifier has."""
    if operation is not Operation.MATCH:
        raise InvalidRequest(
            f"max_fmr is for comparisons of two faces, and this is a call of {operation}: give a "
            "threshold."
        )
    if asked.threshold is not None:
        raise InvalidRequest("threshold and max_fmr both say where a match begins: give one.")
    if defaults.calibration is None:
        raise ConfigurationError(
            f"max_fmr needs a calibration of {backend}, and this verifier has none: "
            "`facematch compare threshold` writes one, and calibration= or the profile names it."
        )
    value = defaults.calibration.threshold_for(asked.max_fmr)
    return Threshold(value, can.threshold_rule, ThresholdSource.CALIBRATION)


def _review(
    asked: Any, threshold: Threshold | None, operation: Operation, defaults: Defaults
) -> Threshold | None:
    _, profile = defaults.of(operation)
    if asked is None and profile is None:
        return None
    source = ThresholdSource.PROFILE if asked is None else ThresholdSource.CALLER
    value = percentage("review_threshold", profile if asked is None else asked)
    if threshold is not None and threshold.value is not None and value <= threshold.value:
        if asked is None and threshold.source in _OF_ONE_CALL:
            # The call alone is now stricter than the profile's review: nothing is left to review.
            return None
        raise InvalidRequest(
            f"review_threshold must lie above threshold ({threshold.value:g}), not at {value:g}."
        )
    return Threshold(value, ThresholdRule.ABOVE, source)


def _rotate(asked: Any, backend: str, can: Capabilities) -> bool:
    if not isinstance(asked, bool):
        raise InvalidRequest(f"rotate must be True or False, not {type(asked).__name__}.")
    if asked and not can.rotate:
        raise UnsupportedOption(
            f"The backend {backend} cannot try quarter turns: leave rotate out and turn the "
            "picture upright first.",
            backend=backend,
            option="rotate",
        )
    return asked


def _retention(asked: Any, backend: str, can: Capabilities) -> Retention:
    try:
        retention = Retention(asked)
    except ValueError:
        raise InvalidRequest(
            f"retention must be Retention.MINIMAL or Retention.KEEP, not {type(asked).__name__}."
        ) from None
    if retention not in can.retention:
        raise UnsupportedOption(
            f"The backend {backend} cannot ask for retention {retention}.",
            backend=backend,
            option="retention",
        )
    return retention


def _caller_ref(asked: Any) -> str | None:
    if asked is None:
        return None
    if not isinstance(asked, str) or not asked:
        raise InvalidRequest("caller_ref must be text that is not empty: leave it out otherwise.")
    if not _encodes(asked):
        raise InvalidRequest("caller_ref must be text that can be written as UTF-8.")
    return asked


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _metadata(asked: Any) -> dict[str, Any] | None:
    if asked is None:
        return None
    wrong = InvalidRequest(
        "metadata must be a dictionary of JSON values with text keys; no bytes, no NaN, no objects."
    )
    if not isinstance(asked, Mapping):
        raise wrong
    try:
        text = json.dumps(dict(asked), allow_nan=False)
        copy = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        copy = None
    # Keys that JSON turns into text (1, None, True) would come back as something else.
    if copy is None or copy != asked or not _encodes(json.dumps(copy, ensure_ascii=False)):
        raise wrong
    if without_private(copy, demographic_keys=()) != copy:
        raise InvalidRequest("metadata is nested too deeply: keep it within 64 levels.")
    if ATTEMPT_KEY in copy:
        raise InvalidRequest(
            f"metadata has an entry {ATTEMPT_KEY}, under which a kept call carries our own id of "
            "it: give yours another name."
        )
    return dict(copy)


def _options(asked: Any, backend: str, can: Capabilities) -> Any:
    if asked is None:
        return None
    if can.options is None:
        raise UnsupportedOption(
            f"The backend {backend} has no options of its own.", backend=backend, option="options"
        )
    if not isinstance(asked, can.options):
        raise UnsupportedOption(
            f"The backend {backend} takes options of type {can.options.__name__}, "
            f"not {type(asked).__name__}.",
            backend=backend,
            option="options",
        )
    return asked


def deadline(asked: Any) -> float | None:
    """`deadline_s` as a float, or None for no limit; `InvalidRequest` for anything else."""
    if asked is None:
        return None
    if isinstance(asked, bool) or not isinstance(asked, (int, float)) or not 0 < asked < 1e9:
        raise InvalidRequest("deadline_s must be a number of seconds above 0.")
    return float(asked)
