"""`facematch cards`: make test cards, read them, get the ready ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import attrs
import click

from facematch_core.base.files import is_stream, read_regular, write_file

from .cards import GENDERS, LOSSES, read_card
from .sheet import FileKind, make_card, sheet_files, write_sheet

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
_FILE = click.Path(path_type=Path)
#: Of a file that may be a card.
_MAX_BYTES = 1 << 25
_PERCENT = click.IntRange(0, 100)

#: What an ending says of the kind of file.
_KINDS: dict[str, FileKind] = {f".{kind.lower()}": kind for kind in get_args(FileKind)}
_KINDS |= {".jpg": "JPEG", ".tif": "TIFF"}


def _shown(name: str, kind: Any, metavar: str | None, default: Any, words: str) -> _Decorator:
    shown = {"default": default, "show_default": True}
    return click.option(name, type=kind, metavar=metavar, help=words, **shown)


@click.group("cards", short_help="Make and read test cards for the mock server.")
def command() -> None:
    """Test cards: pictures that tell the mock server what to see in them.

    \b
    facematch cards make --person p1 --out p1.png
    facematch cards read p1.png
    facematch cards sheet --out cards/   nineteen ready cards and a table
    """


# fmt: off
@command.command("make", short_help="Make one card.")
@click.option("--person", required=True, help="Who it is: 1-12 letters, digits, - or _.")
@_shown("--faces", click.IntRange(0, 4), "0-4", 1, "How many faces it shows.")
@_shown("--quality", _PERCENT, "0-100", 85, "Quality of the face.")
@_shown("--luminance", _PERCENT, "0-100", 55, "How bright it is.")
@_shown("--liveness", str, "0-100|none", "97", "Its liveness score; none: the vendor gives none.")
@click.option("--attack", is_flag=True, help="A presentation attack.")
@click.option("--age", type=int, help="In years; derived from the person if left out.")
@click.option("--gender", type=click.Choice(GENDERS), help="Derived from the person if left out.")
@click.option("--review", is_flag=True, help="Ask for a review by a person.")
@click.option("--score", type=float, metavar="0-100", help="The exact score of a comparison.")
@click.option("--status", type=int, metavar="400-599", help="Answer its calls with this status.")
@click.option("--retry-after", type=int, metavar="0-60", help="Beside --status, in seconds.")
@click.option("--delay", type=float, metavar="SECONDS", help="Answer its calls so much later.")
@click.option("--lost", metavar="WHEN", type=click.Choice(LOSSES),
    help=f"Reset the connection of its calls: {' or '.join(LOSSES)}.")
@click.option("--out", type=_FILE, required=True, help="The file; its suffix sets the format.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
def make(out: Path, force: bool, liveness: str, **facts: Any) -> None:
    """Make one card."""
    kind = _KINDS.get(out.suffix.lower())
    if kind is None:
        raise click.UsageError(f"--out must end in one of {', '.join(sorted(_KINDS))}.")
    try:
        facts["liveness"] = None if liveness == "none" else int(liveness)
    except ValueError:
        problem = f"--liveness must be 0-100 or none, not {liveness[:60]!r}."
        raise click.UsageError(problem) from None
    _refuse_present([out], force=force)
    try:
        data = make_card(**facts, kind=kind)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    write_file(out, data)
    click.echo(f"{_clean(str(out))} ({len(data)} bytes)")
# fmt: on


@command.command("read", short_help="Show what a card says.")
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def read(file: Path, as_json: bool) -> int:
    """Show what the card in FILE says; the exit code is 1 if it is not a card."""
    try:
        card = read_card(read_regular(file, _MAX_BYTES))
    except OSError as error:
        raise click.UsageError(f"The file {file} cannot be read: {error.strerror}.") from None
    facts = None if card is None else attrs.asdict(card)
    if as_json:
        click.echo(json.dumps({"card": facts}, indent=2))
    elif facts is None:
        click.echo("This is not a test card.", err=True)
    else:
        for name, value in facts.items():
            word = {"None": "-", "True": "yes", "False": "no"}.get(str(value), value)
            click.echo(f"{name:11} {word}")
    return 0 if facts else 1


@command.command("sheet", short_help="Write nineteen ready cards and a table of them.")
@click.option(
    "--out", type=_FILE, required=True, metavar="FOLDER", help="Created if it does not exist."
)
@click.option("--force", is_flag=True, help="Overwrite files.")
def sheet(out: Path, force: bool) -> None:
    """Write nineteen ready cards, and a table of what each gives, into a folder."""
    names = sheet_files()
    _refuse_present([out / name for name in names], force=force)
    out.mkdir(parents=True, exist_ok=True)
    write_sheet(out)
    click.echo(f"{len(names) - 1} cards and {names[-1]} are in {_clean(str(out))}.")


def _refuse_present(files: list[Path], *, force: bool) -> None:
    present = next((file for file in files if file.exists() and not is_stream(file)), None)
    if present is not None and not force:
        raise click.UsageError(f"{_clean(str(present))} exists; --force overwrites it.")


def _clean(text: str) -> str:
    """`text` without what could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
