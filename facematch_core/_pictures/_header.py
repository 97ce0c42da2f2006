"""What a picture's first bytes tell."""

from __future__ import annotations

from typing import Any

import attrs

from ._formats import ImageFormat


@attrs.frozen
class Header:
    """What is known of a picture without decoding it.

    Attributes:
        format: The kind of file.
        width: In pixels, as stored (before `orientation` is applied).
        height: As `width`.
        orientation: How to turn the stored picture upright, 1 to 8 as EXIF counts; 1 is upright.
        several: True for an animation or several pages.
        parts: Where the parts of the file are, as its format counts them, for who takes some out;
            () if that has to be found out again.
    """

    format: ImageFormat
    width: int
    height: int
    orientation: int = 1
    several: bool = False
    parts: tuple[Any, ...] = attrs.field(default=(), eq=False, repr=False)

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height in pixels once `orientation` is applied."""
        if self.orientation >= 5:
            return self.height, self.width
        return self.width, self.height
