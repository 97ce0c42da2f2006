"""The pictures that are sent, made of the two or three that the owner gives."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from facematch_core import Image

from ._requests import STAND_INS
from ._script import Picture

if TYPE_CHECKING:
    import PIL.Image

    from facematch_core.backend import ImageLimits

#: Width of the picture of two faces, in pixels: small enough that nobody need shrink it.
_WIDTH = 480
#: Longest side of the turned picture, in pixels.
_LONGEST = 1600
_BLANK = (640, 640)
_GREY = (128, 128, 128)


@attrs.frozen(kw_only=True)
class Pictures:
    """Everything that is sent as a file.

    Attributes:
        files: Outcome and bytes of each.
        sizes: Width and height of those in which boxes are looked at.
    """

    files: Mapping[Picture, tuple[str, bytes]] = attrs.field(repr=False)
    sizes: Mapping[Picture, tuple[int, int]]


def pictures_of(probe: Path, reference: Path, other: Path | None, limits: ImageLimits) -> Pictures:
    """The pictures of an owner, as the library sends them, and those made of them.

    Args:
        probe, reference: Of one person.
        other: Of another one; None without.
        limits: What the vendor takes.

    Raises:
        InvalidImage: a file is no picture, or cannot be brought within the limits.
    """
    given = {Picture.PROBE: probe, Picture.REFERENCE: reference}
    if other is not None:
        given[Picture.OTHER] = other
    images = {name: Image.read(path).prepared(limits) for name, path in given.items()}
    files = {name: (image.extension, image.data) for name, image in images.items()}
    for name in (Picture.NOISE, Picture.EMPTY, Picture.NEARLY, Picture.BIG):
        files[name] = "jpg", STAND_INS[name]
    first, second = images[Picture.PROBE].to_pil(), images[Picture.REFERENCE].to_pil()
    two = _below_one_another(second, first)
    files[Picture.TWO] = "jpg", _jpeg(two)
    files[Picture.TURNED] = "jpg", _jpeg(_turned(first))
    files[Picture.BLANK] = "jpg", _jpeg(_blank())
    return Pictures(files=files, sizes={Picture.TWO: two.size})


def _below_one_another(upper: PIL.Image.Image, lower: PIL.Image.Image) -> PIL.Image.Image:
    from PIL import Image as Pillow

    parts = [
        one.resize((_WIDTH, max(1, round(one.height * _WIDTH / one.width))))
        for one in (upper, lower)
    ]
    whole = Pillow.new("RGB", (_WIDTH, sum(part.height for part in parts)), _GREY)
    whole.paste(parts[0], (0, 0))
    whole.paste(parts[1], (0, parts[0].height))
    return whole


def _turned(picture: PIL.Image.Image) -> PIL.Image.Image:
    turned = picture.rotate(90, expand=True)
    turned.thumbnail((_LONGEST, _LONGEST))
    return turned


def _blank() -> PIL.Image.Image:
    from PIL import Image as Pillow

    return Pillow.new("RGB", _BLANK, _GREY)


def _jpeg(picture: PIL.Image.Image) -> bytes:
    buffer = io.BytesIO()
    # Without the profile of the owner's camera.
    picture.info.clear()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
