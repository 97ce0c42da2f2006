"""The engine: loads the models at first use, shares them across threads, survives a fork.

Importing this module is cheap; OpenCV and numpy are imported with the first picture.
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

#: Loaded models by process id, shared by the open engines and freed with the last of them. The key
#: keeps a forked child from using the models of its parent.
_shared: weakref.WeakValueDictionary[int, Parts] = weakref.WeakValueDictionary()


class _Models:
    """The models that one process has loaded."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.parts: Parts | None = None


class Engine:
    """Finds faces and computes embeddings. Thread-safe; all engines of a process share the models.

    The models take about 100 MB, and each thread that looks at a picture about 10 MB more.
    """

    def __init__(self) -> None:
        self._inherited: list[_Models] = []
        self._last_models = _Models()

    def load(self) -> None:
        """Load the models now, about half a second, rather than with the first picture."""
        self._load()

    def close(self) -> None:
        """Free the models unless another engine uses them. The next call loads them again."""
        self.models.parts = None

    def look(self, data: bytes, *, rotate: bool = False) -> PictureFaces:
        """Find the faces of a picture and embed the largest; `rotate` also tries quarter turns."""
        return self._load().look(data, rotate=rotate)

    @property
    def models(self) -> _Models:
        """The models of this process."""
        inherited = self._last_models
        if inherited.pid != os.getpid():
            # Another thread of the parent may have held a lock of the models when the process
            # forked, and in the child it is never released. So the child neither uses nor frees
            # what the parent loaded; freeing takes locks, too.
            self._inherited.append(inherited)
            self._last_models = _Models()
        return self._last_models

    def _load(self) -> Parts:
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
