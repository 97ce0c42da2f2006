"""`demo --copy-photographs`: the photographs of this package, for trying things out."""

from __future__ import annotations

from pathlib import Path

import click

from . import _exit
from ._cases import PACKAGED
from ._files import check_target, write
from ._text import clean

_OPTION = "--copy-photographs"


def copied(folder: Path) -> int:
    """Copy them into a folder, all or none, and say which. Returns the exit code.

    Raises:
        click.UsageError: one of them is there already, or the folder cannot be written.
    """
    pictures = sorted(PACKAGED.glob("*.jpg"))
    check_target(_OPTION, folder / pictures[0].name, force=True)
    there = [picture.name for picture in pictures if (folder / picture.name).exists()]
    if there:
        raise click.UsageError(
            f"{folder / there[0]} exists: name another folder with {_OPTION}; nothing was copied."
        )
    for picture in pictures:
        write(folder / picture.name, picture.read_bytes())
        click.echo(clean(str(folder / picture.name)))
    return _exit.OK
