"""Pairs that a system got wrong, and their pictures, small, to be looked at."""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Final

import attrs
from PIL import Image as Pillow

from facematch_comparison.model import WrongPair, as_json
from facematch_core.images.image import Image

from .values import Node

#: Longest side of a picture in a gallery, in pixels: enough to see who it is, twice as it is shown.
SIDE_PX: Final = 240

#: What is wrong with a pair, for those who do not know the terms.
_WORDS: Final = {
    "false match": "two people, and it passed",
    "false non-match": "one person, and turned away",
    "failure to acquire": "one person, and no face was found in one of the pictures",
}


@attrs.frozen
class GalleryPair:
    """One pair of a gallery: its values, what is wrong, and its pictures as ``data:`` addresses."""

    node: Node
    words: str
    pictures: tuple[str | None, ...]

    @property
    def has_faces(self) -> bool:
        return any(self.pictures)

    @property
    def files(self) -> list[str]:
        """Both files by folder and name, which often is who; else the names of the people."""
        return [
            str(PurePath(*PurePath(self.node[side].raw).parts[-2:]))
            if self.node[side]
            else self.node[f"{side}_subject"].raw
            for side in ("probe", "reference")
        ]


def read_pairs(pairs: Sequence[WrongPair]) -> list[GalleryPair]:
    """Pairs with their pictures; `InvalidImage` where one cannot be read."""
    small = functools.cache(_small)  # one picture is in many pairs
    return [
        GalleryPair(
            Node(as_json(pair), "gallery", str(place)),
            _WORDS[pair.kind],
            tuple(path and small(path) for path in (pair.probe, pair.reference)),
        )
        for place, pair in enumerate(pairs)
    ]


def _small(path: str) -> str:
    """A picture as the address of a small JPEG, without anything that a camera wrote into it."""
    picture = Image.read(Path(path)).to_pil()
    picture.thumbnail((SIDE_PX, SIDE_PX), Pillow.Resampling.LANCZOS)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"
