"""`AsyncCheckStore`: `CheckStore` for asyncio and trio."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import attrs

from facematch_core.base.threads import DEFAULT_CONCURRENCY
from facematch_core.errors import ConfigurationError
from facematch_core.store.aio import AsyncCase, as_async
from facematch_core.store.table import Use
from facematch_core.verifier.aio import Awaited, awaited

from .store import CheckCase, CheckStore


@attrs.frozen(kw_only=True, repr=False)
class AsyncCheckCase(AsyncCase[CheckCase]):
    """`CheckCase` with async methods, which run in threads: see `AsyncCheckStore.of`.

    If an ``await`` is cancelled after the first byte was sent, the check finishes in the
    background, and is stored: the next call with the same pictures returns its verdict.

    Attributes:
        case: The wrapped case.

    Example:
        >>> import asyncio
        >>> async def check():
        ...     store = CheckStore("sqlite:///shop.sqlite3", open_verifier("didit"))
        ...     async with AsyncCheckStore(store) as store:
        ...         login = store.of("customer-22", purpose="login", about=None)
        ...         return await login.verify_live(selfie, document)
        >>> print(asyncio.run(check()).decision)
        verified
    """

    verify = awaited(CheckCase.verify)
    """Compare two faces, once; see `CheckCase.verify`."""

    check_liveness = awaited(CheckCase.check_liveness)
    """Check one picture for a live face, once; see `CheckCase.check_liveness`."""

    verify_live = awaited(CheckCase.verify_live)
    """Check for a live face and compare, once; see `CheckCase.verify_live`."""

    @as_async
    def use(self, *, connection: object = None) -> Coroutine[Any, Any, Use]:
        """Return FIRST once, if the last verdict is a pass; see `CheckCase.use`.

        Args:
            connection: An AsyncConnection or AsyncSession of SQLAlchemy, with an open transaction:
                the check is judged outside it, and marked in it.
        """
        return self._use(connection)

    find = awaited(CheckCase.find)
    """Return the check that `use` judges; see `CheckCase.find`."""

    why_not = awaited(CheckCase.why_not)
    """Return all reasons why `use` would not be FIRST; see `CheckCase.why_not`."""

    reconcile = awaited(CheckCase.reconcile)
    """Search for the check with an unknown outcome; see `CheckCase.reconcile`."""

    give_up = awaited(CheckCase.give_up)
    """Allow a further check although an outcome is unknown; see `CheckCase.give_up`."""


class AsyncCheckStore(Awaited):
    """`CheckStore` with async methods, which run in threads. `of` stays synchronous.

    Works like `AsyncFaceVerifier`.

    Args:
        store: The store to call; closed together with this object.
        max_concurrency: Maximum number of threads, 1 to 1024, started on demand.

    Raises:
        ConfigurationError: an argument is invalid.

    Example:
        >>> import asyncio
        >>> async def check():
        ...     store = CheckStore("sqlite:///shop.sqlite3", open_verifier("didit"))
        ...     async with AsyncCheckStore(store) as store:
        ...         signup = store.of("customer-21", purpose="signup", about=None)
        ...         await signup.verify_live(selfie, document)
        ...         return await signup.use()
        >>> print(asyncio.run(check()))
        first
    """

    _verifier: CheckStore

    def __init__(self, store: CheckStore, *, max_concurrency: int = DEFAULT_CONCURRENCY) -> None:
        if not isinstance(store, CheckStore):
            raise ConfigurationError(
                f"AsyncCheckStore takes a CheckStore, not {type(store).__name__}."
            )
        super().__init__(store, store.verifier.runner, max_concurrency=max_concurrency)

    @property
    def store(self) -> CheckStore:
        """The wrapped store."""
        return self._verifier

    def of(self, subject_ref: str, *, purpose: str, about: str | None) -> AsyncCheckCase:
        """Return a case, whose methods are async; see `CheckStore.of`."""
        case = self._verifier.of(subject_ref, purpose=purpose, about=about)
        return AsyncCheckCase(case=case, call=self._call)

    unknown = awaited(CheckStore.unknown)
    """Return the checks with unknown outcomes; see `CheckStore.unknown`."""

    reconcile = awaited(CheckStore.reconcile)
    """Search for the checks with unknown outcomes; see `CheckStore.reconcile`."""

    erase = awaited(CheckStore.erase)
    """Delete all checks of a person; see `CheckStore.erase`."""

    export = awaited(CheckStore.export)
    """Return all that is stored of a person; see `CheckStore.export`."""

    forget = awaited(CheckStore.forget)
    """Delete old checks; see `CheckStore.forget`."""

    close_begun_before = awaited(CheckStore.close_begun_before)
    """Close unused checks after a restore; see `CheckStore.close_begun_before`."""
