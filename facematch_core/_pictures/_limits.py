"""What one vendor takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from facematch_core.errors import InvalidRequest

from ._formats import ImageFormat
from ._header import Header

_EVERYWHERE = frozenset({ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP})


def _as_formats(value: Iterable[ImageFormat]) -> frozenset[ImageFormat]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidRequest("formats must be a set of ImageFormat, not one value.")
    formats = frozenset(value)
    if not formats:
        raise InvalidRequest("formats must name at least one ImageFormat.")
    for form in formats:
        if not isinstance(form, ImageFormat):
            raise InvalidRequest(f"formats must hold ImageFormat, not {form!r:.40}.")
    return formats


def _positive(_: Any, attribute: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(
            f"{attribute.name} must be a whole number, not {type(value).__name__}."
        )
    if value < 1:
        raise InvalidRequest(f"{attribute.name} must be at least 1, not {value}.")


@attrs.frozen(kw_only=True)
class ImageLimits:
    """What one vendor takes, in the vendor's own documented numbers.

    Attributes:
        formats: Kinds of file. By default those that nearly every vendor takes.
        max_bytes: Most bytes of one file, at least 1; None if there is no known limit.
        max_bytes_from: Where that number comes from, for the refusal, if it is not the vendor's
            (``max_file_bytes, an assumption``); None if it is.
        max_pixels: Most pixels (width times height), at least 1; None if there is no known limit.
        min_side_px: Fewest pixels of the shorter side, at least 1. A smaller picture is refused,
            never enlarged.

    Raises:
        InvalidRequest: a value of the wrong type or range, or limits that no picture can meet.
    """

    formats: frozenset[ImageFormat] = attrs.field(default=_EVERYWHERE, converter=_as_formats)
    max_bytes: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_positive)
    )
    max_bytes_from: str | None = None
    max_pixels: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_positive)
    )
    min_side_px: int = attrs.field(default=1, validator=_positive)

    def __attrs_post_init__(self) -> None:
        if self.max_pixels is not None and self.min_side_px**2 > self.max_pixels:
            raise InvalidRequest(
                f"min_side_px {self.min_side_px} needs more pixels than max_pixels "
                f"{self.max_pixels} allows."
            )

    def too_small(self, header: Header) -> str | None:
        """Why the picture is too small, to follow the words "The picture"; None if it is not."""
        if min(header.width, header.height) >= self.min_side_px:
            return None
        return (
            f"has {header.width} x {header.height} pixels, but its shorter side needs at least "
            f"{self.min_side_px}; take a larger one, because none is enlarged"
        )

    def obstacle(self, header: Header, size: int) -> str | None:
        """What keeps a file of `size` bytes from being sent as it is, as above; None: nothing."""
        if header.format not in self.formats:
            return f"is {header.format.noun}, but only {self.names} can be sent"
        if self.max_bytes is not None and size > self.max_bytes:
            ground = f" ({self.max_bytes_from})" if self.max_bytes_from else ""
            return f"has {size} bytes, but only {self.max_bytes} can be sent{ground}"
        pixels = header.width * header.height
        if self.max_pixels is not None and pixels > self.max_pixels:
            return f"has {pixels} pixels, but only {self.max_pixels} can be sent"
        return None

    @property
    def names(self) -> str:
        """The formats in a sentence, in the order of `ImageFormat`."""
        return ", ".join(form.label for form in ImageFormat if form in self.formats)
