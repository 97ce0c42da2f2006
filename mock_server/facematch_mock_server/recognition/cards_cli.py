"""`facematch cards make`: write a test card to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from facematch_core.cli.app import SuggestingGroup
from facematch_core.cli.files import refuse_unwritable, write_bytes
from facematch_core.cli.text import clean

from .sheet import FileKind, make_card

#: The file formats by suffix.
_KINDS: dict[str, FileKind] = {f".{kind.lower()}": kind for kind in get_args(FileKind)}
_KINDS |= {".jpg": "JPEG", ".tif": "TIFF"}


@click.group("cards", cls=SuggestingGroup, short_help="Make test cards for the mock server.")
def command() -> None:
    """Test cards: pictures that encode the results that the mock server returns for them.

    \b
    facematch cards make p1 --out p1.png

    A running mock serves ready cards: /__mock__/cards/p1.png, and p1-again, p2, no-face,
    two-faces and spoof.
    """


# fmt: off
@command.command("make", short_help="Make one card.")
@click.argument("person")
@click.option("--quality", type=click.IntRange(0, 100), metavar="0-100", default=85,
    show_default=True, help="Quality of the face.")
@click.option("--age", type=int, help="Age in years. Default: derived from the person.")
@click.option("--score", type=float, metavar="0-100", help="Exact score of a comparison.")
@click.option("--out", type=click.Path(path_type=Path), required=True,
    help="Output file; the suffix selects the format.")
def make(out: Path, **facts: Any) -> None:
    """Make a card of PERSON: a name of 1-12 letters, digits, - or _.

    \b
    facematch cards make p1 --quality 20 --out blurred.png

    `make_card` in Python has further facts, such as a spoof or a failing call.
    """
    kind = _KINDS.get(out.suffix.lower())
    if kind is None:
        raise click.UsageError(f"--out must end in one of {', '.join(sorted(_KINDS))}.")
    refuse_unwritable("--out", out, may_exist=False)
    try:
        data = make_card(**facts, kind=kind)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    write_bytes(out, data)
    click.echo(f"{clean(str(out))} ({len(data)} bytes)")
# fmt: on
