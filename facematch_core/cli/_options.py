"""Options that several commands share, and how their text is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

PICTURE = click.Path(path_type=Path)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, errors included.")


def words(_context: click.Context, option: click.Parameter, given: Iterable[str]) -> dict[str, str]:
    """Read ``name=value``, given any number of times."""
    read: dict[str, str] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{word[:60]!r} is not name=value.", param=option)
        if name in read:
            raise click.BadParameter(f"{name[:60]!r} is given twice.", param=option)
        read[name] = value
    return read


def where(command: Command) -> Command:
    """Who is asked."""
    return _with(
        command,
        click.option(
            "--backend",
            metavar="NAME",
            help="The backend to ask; else the default profile, else `local`.",
        ),
        click.option("--profile", metavar="NAME", help="Instead: a profile of the configuration."),
        click.option(
            "--config",
            metavar="FILE",
            type=click.Path(),
            help="The configuration file; by default ./facematch.toml or the user's own.",
        ),
    )


def call(command: Command) -> Command:
    """What is asked for, whichever call it is."""
    return _with(
        command,
        click.option(
            "--threshold",
            type=float,
            metavar="0-100",
            help="Where a pass begins, on this backend's own scale.",
        ),
        click.option(
            "--review-threshold",
            type=float,
            metavar="0-100",
            help="A pass whose score is not above it becomes REVIEW.",
        ),
        click.option("--rotate", is_flag=True, help="Also try the pictures turned by 90 degrees."),
        click.option("--keep", is_flag=True, help="Ask the vendor to keep the call as a record."),
        click.option("--caller-ref", metavar="TEXT", help="Your own reference."),
        click.option(
            "--metadata",
            multiple=True,
            callback=words,
            metavar="NAME=VALUE",
            help="Your own data; may be repeated.",
        ),
        click.option(
            "-o",
            "vendor",
            multiple=True,
            callback=words,
            metavar="NAME=VALUE",
            help="An option of this backend alone; may be repeated.",
        ),
        as_json,
    )


picture = click.option(
    "--picture",
    type=PICTURE,
    metavar="OUT.png",
    help="Draw faces, score, threshold and decision into a PNG.",
)


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
