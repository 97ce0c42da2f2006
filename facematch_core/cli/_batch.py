"""`verify --pairs`: many pairs, one line of JSON for each as soon as it is known."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from . import _exit
from ._files import check_target, named, refused
from ._opening import opened
from ._pairs import Pair, read_pairs
from ._stopping import Stopping
from ._summary import Summary

if TYPE_CHECKING:
    from rich.progress import Progress

    from facematch_core._many import PairOutcome

    from ._asking import Asked

#: Calls at a time unless told otherwise.
WORKERS = 4


def run(asked: Asked) -> int:
    """Compare every pair of a file. Returns the exit code.

    0 if every pair was answered, whatever the answer; else the highest code among the errors of
    single pairs; 128 + the signal if it was stopped.
    """
    given = asked.given
    target: Path = given["out"]
    _check_target(target, given["pairs"], force=given["force"])
    pairs = read_pairs(given["pairs"])
    with opened(asked.where) as verifier, Stopping() as stopping:
        options = asked.options(verifier)
        # Before the file is created: wrong usage leaves nothing behind.
        asked.check(verifier, options)
        outcomes = verifier.verify_many(
            ((*pair.paths, pair.key) for pair in stopping.until_stopped(pairs)),
            max_workers=given["workers"] or WORKERS,
            **options,
        )
        with named(target), _created(target, force=given["force"]) as file:
            summary = _written(outcomes, pairs, file)
        summary.signal = stopping.signal
    if given["as_json"]:
        click.echo(json.dumps({**summary.as_document(), "out": str(target)}, indent=2))
    else:
        summary.show(target)
    summary.show_errors(target)
    return 128 + stopping.signal if stopping.signal else summary.code


def _check_target(target: Path, pairs: Path, *, force: bool) -> None:
    check_target("--out", target, force=force)
    if target.exists() and pairs.exists() and target.samefile(pairs):
        raise click.UsageError("--out would overwrite the file of --pairs.")


def _created(target: Path, *, force: bool) -> IO[str]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.open("w" if force else "x", encoding="utf-8", newline="\n")
    except OSError as error:
        raise refused("--out", target, error) from None


def _written(outcomes: Iterator[PairOutcome], pairs: list[Pair], file: IO[str]) -> Summary:
    summary = Summary(pairs=len(pairs))
    with _progress() as progress:
        task = progress.add_task("comparing", total=len(pairs))
        for outcome in outcomes:
            pair = pairs[outcome.index]
            # Flushed line by line: whatever ends this process, what was paid for is on disk.
            file.write(json.dumps(_line(pair, outcome)) + "\n")
            file.flush()
            summary.add(pair.line, outcome)
            progress.advance(task)
    return summary


def _line(pair: Pair, outcome: PairOutcome) -> dict[str, Any]:
    return {
        "index": outcome.index,
        "line": pair.line,
        "key": pair.key,
        "probe": pair.probe,
        "reference": pair.reference,
        "result": None if outcome.result is None else outcome.result.to_dict(),
        "error": None if outcome.error is None else _exit.as_document(outcome.error),
    }


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on stderr, if that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from ._text import console

    to = console(err=True)
    columns = (BarColumn(), MofNCompleteColumn(), "compared,", TimeRemainingColumn(), "left")
    with Progress(*columns, console=to, disable=not to.is_terminal, transient=True) as progress:
        yield progress
