"""`facematch conformance`: whether a backend keeps the contract, and whether the rules bite."""

from __future__ import annotations

import contextlib
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facematch_core.errors import ConfigurationError

from . import _exit, _options

if TYPE_CHECKING:
    from facematch_core.testing._running import Progress


@click.command(
    "conformance",
    short_help="Prove that an installed backend keeps the contract; print its card.",
)
@click.argument("name", required=False)
@click.option("--out", type=_options.FILE, metavar="CARD.json", help="Write the card as JSON.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=_options.words,
    metavar="KEY=VALUE",
    help="A setting of the backend; may be repeated. No real key is needed.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Show every rule, not the exceptions only; with --self-test: try every rule on each.",
)
@click.option("--self-test", is_flag=True, help="Instead: try the rules on backends with a fault.")
@_options.as_json
def command(
    *,
    name: str | None,
    out: Path | None,
    settings: dict[str, str],
    everything: bool,
    self_test: bool,
    as_json: bool,
) -> int:
    """Run every rule of the contract over the backend NAME, and print its card.

    Nothing is sent: the vendor is played by the double that is installed for the backend. The exit
    code is 0 if every rule that applies was kept, 3 if some were not tested, 7 if one is broken.
    """
    if importlib.util.find_spec("pytest") is None:
        raise ConfigurationError(
            "facematch conformance needs pytest, which is not installed: "
            '`pip install "facematch-core[testing]"` brings it.'
        )
    if self_test:
        if name is not None or out is not None or settings:
            raise click.UsageError("--self-test stands alone: it tries the rules, not a backend.")
        return _tried(everything=everything, as_json=as_json)
    if name is None:
        raise click.UsageError(
            "Name the backend to try; `facematch backends` lists those that are installed."
        )
    return _carded(name, out, settings, everything=everything, as_json=as_json)


def _carded(
    name: str, out: Path | None, words: dict[str, str], *, everything: bool, as_json: bool
) -> int:
    from facematch_core._registry import backend_class
    from facematch_core._settings import from_words
    from facematch_core.testing import conformance

    from ._conformance_files import check_card, write_card
    from ._conformance_text import show_card

    if out is not None:
        check_card(out)
    settings = from_words(backend_class(name), words, "--set")
    with _progress("rules") as progress:
        card = conformance(name, settings=settings, progress=progress)
    if out is not None:
        write_card(out, card)
    if as_json:
        click.echo(json.dumps(card.to_dict(), indent=2))
    else:
        show_card(card, everything=everything)
        if out is not None:
            click.echo(f"The card as JSON: {click.format_filename(out)}")
    return _exit.CARDS[card.verdict.value]


def _tried(*, everything: bool, as_json: bool) -> int:
    from facematch_core.testing import self_test

    from ._conformance_text import show_self_test

    with _progress("rules on saboteurs") as progress:
        found = self_test(everything=everything, progress=progress)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        show_self_test(found)
    return _exit.OK if found.passed else _exit.BROKEN


@contextlib.contextmanager
def _progress(of: str) -> Iterator[Progress | None]:
    """A bar on stderr, if that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress

    from ._text import console

    to = console(err=True)
    if not to.is_terminal:
        yield None
        return
    # Drawn after each case and by nobody else: the rules print, fork and count threads.
    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        of,
        console=to,
        transient=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bar:
        task = bar.add_task(of, total=None)

        def advance(done: int, total: int) -> None:
            # At most a hundred times: drawing takes longer than most cases.
            drawn = 100 * done // total > 100 * (done - 1) // total
            bar.update(task, completed=done, total=total, refresh=drawn)

        yield advance
