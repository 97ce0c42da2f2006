"""The file of a card: an older card is replaced, anything else is left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._files import check_target, write

if TYPE_CHECKING:
    from facematch_core.testing import Card


def check_card(out: Path) -> None:
    """Refuse a file that could not be written, or that is something else than a card.

    Raises:
        click.UsageError: the message tells which.
    """
    check_target("--out", out, force=True)
    if out.exists() and not _is_card(out):
        raise click.UsageError(
            f"{out} exists and is no card of facematch: name another file with --out."
        )


def write_card(out: Path, card: Card) -> None:
    """Write it as JSON."""
    write(out, (json.dumps(card.to_dict(), indent=2) + "\n").encode())


def _is_card(path: Path) -> bool:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("kind") == "card"
