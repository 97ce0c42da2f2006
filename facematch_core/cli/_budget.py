"""What `facematch budget` finds: stores, sums, and attempts that are not settled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from facematch_core.errors import ConfigurationError

from ._opening import Where, opened

if TYPE_CHECKING:
    from facematch_core._interface import Verifier
    from facematch_core.store import AttemptStore, Entry, Standing


def store_at(address: str) -> AttemptStore:
    """A store that is there already: an address as SQLAlchemy reads it, or the name of a file.

    Raises:
        click.UsageError: there is no such file.
        ConfigurationError: it cannot be used.
    """
    from facematch_core.store import SqlAttempts

    if "://" not in address:
        address = f"sqlite:///{address}"
    kind, _, file = address.partition(":///")
    # A name that is mistyped would else become a new and empty store.
    if kind.startswith("sqlite") and file and not Path(file.partition("?")[0]).is_file():
        raise click.UsageError(f"--store: there is no file {file[:200]!r}.")
    return SqlAttempts(address)


@contextlib.contextmanager
def stores_of(store: str | None, where: Where) -> Iterator[list[AttemptStore]]:
    """The stores of --store, or of the profile's budgets.

    Raises:
        click.UsageError, ConfigurationError: there is none.
    """
    if store is not None:
        found = store_at(store)
        try:
            yield [found]
        finally:
            found.close()
        return
    with opened(where) as verifier:
        yield stores_in(verifier)


def stores_in(verifier: Verifier) -> list[AttemptStore]:
    """Where the budgets of a verifier, or of a failover's members, are remembered, each once.

    Raises:
        ConfigurationError: it has no budget, or only such as are gone with their process.
    """
    from facematch_core.gates import Budget
    from facematch_core.store import MemoryAttempts

    members: Any = getattr(verifier, "members", {"": verifier})
    budgets = [
        gate
        for member in members.values()
        for gate in member._attempts.gates  # noqa: SLF001 - the command line belongs to the core
        if isinstance(gate, Budget)
    ]
    if not budgets:
        raise ConfigurationError(
            "This profile has no budget: name one that has, or a store with --store."
        )
    lasting = [b.store for b in budgets if not isinstance(b.store, MemoryAttempts)]
    if not lasting:
        raise ConfigurationError(
            "The budget of this profile is remembered by each process for itself, so there is "
            "nothing to see: give it a store."
        )
    return list(dict.fromkeys(lasting))


@attrs.frozen(kw_only=True)
class Found:
    """What stores say now.

    Attributes:
        sums: Every sum, with the store that it is in.
        entries: What is reserved or unknown, likewise.
    """

    sums: list[tuple[AttemptStore, Standing]]
    entries: list[tuple[AttemptStore, Entry]]

    @classmethod
    def of(cls, stores: Sequence[AttemptStore], now: datetime) -> Found:
        """Read them; what processes that are gone left behind counts as unknown from now on."""
        from facematch_core.store import doubt_abandoned

        for store in stores:
            doubt_abandoned(store, now)
        return cls(
            sums=[(store, one) for store in stores for one in store.standings()],
            entries=[(store, one) for store in stores for one in store.open_entries()],
        )

    def current(self, now: datetime) -> list[Standing]:
        """Sums that still count, or that hold something to be settled."""
        return [one for _, one in self.sums if one.reserved or one.unknown or _lasts(one, now)]


def _lasts(standing: Standing, now: datetime) -> bool:
    ends_at = standing.key.ends_at
    # The run of one process is over with it; one with a name may go on.
    return "@" not in standing.key.window and (ends_at is None or now < ends_at)
