"""The simulator of `local` for the conformance kit: the engine itself, watched.

Needs pytest, as all of `facematch_core.testing` does; nothing else of this package loads it.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image as Pillow

from facematch_core import Box, Image
from facematch_core.backend import Backend, ImageLimits
from facematch_core.testing import EngineSimulator, Situation, photograph

from ._backend import LocalBackend
from ._engine import Engine

#: Never closed: loading takes half a second, and each rule opens backends of its own.
_engine = functools.cache(Engine)


class LocalSimulator(EngineSimulator):
    """The engine itself: photographs decide what happens."""

    backend_class = LocalBackend
    settings: Mapping[str, Any] = {"cached_pictures": 0}
    situations = frozenset(
        {
            Situation.SAME_PERSON,
            Situation.DIFFERENT_PEOPLE,
            Situation.NO_FACE,
            Situation.TWO_FACES,
            Situation.TURNED,
            Situation.SLOW,
        }
    )
    cannot_happen: Mapping[Situation, str] = {
        Situation.LIVE: "The engine only compares faces.",
        Situation.DEMOGRAPHICS: "The engine guesses no age, gender or race.",
    }
    # From brow to chin and from cheek to cheek, measured by eye.
    faces: Mapping[str, Sequence[Box]] = {
        "probe": (Box(left=135, top=150, right=290, bottom=330),),
        "reference": (Box(left=73, top=185, right=207, bottom=308),),
    }

    def backend(self, **settings: Any) -> Backend:
        backend = super().backend(**settings)
        _engine().load()
        return backend

    def pictures_for(self, situation: Situation) -> tuple[Image, Image]:
        draw = _PROBES.get(situation, _narrow_portrait)
        return draw(), photograph("grace-hopper-card")

    def refused_pictures(self, declared: ImageLimits) -> Mapping[str, Image]:
        """A HEIC, if something is installed that reads one: else `Image` refuses it."""
        try:
            import pillow_heif
        except ImportError:
            return {}
        import PIL.Image

        file = io.BytesIO()
        pillow_heif.from_pillow(PIL.Image.new("RGB", (64, 64))).save(file)
        return {"format": Image.from_bytes(file.getvalue())}


@functools.cache
def _narrow_portrait() -> Image:
    """Her portrait, narrowed by a fifth: the same person, with a score short of the very top."""
    whole = photograph("grace-hopper").to_pil()
    return Image.from_pil(whole.resize((whole.width * 4 // 5, whole.height)))


@functools.cache
def _turn_portrait() -> Image:
    return Image.from_pil(photograph("grace-hopper").to_pil().transpose(Pillow.Transpose.ROTATE_90))


@functools.cache
def _join_portraits() -> Image:
    left, right = (photograph(name).to_pil() for name in ("grace-hopper", "eileen-collins"))
    both = Pillow.new("RGB", (left.width + right.width, max(left.height, right.height)))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return Image.from_pil(both)


_PROBES: dict[Situation, Callable[[], Image]] = {
    Situation.DIFFERENT_PEOPLE: functools.partial(photograph, "eileen-collins"),
    Situation.NO_FACE: functools.partial(photograph, "no-face-cat"),
    Situation.TWO_FACES: _join_portraits,
    Situation.TURNED: _turn_portrait,
}
