"""The pictures of one contender, sent to the workers of a cluster; and what workers must know."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from facematch_core._basics import Secret
from facematch_core.comparison import _worker
from facematch_core.errors import ConfigurationError, InvalidImage
from facematch_core.plugins import backend_class
from facematch_core.settings import declared_settings

from ._embedding import prepared

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facematch_core.backend import Backend

    from ._cluster import Cluster
    from ._turn import Turn

#: Pictures of one task, and their bytes unless one alone is larger: tenths of a second of work.
PICTURES, BYTES = 8, 4 << 20

#: Tasks of each thread that are under way: one is worked on while the next is sent.
TASKS: Final = 2

#: How long, in seconds, no worker may be there.
PATIENCE_S: Final = 60.0


class There:
    """Embeds the pictures of one contender on a cluster."""

    def __init__(self, cluster: Cluster, turn: Turn, recipe: _worker.Recipe) -> None:
        self._cluster, self._turn, self._recipe = cluster, turn, recipe
        self._alone_s = 0.0

    def __call__(self, pictures: Sequence[Path]) -> NDArray[np.float64]:
        self._tell_privacy()
        found: list[NDArray[np.float64] | None] = [None] * len(pictures)
        waiting = self._parcels(pictures)
        under_way: dict[Any, tuple[list[int], bytes]] = {}
        room = TASKS * max(1, sum(self._cluster.workers.values()))
        try:
            while not self._turn.is_over:
                while len(under_way) < room and (following := next(waiting, None)) is not None:
                    places, parcel = following
                    under_way[self._cluster.send(parcel)] = places, parcel.key
                if not under_way:
                    break
                for future in self._ended([*under_way]):
                    reply = self._cluster.reply(future)
                    if reply is None:
                        continue
                    places, key = under_way.pop(future)
                    for place, row in zip(places, self._rows(reply, key), strict=True):
                        found[place] = row
        finally:
            self._cluster.drop([*under_way])
        # Somebody may have joined from elsewhere meanwhile.
        self._tell_privacy()
        return _worker.stacked(found)

    def _rows(self, reply: _worker.Reply, key: bytes) -> NDArray[np.float64]:
        if reply.refusal is not None:
            raise ConfigurationError(f"A worker at {self._cluster.address}: {reply.refusal}")
        return reply.opened(key)

    def _ended(self, futures: Sequence[Any]) -> list[Any]:
        ended = self._cluster.ended(futures)
        is_alone = not ended and not self._cluster.workers
        self._alone_s = self._alone_s + self._cluster.POLL_S if is_alone else 0.0
        if self._alone_s >= PATIENCE_S:
            raise ConfigurationError(
                f"The Dask cluster at {self._cluster.address} has no worker for {PATIENCE_S:.0f} "
                "seconds. What is not answered stays free: the same command goes on from there."
            )
        return ended

    def _parcels(self, pictures: Sequence[Path]) -> Iterator[tuple[list[int], _worker.Parcel]]:
        """Read when they are needed: of a large study few pictures are in memory at a time."""
        places: list[int] = []
        held: list[bytes] = []
        for place, path in enumerate(pictures):
            data = self._prepared(path)
            if data is None:
                continue
            if held and (len(held) == PICTURES or sum(map(len, held)) + len(data) > BYTES):
                yield places, self._parcel(held)
                places, held = [], []
            places.append(place)
            held.append(data)
        if held:
            yield places, self._parcel(held)

    def _parcel(self, held: Sequence[bytes]) -> _worker.Parcel:
        return _worker.Parcel(
            recipe=self._recipe, pictures=tuple(held), key=secrets.token_bytes(32)
        )

    def _prepared(self, path: Path) -> bytes | None:
        """As the engine gets it here: private data stay here, too."""
        try:
            return prepared(self._turn, path).data
        except InvalidImage:
            return None

    def _tell_privacy(self) -> None:
        if self._cluster.is_here:
            return
        how = "encrypted" if self._cluster.is_encrypted else "not encrypted"
        self._turn.journal.tell_privacy(
            self._turn.stored.number,
            f"Each picture was sent to workers of a Dask cluster, {how}, and held there in memory "
            "only; nobody else was asked.",
        )


def recipe_of(backend: Backend, token: str) -> _worker.Recipe:
    """What a worker needs to know to open the same engine.

    Raises:
        ConfigurationError: a setting is a secret, or its class is not the one of its name.
    """
    settings = {}
    for name, value, default in _settings_of(backend):
        if isinstance(value, Secret):
            raise ConfigurationError(
                f"The backend {backend.name} has a secret, {name}, which is not sent to workers."
            )
        if value != default:
            settings[name] = value
    if backend_class(backend.name) is not type(backend):
        raise ConfigurationError(
            f"The backend {backend.name} is not the one that is installed under this name, which "
            "is what workers open."
        )
    return _worker.Recipe.of(token, backend, settings)


def _settings_of(backend: Backend) -> Iterator[tuple[str, Any, Any]]:
    """Name, value and default of each setting."""
    declared: Mapping[str, tuple[Any, Any]] = declared_settings(type(backend))
    if not declared:
        return
    known: Any = type(backend)
    for field in attrs.fields(known):
        name = field.alias or field.name
        if name in declared:
            yield name, getattr(backend, field.name), declared[name][1]
