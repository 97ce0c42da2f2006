"""`facematch cards make`: write a test card to a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from facematch_core.base.files import is_stream, write_file

from .cards import GENDERS, LOSSES
from .sheet import FileKind, make_card

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
_PERCENT = click.IntRange(0, 100)
#: The file formats by suffix.
_KINDS: dict[str, FileKind] = {f".{kind.lower()}": kind for kind in get_args(FileKind)}
_KINDS |= {".jpg": "JPEG", ".tif": "TIFF"}


def _option(name: str, kind: object, metavar: str | None, default: object, text: str) -> _Decorator:
    """Return an option whose help shows its default."""
    return click.option(
        name, type=kind, metavar=metavar, help=text, default=default, show_default=True
    )


@click.group("cards", short_help="Make test cards for the mock server.")
def command() -> None:
    """Test cards: pictures that encode the results that the mock server returns for them.

    \b
    facematch cards make --person p1 --out p1.png

    A running mock serves ready cards: /__mock__/cards/p1.png, and p1-again, p2, no-face,
    two-faces and spoof.
    """


# fmt: off
@command.command("make", short_help="Make one card.")
@click.option("--person", required=True, help="The person's name: 1-12 letters, digits, - or _.")
@_option("--faces", click.IntRange(0, 4), "0-4", 1, "Number of faces.")
@_option("--quality", _PERCENT, "0-100", 85, "Quality of the face.")
@_option("--luminance", _PERCENT, "0-100", 55, "Brightness of the face.")
@_option("--liveness", str, "0-100|none", "97", "Liveness score; none for no score.")
@click.option("--attack", is_flag=True, help="A presentation attack.")
@click.option("--age", type=int, help="Age in years. Default: derived from the person.")
@click.option("--gender", type=click.Choice(GENDERS), help="Default: derived from the person.")
@click.option("--review", is_flag=True, help="Comparisons need a manual review.")
@click.option("--score", type=float, metavar="0-100", help="Exact score of a comparison.")
@click.option("--status", type=int, metavar="400-599", help="Status of calls with the card.")
@click.option("--retry-after", type=int, metavar="0-60", help="Seconds; requires --status.")
@click.option("--delay", type=float, metavar="SECONDS", help="Delay of calls with the card.")
@click.option("--lost", metavar="WHEN", type=click.Choice(LOSSES),
    help=f"Reset the connection of calls with the card: {' or '.join(LOSSES)}.")
@click.option("--out", type=click.Path(path_type=Path), required=True,
    help="Output file; the suffix selects the format.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
def make(out: Path, force: bool, liveness: str, **facts: Any) -> None:
    """Make a card."""
    kind = _KINDS.get(out.suffix.lower())
    # Without the quotes.
    printable_path = ascii(str(out))[1:-1]
    if kind is None:
        raise click.UsageError(f"--out must end in one of {', '.join(sorted(_KINDS))}.")
    try:
        facts["liveness"] = None if liveness == "none" else int(liveness)
    except ValueError:
        problem = f"--liveness must be 0-100 or none, not {liveness[:60]!r}."
        raise click.UsageError(problem) from None
    if out.exists() and not is_stream(out) and not force:
        raise click.UsageError(f"{printable_path} exists; --force overwrites it.")
    try:
        data = make_card(**facts, kind=kind)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    write_file(out, data)
    click.echo(f"{printable_path} ({len(data)} bytes)")
# fmt: on
