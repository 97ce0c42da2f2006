"""The double of `local` for the conformance kit: the engine itself, and someone who counts.

Needs pytest, as all of `facematch_core.testing` does; nothing else of this package loads it.
"""

from __future__ import annotations

import functools
import io
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from PIL import Image as Pillow

from facematch_core import Image, MatchResult
from facematch_core.backend import ImageLimits, MatchCall
from facematch_core.testing import Situation, VendorDouble, photograph

from ._backend import LocalBackend
from ._engine import Engine

if TYPE_CHECKING:
    from ._found import Found

_NO_VENDOR = "Nothing leaves this machine: no vendor refuses, loses or bills a call."
_NO_ANSWER = "No vendor's answer is read: the engine of this machine gives score and verdict."
_NO_SUCH_CALL = "The engine only compares faces."

#: What no engine on this machine can meet, and why.
_ABSENT = {
    Situation.LIVE: _NO_SUCH_CALL,
    Situation.SPOOF: _NO_SUCH_CALL,
    Situation.SCORE: "The pictures decide the score: nobody else can set it.",
    Situation.NULL_SCORE: _NO_ANSWER,
    Situation.IMPOSSIBLE_SCORE: _NO_ANSWER,
    Situation.UNKNOWN_STATUS: _NO_ANSWER,
    Situation.UNKNOWN_WARNING: _NO_ANSWER,
    Situation.UNREADABLE_200: _NO_ANSWER,
    Situation.DEMOGRAPHICS: "The engine guesses no age, gender or race.",
    Situation.BAD_KEY: _NO_VENDOR,
    Situation.NO_CREDIT: _NO_VENDOR,
    Situation.THROTTLED: _NO_VENDOR,
    Situation.REJECTED: _NO_VENDOR,
    Situation.UNREACHABLE: _NO_VENDOR,
    Situation.LOST_ANSWER: _NO_VENDOR,
    Situation.BROKEN_ANSWER: _NO_VENDOR,
    Situation.GATEWAY_ERROR: _NO_VENDOR,
    Situation.OUTAGE: _NO_VENDOR,
    Situation.SLOW: "The engine is never silent: it is waited for until it has an answer.",
}

#: Never unloaded: loading takes half a second, and each rule opens backends of its own.
_engine = functools.cache(Engine)


class LocalDouble(VendorDouble):
    """The engine itself: photographs decide what happens, and nothing can be told to it.

    One engine serves all doubles of a process.
    """

    situations = frozenset(
        {
            Situation.SAME_PERSON,
            Situation.DIFFERENT_PEOPLE,
            Situation.NO_FACE,
            Situation.TWO_FACES,
            Situation.TURNED,
        }
    )
    absent = _ABSENT
    charges = 0

    def __init__(self) -> None:
        self._ear = _Ear()

    @property
    def requests_seen(self) -> int:
        return self._ear.calls

    @property
    def received(self) -> Mapping[str, Any]:
        return self._ear.received

    def backend(self, **settings: Any) -> LocalBackend:
        """The backend, which remembers no picture unless `settings` say so."""
        backend = _Counted(**{"cached_pictures": 0} | settings)
        backend._engine = self._ear  # noqa: SLF001 - one of our own
        return backend

    def prepare(self, situation: Situation, *, score: float | None = None) -> None:
        """Nothing: `pictures_for` decides."""

    def pictures(self) -> tuple[Image, Image]:
        return self.pictures_for(Situation.SAME_PERSON)

    def pictures_for(self, situation: Situation) -> tuple[Image, Image]:
        drawn = _PROBES.get(situation, _narrowed)
        return drawn(), photograph("grace-hopper-card")

    def refused_pictures(self, declared: ImageLimits) -> Mapping[str, Image]:
        """A HEIC: the engine does not decode it, and has no other limit.

        None where nothing is installed that reads one: it is refused by `Image` then.
        """
        try:
            import pillow_heif
        except ImportError:
            return {}
        import PIL.Image

        file = io.BytesIO()
        pillow_heif.from_pillow(PIL.Image.new("RGB", (64, 64))).save(file)
        return {"format": Image.from_bytes(file.getvalue())}


class _Ear(Engine):
    """The engine of this process, with an ear at its door. Closing it closes nothing.

    Attributes:
        calls: How many calls were begun.
        received: What the engine was given for the last one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self.calls = 0
        self.received: dict[str, Any] = {}

    def begin(self) -> None:
        """Count one call."""
        with self._lock:
            self.calls += 1
            self.received = {}

    def load(self) -> None:
        _engine().load()

    def close(self) -> None:
        """Nothing: the other doubles use it, too."""

    def look(self, data: bytes, *, rotate: bool = False) -> Found:
        with self._lock:
            place = "reference" if "probe" in self.received else "probe"
            self.received |= {place: data, "rotate": rotate}
        return _engine().look(data, rotate=rotate)


class _Counted(LocalBackend):
    """The backend, whose calls are counted."""

    _engine: _Ear

    def match(self, call: MatchCall) -> MatchResult:
        self._engine.begin()
        return super().match(call)


@functools.cache
def _narrowed() -> Image:
    """Her portrait, narrowed by a fifth: the same person, with a score short of the very top."""
    whole = photograph("grace-hopper").to_pil()
    return Image.from_pil(whole.resize((whole.width * 4 // 5, whole.height)))


@functools.cache
def _turned() -> Image:
    return Image.from_pil(photograph("grace-hopper").to_pil().transpose(Pillow.Transpose.ROTATE_90))


@functools.cache
def _side_by_side() -> Image:
    left, right = (photograph(name).to_pil() for name in ("grace-hopper", "eileen-collins"))
    both = Pillow.new("RGB", (left.width + right.width, max(left.height, right.height)))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return Image.from_pil(both)


_PROBES: dict[Situation, Callable[[], Image]] = {
    Situation.DIFFERENT_PEOPLE: functools.partial(photograph, "eileen-collins"),
    Situation.NO_FACE: functools.partial(photograph, "no-face-cat"),
    Situation.TWO_FACES: _side_by_side,
    Situation.TURNED: _turned,
}
