"""The pictures that are sent: those of the owner, those made of them, and cards for the model."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from facematch_core import Image
from facematch_mock_server import make_card

from .script import Picture

if TYPE_CHECKING:
    import PIL.Image

    from facematch_core.backend import ImageLimits

#: Extension and bytes of each picture.
Pictures = Mapping[Picture, tuple[str, bytes]]

#: Width of the picture of two faces, in pixels: small enough that nobody need shrink it.
_WIDTH = 480
#: Longest side of the turned picture, in pixels.
_LONGEST = 1600
_GREY = (128, 128, 128)
#: What is no picture, and is the same for everybody. The limit of size is 5 MB, however counted.
_BYTES: Pictures = {
    "noise": ("jpg", b"facematch drift: no picture"),
    "empty": ("jpg", b""),
    "nearly": ("jpg", bytes(5_200_000)),
    "big": ("jpg", bytes(5 * 1024 * 1024 + 1)),
}


def pictures_of(probe: Path, reference: Path, other: Path | None, limits: ImageLimits) -> Pictures:
    """The pictures of an owner, as the library sends them, and those made of them.

    Args:
        probe, reference: Of one person.
        other: Of another one; None without.
        limits: What the vendor takes.

    Raises:
        InvalidImage: a file is no picture, or cannot be brought within the limits.
    """
    given: dict[Picture, Path] = {"probe": probe, "reference": reference}
    if other is not None:
        given["other"] = other
    images = {name: Image.read(path).prepared(limits) for name, path in given.items()}
    first, second = images["probe"].to_pil(), images["reference"].to_pil()
    turned = first.rotate(90, expand=True)
    turned.thumbnail((_LONGEST, _LONGEST))
    return {
        **{name: (image.extension, image.data) for name, image in images.items()},
        **_BYTES,
        "two": ("jpg", _jpeg(_stacked(second, first))),
        "turned": ("jpg", _jpeg(turned)),
        "blank": ("jpg", _jpeg(_grey(640, 640))),
    }


@functools.cache
def cards() -> Pictures:
    """What the model is shown: test cards, and nothing of the owner's."""
    shown: dict[Picture, bytes] = {
        "probe": make_card("p1"),
        "reference": make_card("p1", quality=70),
        "other": make_card("p2"),
        "two": make_card("p1", faces=2),
        "turned": make_card("p1", turned=90),
        "blank": make_card("p1", faces=0),
    }
    return {**{name: ("png", data) for name, data in shown.items()}, **_BYTES}


def _grey(width: int, height: int) -> PIL.Image.Image:
    from PIL import Image as Pillow

    return Pillow.new("RGB", (width, height), _GREY)


def _stacked(upper: PIL.Image.Image, lower: PIL.Image.Image) -> PIL.Image.Image:
    parts = [
        one.resize((_WIDTH, max(1, round(one.height * _WIDTH / one.width))))
        for one in (upper, lower)
    ]
    whole = _grey(_WIDTH, sum(part.height for part in parts))
    whole.paste(parts[0], (0, 0))
    whole.paste(parts[1], (0, parts[0].height))
    return whole


def _jpeg(picture: PIL.Image.Image) -> bytes:
    buffer = io.BytesIO()
    # Without the profile of the owner's camera.
    picture.info.clear()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
