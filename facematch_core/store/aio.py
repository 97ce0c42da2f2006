"""`AsyncCase`: what the async cases of checks and of sessions have in common."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import sys
import threading
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

import anyio
import attrs

from facematch_core.errors import FaceMatchError, InvalidRequest

from .decisions import ReviewDecision
from .table import Case, Judged, Use

C = TypeVar("C", bound=Case)
F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])


class Unawaited(Coroutine[Any, Any, Any]):
    """A coroutine without a truth value, because without ``await`` it would be true.

    Only asyncio may ask for it: from Python 3.12 on, it tests a task's coroutine in ``repr``.
    """

    def __init__(self, coroutine: Any, name: str) -> None:
        self._coroutine: Coroutine[Any, Any, Any] = coroutine
        self.__name__ = self.__qualname__ = coroutine.__qualname__ = name

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()

    def __bool__(self) -> bool:
        module = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001
        if module.partition(".")[0] == "asyncio":
            return True
        raise TypeError(
            f"{self.__qualname__} was not awaited, so it has done nothing and has no truth value: "
            "write await before it."
        )


def as_async(method: F) -> F:
    """Mark a method that returns a coroutine, so that frameworks await it like an ``async def``."""
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(method)
    vars(method)["_is_coroutine"] = vars(asyncio.coroutines)["_is_coroutine"]
    return method


def _asynchronous(connection: Any) -> Any:
    """Return a connection of the caller; raise `InvalidRequest` if it is not asynchronous."""
    if inspect.iscoroutinefunction(getattr(connection, "run_sync", None)):
        return connection
    raise InvalidRequest(
        "connection must be an AsyncConnection or AsyncSession of SQLAlchemy itself, not "
        f"{type(connection).__name__}: `await case.use(connection=session)`."
    )


@attrs.frozen(kw_only=True, repr=False)
class AsyncCase(Generic[C]):
    """A case with async methods, which run in threads.

    Attributes:
        case: The wrapped case.
    """

    case: C
    #: `Awaited._call` of the store.
    _call: Callable[..., Coroutine[Any, Any, Any]]

    @property
    def _verifier(self) -> C:
        return self.case

    @property
    def subject_ref(self) -> str:
        """See `VerificationCase`."""
        return self.case.subject_ref

    @property
    def purpose(self) -> str:
        """See `VerificationCase`."""
        return self.case.purpose

    @property
    def about(self) -> str | None:
        """See `VerificationCase`."""
        return self.case.about

    @as_async
    def decide(
        self, *, evidence: str, accept: bool, by: str, reason: str, connection: object = None
    ) -> Coroutine[Any, Any, ReviewDecision]:
        """Store what a person decided; see `CheckCase.decide`.

        Args:
            evidence, accept, by, reason: See `CheckCase.decide`.
            connection: An AsyncConnection or AsyncSession of SQLAlchemy, with an open transaction.
        """
        decide = functools.partial(
            self.case.decide, evidence=evidence, accept=accept, by=by, reason=reason
        )
        if connection is None:
            decided = self._call(decide)
        else:
            decided = _asynchronous(connection).run_sync(lambda sync: decide(connection=sync))
        return Unawaited(decided, f"{type(self).__name__}.decide")

    def _use(self, connection: Any, **terms: Any) -> Unawaited:
        """Return the coroutine of `use`. A connection that is not asynchronous is refused here."""
        judge = functools.partial(self.case._judge, self._table, **terms)  # noqa: SLF001
        if connection is None:
            use = self._use_alone(judge)
        else:
            use = self._use_on(_asynchronous(connection), judge)
        return Unawaited(use, f"{type(self).__name__}.use")

    @property
    def _table(self) -> Any:
        return self.case._store._table  # noqa: SLF001

    async def _use_on(self, connection: Any, judge: Callable[[], Judged]) -> Use:
        """Judge in a thread, outside the caller's transaction; then mark inside it."""
        judged = await self._call(judge)
        return Use(await connection.run_sync(lambda sync: judged.store(self._table.on(sync))))

    async def _use_alone(self, judge: Callable[[], Judged]) -> Use:
        """Use in a thread. If the ``await`` is cancelled, nobody acts on it, so undo it."""
        database = self._table.database
        lock = threading.Lock()
        is_cancelled = False
        undo: list[Callable[[Any], object]] = []

        def use() -> Use:
            """Judge and mark in this thread.

            Undo the mark if the caller was cancelled meanwhile.
            """
            judged = judge()
            used = judged.store(self._table)
            if used:
                with lock:
                    undo.append(functools.partial(judged.unmark, self._table))
                    if not is_cancelled:
                        return used
                database.run_or_postpone(*undo)
            return used

        try:
            return Use(await self._call(use))
        except anyio.get_cancelled_exc_class():
            with lock:
                is_cancelled = True
                # A second cancellation may end the next lines, so the next transaction undoes it.
                database.pending_writes += undo
            with anyio.CancelScope(shield=True), contextlib.suppress(FaceMatchError):
                if undo:
                    await self._call(database.run, lambda _: None)
            raise

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.case!r})"
