"""The engine, which loads the models lazily and shares them across threads. Safe after a fork.

Importing this module is cheap: OpenCV and numpy are imported when the models are loaded.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, NoReturn

from facematch_core.base.extras import install_command
from facematch_core.errors import ConfigurationError

if TYPE_CHECKING:
    from .faces import PictureFaces
    from .recognition import Parts

#: Loaded models, keyed by process id so that a forked child does not use its parent's models. Open
#: engines share them, and they are freed with the last engine.
_shared: weakref.WeakValueDictionary[int, Parts] = weakref.WeakValueDictionary()


class _Models:
    """The models that one process has loaded."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.parts: Parts | None = None


class Engine:
    """Finds faces and computes embeddings. Thread-safe; all engines of a process share the models.

    The models take about 100 MB, plus about 10 MB per thread that processes a picture.
    """

    def __init__(self) -> None:
        self._inherited: list[_Models] = []
        self._last_models = _Models()

    def load(self) -> None:
        """Load the models now instead of on first use. Takes about half a second."""
        self._load()

    def close(self) -> None:
        """Free the models unless another engine uses them. The next call reloads them."""
        self.models.parts = None

    def look(self, data: bytes, *, rotate: bool = False) -> PictureFaces:
        """Find a picture's faces and embed the largest. `rotate` also tries 90-degree rotations."""
        return self._load().look(data, rotate=rotate)

    @property
    def models(self) -> _Models:
        """The models of this process."""
        inherited = self._last_models
        if inherited.pid != os.getpid():
            # A lock that another thread of the parent held during the fork is never released in the
            # child. So the child neither uses the parent's models nor frees them, because freeing
            # them acquires locks, too.
            self._inherited.append(inherited)
            self._last_models = _Models()
        return self._last_models

    def _load(self) -> Parts:
        """Return the models, loaded once in a process.

        Raise ConfigurationError if OpenCV is missing.
        """
        models = self.models
        parts = models.parts
        if parts is not None:
            return parts
        with models.lock:
            if models.parts is None:
                models.parts = _shared.get(os.getpid())
            if models.parts is None:
                try:
                    from .recognition import Parts
                except ImportError as error:
                    raise ConfigurationError(
                        f"The local backend cannot import {error.name or 'OpenCV'} ({error}). "
                        f"Install it: {install_command('local')}"
                    ) from error
                _shared[os.getpid()] = models.parts = Parts()
            return models.parts

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an Engine cannot be pickled; each process loads its own")
