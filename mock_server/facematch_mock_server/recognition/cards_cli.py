"""`facematch cards make`: write a test card to a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import click

from facematch_core.cli.app import SuggestingGroup
from facematch_core.cli.files import refuse_unwritable, write_bytes
from facematch_core.cli.options import parse_pairs
from facematch_core.cli.text import clean

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


#: How to read each value of --fault.
_FAULT_TYPES: dict[str, Callable[[str], Any]] = {
    "status": int,
    "retry_after": int,
    "delay": float,
    "lost": str,
}


def _parse_faults(
    context: click.Context, option: click.Parameter, typed: Iterable[str]
) -> dict[str, Any]:
    """Parse the values of --fault, such as ``status=503``. The card checks their ranges."""
    faults: dict[str, Any] = {}
    for name, text in parse_pairs(context, option, typed).items():
        if name not in _FAULT_TYPES:
            known = ", ".join(_FAULT_TYPES)
            raise click.BadParameter(f"{name[:60]!r} is not one of {known}.", param=option)
        try:
            faults[name] = _FAULT_TYPES[name](text)
        except ValueError:
            raise click.BadParameter(f"{name} is no number: {text[:60]!r}.", param=option) from None
    return faults


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
@_option("--faces", click.IntRange(0, 4), "0-4", 1, "Number of faces.")
@_option("--quality", _PERCENT, "0-100", 85, "Quality of the face.")
@_option("--luminance", _PERCENT, "0-100", 55, "Brightness of the face.")
@_option("--liveness", str, "0-100|none", "97", "Liveness score; none for no score.")
@click.option("--attack", is_flag=True, help="A presentation attack.")
@click.option("--age", type=int, help="Age in years. Default: derived from the person.")
@click.option("--gender", type=click.Choice(GENDERS), help="Default: derived from the person.")
@click.option("--review", is_flag=True, help="Comparisons need a manual review.")
@click.option("--score", type=float, metavar="0-100", help="Exact score of a comparison.")
@click.option("--fault", "faults", multiple=True, metavar="NAME=VALUE", callback=_parse_faults,
    help="A failure of calls with the card: status=400-599, perhaps with retry_after=0-60; "
    f"delay=SECONDS; {' or '.join(f'lost={when}' for when in LOSSES)}, which resets the "
    "connection. May be repeated.")
@click.option("--out", type=click.Path(path_type=Path), required=True,
    help="Output file; the suffix selects the format.")
def make(
    out: Path, liveness: str, faults: Mapping[str, Any], **facts: Any
) -> None:
    """Make a card of PERSON: a name of 1-12 letters, digits, - or _.

    \b
    facematch cards make p1 --quality 20 --out blurred.png
    facematch cards make p1 --fault status=503 --fault retry_after=5 --out busy.png
    """
    kind = _KINDS.get(out.suffix.lower())
    if kind is None:
        raise click.UsageError(f"--out must end in one of {', '.join(sorted(_KINDS))}.")
    try:
        facts["liveness"] = None if liveness == "none" else int(liveness)
    except ValueError:
        problem = f"--liveness must be 0-100 or none, not {liveness[:60]!r}."
        raise click.UsageError(problem) from None
    refuse_unwritable("--out", out, may_exist=False)
    try:
        data = make_card(**facts, **faults, kind=kind)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    write_bytes(out, data)
    click.echo(f"{clean(str(out))} ({len(data)} bytes)")
# fmt: on
