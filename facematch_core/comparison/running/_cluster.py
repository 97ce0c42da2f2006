"""Pictures are embedded by the workers of a Dask cluster; answers are made and written here.

Only for engines of our own machines: a call that may be charged is never a task, because Dask runs
a task again whenever it is in doubt.
"""

from __future__ import annotations

import contextlib
import ipaddress
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self
from urllib.parse import urlsplit

from facematch_core.comparison import _worker
from facematch_core.errors import ConfigurationError

from ._embedding import BATCH, Embedder
from ._sending import There, recipe_of

if TYPE_CHECKING:
    from ._turn import Turn

#: Pairs that are claimed at a time for each thread of the cluster, and the most of them.
PAIRS, MOST_PAIRS = 32, 4096

#: How long, in seconds, a scheduler may take to answer.
CONNECT_S: Final = 15.0

#: Dask warns of tasks of 10 MB; with fewer bytes of pictures none becomes so large.
_LARGE: Final = 8 << 20

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

    #: How long, in seconds, is waited before somebody who wants to stop is heard.
    POLL_S: ClassVar[float] = 0.5

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise ConfigurationError(MISSING.format(name=error.name)) from None
        self.address = address
        _check_certificates(address)
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
        return Embedder(embed=There(self, turn, recipe), batch=pairs)

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
        size = sum(map(len, parcel.pictures))
        limit = {"distributed.admin.large-graph-warning-threshold": 2 * size}
        quiet = limit if size > _LARGE else {}
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
                told = wait(futures, timeout=self.POLL_S, return_when="FIRST_COMPLETED")  # type: ignore[no-untyped-call]  # Dask's own
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
                error = future.exception(timeout=self.POLL_S)
                if error is None:
                    reply: _worker.Reply = future.result(timeout=self.POLL_S)
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


def _check_certificates(address: str) -> None:
    """Dask would say of certificates that are missing that a connection failed, and wait."""
    if not address.startswith("tls://"):
        return
    from distributed.security import Security

    known: Any = Security()  # type: ignore[no-untyped-call]  # Dask's own
    if known.get_connection_args("client")["ssl_context"] is None:
        raise ConfigurationError(
            f"{address[:200]} needs certificates: set distributed.comm.tls.ca-file, "
            "distributed.comm.tls.client.cert and distributed.comm.tls.client.key in Dask's own "
            "configuration (~/.config/dask/distributed.yaml)."
        )


def _is_loopback(address: str) -> bool:
    place = urlsplit(address if "://" in address else f"tcp://{address}")
    try:
        is_loopback = ipaddress.ip_address(place.hostname or "").is_loopback
    except ValueError:
        is_loopback = place.hostname == "localhost"
    return is_loopback or place.scheme == "inproc"
