"""What a worker of a Dask cluster does: it embeds pictures that were sent to it, in memory only.

Light, because every worker imports it. Nothing here raises what Dask would see: Dask writes a task
that fails into the worker's log.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from facematch_core import __version__
from facematch_core.config import Plan
from facematch_core.errors import ConfigurationError, FaceMatchError, InvalidImage
from facematch_core.images import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facematch_core.backend import Backend

#: An engine that nobody has used for so long, in seconds, belongs to a run that is gone.
IDLE_S: Final = 60.0


@attrs.frozen(kw_only=True)
class Recipe:
    """An engine, and what it is where the run began.

    Attributes:
        token: Of the run: each worker process opens the engine once for it.
        backend: Its name.
        settings: Those that are not its defaults.
        version: Of facematch.
        diagnosis: What the engine says of its models and libraries, as text.
    """

    token: str
    backend: str
    settings: Mapping[str, Any] = attrs.field(repr=False)
    version: str
    diagnosis: Mapping[str, str]

    @classmethod
    def of(cls, token: str, backend: Backend, settings: Mapping[str, Any]) -> Recipe:
        """Of an engine that is open."""
        return cls(
            token=token,
            backend=backend.name,
            settings=settings,
            version=__version__,
            diagnosis={name: str(value) for name, value in backend.diagnose().items()},
        )


@attrs.frozen(kw_only=True)
class Parcel:
    """Pictures on their way to a worker.

    Attributes:
        recipe: How to embed them.
        pictures: Their bytes, ready for the engine.
        key: For `veiled`, drawn for this parcel alone.
    """

    recipe: Recipe
    pictures: tuple[bytes, ...] = attrs.field(repr=False)
    key: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Reply:
    """What came of a parcel.

    Attributes:
        rows: Float64 of the embeddings, `veiled`; empty with a refusal.
        shape: Of the array.
        refusal: Why the worker embeds nothing; None if it did.
    """

    rows: bytes = attrs.field(default=b"", repr=False)
    shape: tuple[int, int] = (0, 0)
    refusal: str | None = None

    def opened(self, key: bytes) -> NDArray[np.float64]:
        """The embeddings: float64, (N, D), read-only; a row of NaN for a picture without one."""
        return np.frombuffer(veiled(self.rows, key), np.float64).reshape(self.shape)


def veiled(data: bytes, key: bytes) -> bytes:
    """`data` made unreadable by a key, or readable again.

    Dask may write results to a worker's disk when memory gets scarce. The key travels with the
    pictures and stays in memory, so that what is written is noise.
    """
    pad = np.frombuffer(hashlib.shake_256(key).digest(len(data)), np.uint8)
    return (np.frombuffer(data, np.uint8) ^ pad).tobytes()


def embed(parcel: Parcel) -> Reply:
    """Embed pictures, by the engine of this process."""
    try:
        with _ENGINES.opened(parcel.recipe) as backend:
            rows = stacked([_row(backend, data) for data in parcel.pictures])
    except FaceMatchError as error:
        return Reply(refusal=error.message)
    except Exception as error:  # noqa: BLE001 - Dask would log the task
        return Reply(refusal=f"The backend {parcel.recipe.backend} failed: {type(error).__name__}.")
    return Reply(rows=veiled(rows.tobytes(), parcel.key), shape=rows.shape)


def forget(token: str) -> None:
    """Close the engine of a run, and with it what it remembers of faces."""
    _ENGINES.forget(token)


def embedding_of(backend: Any, image: Image) -> NDArray[np.float64]:
    """The embedding of one picture, ready for the backend: float64, (D,); NaN without a face.

    Raises:
        InvalidImage: it cannot be used.
    """
    row: NDArray[np.float64] = backend.embeddings([image], max_workers=1)[0]
    return row


def stacked(found: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64]:
    """Embeddings as one array, (N, D); a row of NaN for None."""
    width = max((len(one) for one in found if one is not None), default=1)
    rows = np.full((len(found), width), np.nan)
    for row, one in zip(rows, found, strict=True):
        if one is not None:
            row[:] = one
    return rows


def _row(backend: Backend, data: bytes) -> NDArray[np.float64] | None:
    try:
        return embedding_of(backend, Image.from_bytes(data))
    except InvalidImage:
        return None


@attrs.define
class _Open:
    """An engine, how many threads use it, when it was used last, and whether to close it then."""

    backend: Backend
    users: int = 0
    used_at: float = 0.0
    is_over: bool = False


class Engines:
    """The engines of this process, one for each run. Safe across threads.

    Args:
        monotonic: Seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._open: dict[str, _Open] = {}

    @contextlib.contextmanager
    def opened(self, recipe: Recipe) -> Iterator[Backend]:
        """The engine of a run, opened by the first who needs it.

        Raises:
            FaceMatchError: it cannot be opened, or is not the one that the run began with.
        """
        with self._lock:
            self._close_idle()
            one = self._open.get(recipe.token)
            if one is None:
                one = self._open[recipe.token] = _Open(_open(recipe))
            one.users += 1
        try:
            yield one.backend
        finally:
            with self._lock:
                one.users -= 1
                one.used_at = self._monotonic()
                self._close(one)

    def forget(self, token: str) -> None:
        """Close the engine of a run; if it is in use, after that."""
        with self._lock:
            one = self._open.pop(token, None)
            if one is not None:
                one.is_over = True
                self._close(one)

    def _close_idle(self) -> None:
        """A process that was killed could not say that its run was over."""
        before = self._monotonic() - IDLE_S
        for token, one in list(self._open.items()):
            if not one.users and one.used_at < before:
                del self._open[token]
                one.is_over = True
                self._close(one)

    @staticmethod
    def _close(one: _Open) -> None:
        if one.is_over and not one.users:
            one.backend.close()


_ENGINES: Final = Engines()


def _open(recipe: Recipe) -> Backend:
    _check("facematch", __version__, recipe.version)
    backend = Plan.of(recipe.backend, recipe.settings).open_backend()
    here = Recipe.of(recipe.token, backend, recipe.settings).diagnosis
    try:
        for name in sorted({*here, *recipe.diagnosis}):
            _check(name, here.get(name, "not told"), recipe.diagnosis.get(name, "not told"))
    except ConfigurationError:
        backend.close()
        raise
    return backend


def _check(name: str, here: str, there: str) -> None:
    if here != there:
        raise ConfigurationError(
            f"{name} is {here[:100]!r} there and {there[:100]!r} where the run was started: scores "
            "could differ. Install the same versions."
        )
