"""Pictures are embedded by the workers of a Dask cluster; answers are made and written here.

Only for engines of our own machines: a call that may be charged is never a task, because Dask runs
a task again whenever it is in doubt.
"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import attrs

from facematch_core._secrets import Secret
from facematch_core._settings import fields_of
from facematch_core.comparison import _worker
from facematch_core.errors import ConfigurationError, InvalidImage

from ._embedding import BATCH, Embedder, prepared

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facematch_core.backend import Backend

    from ._turn import Turn

#: Pictures of one task, and their bytes unless one alone is larger: tenths of a second of work.
PICTURES, BYTES = 8, 4 << 20

#: Tasks of each thread that are under way: one is worked on while the next is sent.
TASKS: Final = 2

#: Pairs that are claimed at a time for each thread of the cluster, and the most of them.
PAIRS, MOST_PAIRS = 32, 4096

#: How long, in seconds, a scheduler may take to answer, and how long no worker may be there.
CONNECT_S, PATIENCE_S = 15.0, 60.0

#: How long, in seconds, is waited before somebody who wants to stop is heard.
_POLL_S: Final = 0.5

MISSING: Final = (
    'A Dask cluster needs {name}, which is not installed: pip install "facematch-core[cluster]".'
)


class Cluster:
    """A Dask cluster that embeds pictures, for `StudyRun.run`. A context manager.

    Pictures travel to its workers: use ``tls://``, or a network of your own. They are held there in
    memory, never in a file; each worker process opens the engine by its name, once for a run, and
    must have the same versions of facematch and of the engine. A worker that dies changes nothing:
    Dask embeds its pictures again. The cluster sees no names of files or people, no pair and no
    score.

    Args:
        address: Of the scheduler, for example ``tls://10.0.0.1:8786``; certificates are those of
            Dask's own configuration.

    Raises:
        ConfigurationError: Dask is not installed, or no scheduler answers there.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise ConfigurationError(MISSING.format(name=error.name)) from None
        self.address = address
        self._tokens: set[str] = set()
        try:
            self._client: Any = Client(  # type: ignore[no-untyped-call]  # Dask's own
                address, timeout=CONNECT_S, set_as_default=False, name="facematch"
            )
        except Exception as error:  # noqa: BLE001 - Dask raises many kinds for a wrong address
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        else:
            return
        raise ConfigurationError(f"No Dask scheduler can be used at {address[:200]!r} ({reason}).")

    @property
    def workers(self) -> dict[str, int]:
        """Address of each worker that is there now to the number of its threads.

        Raises:
            ConfigurationError: the scheduler is gone.
        """
        with self._heard():
            return dict(self._client.nthreads())

    @property
    def is_here(self) -> bool:
        """Whether scheduler and workers are all on this machine, as their addresses tell."""
        return all(_is_loopback(address) for address in (self.address, *self.workers))

    @property
    def is_encrypted(self) -> bool:
        """Whether the scheduler and every worker speak TLS."""
        spoken = (self._client.scheduler.address, *self.workers)
        return all(str(address).startswith("tls://") for address in spoken)

    def of(self, turn: Turn) -> Embedder:
        """What embeds the pictures of one contender.

        Raises:
            ConfigurationError: its backend cannot be opened elsewhere.
        """
        token = uuid.uuid4().hex
        recipe = recipe_of(turn.contender.verifier.backend, token)
        self._tokens.add(token)
        pairs = min(max(BATCH, PAIRS * sum(self.workers.values())), MOST_PAIRS)
        return Embedder(embed=_There(self, turn, recipe), batch=pairs)

    def close(self) -> None:
        """Have the workers close their engines, and hang up. May be called more than once."""
        tokens, self._tokens = self._tokens, set()
        with contextlib.suppress(Exception):  # a cluster that is gone has forgotten
            for token in tokens if self._is_connected else ():
                self._client.run(_worker.forget, token)
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    # What tasks need

    def send(self, parcel: _worker.Parcel) -> Any:
        """A task; its future."""
        import dask

        # A single picture may be larger than what Dask warns of.
        size = 2 * sum(map(len, parcel.pictures)) + (1 << 20)
        quiet = {"distributed.admin.large-graph-warning-threshold": size} if size > BYTES else {}
        with self._heard(), dask.config.set(quiet):
            return self._client.submit(
                _worker.embed, parcel, key=f"facematch-embed-{uuid.uuid4().hex}", pure=False
            )

    def ended(self, futures: Sequence[Any]) -> list[Any]:
        """Those that have come to an end, after a moment; none if there is none yet.

        Raises:
            ConfigurationError: the scheduler is gone.
        """
        from distributed import wait

        with self._heard(), self._client.as_current():
            try:
                told = wait(futures, timeout=_POLL_S, return_when="FIRST_COMPLETED")  # type: ignore[no-untyped-call]  # Dask's own
            except TimeoutError:
                return []
            return list(told.done)

    def reply(self, future: Any) -> _worker.Reply | None:
        """What a task came to; None if its worker died with it, and it is done again.

        Raises:
            ConfigurationError: it came to nothing.
        """
        with self._heard():
            try:
                error = future.exception(timeout=_POLL_S)
                if error is None:
                    reply: _worker.Reply = future.result(timeout=_POLL_S)
                    return reply
            except TimeoutError:
                return None
        if type(error).__name__ == "KilledWorker":
            raise ConfigurationError(
                f"Several workers at {self.address} died of the same pictures: have they enough "
                "memory? What is not answered stays free: the same command goes on from there."
            )
        raise ConfigurationError(
            f"A worker at {self.address} cannot embed ({type(error).__name__}): every worker needs "
            'pip install "facematch-core[cluster]" and the backend.'
        )

    def drop(self, futures: Sequence[Any]) -> None:
        """Let go of tasks, done or not, and of the pictures in them."""
        with contextlib.suppress(Exception):  # nothing is lost with them
            if futures and self._is_connected:
                self._client.cancel(list(futures))

    @property
    def _is_connected(self) -> bool:
        return bool(self._client.status == "running")

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        try:
            yield
        except (OSError, CancelledError) as error:
            reason = type(error).__name__
        else:
            return
        raise ConfigurationError(
            f"The Dask scheduler at {self.address} is gone ({reason}). What is not answered stays "
            "free: the same command goes on from there."
        )


class _There:
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
        self._alone_s = 0.0 if ended or self._cluster.workers else self._alone_s + _POLL_S
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
    from facematch_core._registry import backend_class

    if backend_class(backend.name) is not type(backend):
        raise ConfigurationError(
            f"The backend {backend.name} is not the one that is installed under this name, which "
            "is what workers open."
        )
    return _worker.Recipe.of(token, backend, settings)


def _settings_of(backend: Backend) -> Iterator[tuple[str, Any, Any]]:
    """Name, value and default of each setting."""
    declared: Mapping[str, tuple[Any, Any]] = fields_of(type(backend))
    if not declared:
        return
    known: Any = type(backend)
    for field in attrs.fields(known):
        name = field.alias or field.name
        if name in declared:
            yield name, getattr(backend, field.name), declared[name][1]


def _is_loopback(address: str) -> bool:
    place = urlsplit(address if "://" in address else f"tcp://{address}")
    try:
        is_loopback = ipaddress.ip_address(place.hostname or "").is_loopback
    except ValueError:
        is_loopback = place.hostname == "localhost"
    return is_loopback or place.scheme == "inproc"
