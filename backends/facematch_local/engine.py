"""The engine: loaded at its first use, shared by threads and engines, usable after a fork.

Importing this module is cheap; dlib, ONNX Runtime and numpy come with the first picture.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, NoReturn

from facematch_core.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .faces import PictureFaces
    from .recognition import Parts

#: What the open engines of a process share, by the id of the process: what its parent loaded is not
#: for the child of a fork. With the last engine it is gone.
_shared: weakref.WeakValueDictionary[int, Parts] = weakref.WeakValueDictionary()


class _Models:
    """What one process has loaded."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.parts: Parts | None = None


class Engine:
    """Finds faces and computes embeddings; safe across threads, about 100 MB for all of them."""

    def __init__(self) -> None:
        self._inherited: list[_Models] = []
        self._last_models = _Models()

    def load(self) -> None:
        """Load the models now, about half a second, rather than with the first picture."""
        self._load()

    def close(self) -> None:
        """Give the memory back, if no other engine needs it. The next call loads again."""
        self.models.parts = None

    def look(self, data: bytes, *, rotate: bool = False) -> PictureFaces:
        """Faces of a picture, embedding of the largest; `rotate` takes four times as long."""
        return self._load().look(data, rotate=rotate)

    def cut(
        self, data: bytes, *, rotate: bool = False
    ) -> tuple[PictureFaces, NDArray[np.uint8] | None]:
        """As `look`, with the chip of the largest face (150 x 150, RGB) for its embedding."""
        return self._load().cut(data, rotate=rotate)

    def embed_chips(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The embeddings of many chips of `cut`, a little faster than one by one."""
        return self._load().embed_chips(chips)

    @property
    def models(self) -> _Models:
        """Those of this process."""
        inherited = self._last_models
        if inherited.pid != os.getpid():
            # Another thread of the parent may have been inside of the models, or loading them, when
            # the process forked: its locks stay locked in this child for ever. So what the parent
            # loaded is not used again, and not given back either, because that takes locks too.
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
                        f"The local backend needs {error.name or error}; "
                        "pip install -e '.[local]' in the checkout brings it."
                    ) from error
                _shared[os.getpid()] = models.parts = Parts()
            return models.parts

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an Engine cannot be pickled; each process has its own")
