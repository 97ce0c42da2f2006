"""From --store to a journal of comparisons."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from facematch_core.comparison.running import Journal

Command = TypeVar("Command", bound=Callable[..., Any])

#: Where answers go unless told otherwise.
STORE = "study.sqlite3"


def store_option(command: Command) -> Command:
    """Where answers are written down."""
    option = click.option(
        "--store",
        metavar="URL",
        default=STORE,
        show_default=True,
        help="Where answers are written down: the name of an SQLite file, sqlite:///FILE, or "
        "postgresql+psycopg://...",
    )
    return option(command)


@contextlib.contextmanager
def journal_at(store: str, *, is_new: bool = False) -> Iterator[Journal]:
    """The journal at an address, closed at the end.

    Args:
        store: An address as SQLAlchemy reads it, or the name of a file.
        is_new: Whether a file that is not there is made.

    Raises:
        click.UsageError: there is no such file.
        ConfigurationError: it cannot be used.
    """
    from facematch_core.comparison.running import Journal

    address = store if "://" in store else f"sqlite:///{store}"
    kind, _, file = address.partition(":///")
    # A name that is mistyped would else become a new and empty store.
    is_file = kind.startswith("sqlite") and bool(file)
    if is_file and not is_new and not Path(file.partition("?")[0]).is_file():
        raise click.UsageError(f"--store: there is no file {file[:200]!r}.")
    journal = Journal(address)
    try:
        yield journal
    finally:
        journal.close()
