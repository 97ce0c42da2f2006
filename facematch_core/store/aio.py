"""`AsyncCase`: what the async cases of checks and of sessions have in common."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

import anyio
import attrs

from facematch_core.errors import InvalidRequest

from .table import Case, Judged

C = TypeVar("C", bound=Case)


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

    def _use(self, connection: Any, **terms: Any) -> Coroutine[Any, Any, bool]:
        if connection is None:
            return self._use_alone(**terms)
        if not inspect.iscoroutinefunction(getattr(connection, "run_sync", None)):
            raise InvalidRequest(
                "connection must be an AsyncConnection or AsyncSession of SQLAlchemy, not "
                f"{type(connection).__name__}: call `await case.use(connection=session)` outside "
                "run_sync, or case.case.use with a synchronous connection."
            )
        return self._use_on(connection, **terms)

    async def _use_on(self, connection: Any, **terms: Any) -> bool:
        """Judge in a thread, outside the caller's transaction; mark in one UPDATE inside it."""
        table = self.case._store._table  # type: ignore[attr-defined]  # noqa: SLF001
        judged: Judged | None = await self._call(self.case._judge, table, **terms)  # type: ignore[attr-defined]  # noqa: SLF001
        if judged is None:
            return False
        marked: bool = await connection.run_sync(lambda sync: judged.mark(table.on(sync)))
        return marked

    async def _use_alone(self, **terms: Any) -> bool:
        """Use in a thread; if the ``await`` is cancelled, so that nobody hears of it, undo it."""
        table = self.case._store._table  # type: ignore[attr-defined]  # noqa: SLF001
        lock = threading.Lock()
        unheard: list[Judged] = []
        is_cancelled = False

        def use() -> bool:
            judged = self.case._judge(table, **terms)  # type: ignore[attr-defined]  # noqa: SLF001
            if judged is None or not judged.mark(table):
                return False
            with lock:
                if not is_cancelled:
                    unheard.append(judged)
                    return True
            judged.unmark(table)
            return False

        try:
            return bool(await self._call(use))
        except anyio.get_cancelled_exc_class():
            with lock:
                is_cancelled = True
            with anyio.CancelScope(shield=True):
                for judged in unheard:
                    await self._call(judged.unmark, table)
            raise

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.case!r})"
