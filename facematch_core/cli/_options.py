"""Options that several commands share, and how their text is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from ._named import check_name
from ._text import number

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)

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


def percentage(context: click.Context, option: click.Parameter, typed: str | None) -> float | None:
    """Read a number from 0 to 100, and ask about one that looks like a share of 1."""
    if typed is None:
        return None
    value = _within(option, typed, float, 0, 100)
    if not context.resilient_parsing:
        warn_of_share(option.opts[0], value)
    return value


def rate(_context: click.Context, option: click.Parameter, typed: str | None) -> float | None:
    """Read a rate: a number above 0 and at most 1."""
    if typed is None:
        return None
    try:
        value = float(typed)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise click.UsageError(
            f"{option.opts[0]} must be a rate above 0 and at most 1, such as 1e-3, not "
            f"{typed[:60]!r}."
        )
    return value


def warn_of_share(name: str, value: float) -> None:
    """Say on stderr that a threshold above 0 and up to 1 is hardly what was meant."""
    if 0 < value <= 1:
        click.echo(
            f"warning: {name} {number(value)} is on a scale of 0-100; "
            f"did you mean {number(100 * value)}?",
            err=True,
        )


def workers(_context: click.Context, option: click.Parameter, typed: str | None) -> int | None:
    """Read how many calls are made at a time."""
    if typed is None:
        return None
    return int(_within(option, typed, int, 1, 256))


def _within(
    option: click.Parameter,
    typed: str,
    kind: Callable[[str], float],
    low: int,
    high: int,
) -> float:
    try:
        value = kind(typed)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        called = "a whole number" if kind is int else "a number"
        raise click.UsageError(
            f"{option.opts[0]} must be {called} from {low} to {high}, not {typed[:60]!r}."
        )
    return value


def picture_file(
    _context: click.Context, argument: click.Parameter, typed: str | None
) -> Path | None:
    """Read the name of a picture's file; what is none is told in the words of a shell."""
    if typed is None:
        return None
    check_name("picture" if argument.name == "image" else str(argument.name), typed)
    return Path(typed)


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
            callback=percentage,
            metavar="0-100",
            help="Where a pass begins, on this backend's own scale.",
        ),
        click.option(
            "--review-threshold",
            callback=percentage,
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
    type=FILE,
    metavar="OUT.png",
    help="Draw faces, score, threshold and decision into a PNG.",
)


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
