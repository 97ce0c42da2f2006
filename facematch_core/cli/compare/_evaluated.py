"""--out of `compare report` and `compare run`: one judgement, in the form of each file's suffix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from facematch_core.cli import common

if TYPE_CHECKING:
    from facematch_core.comparison._document import Evaluation

Command = TypeVar("Command", bound=Callable[..., Any])

FORMS = (".html", ".json")


def out_option(help_: str) -> Callable[[Command], Command]:
    """--out FILE, which may be repeated and gives `outs`."""
    return click.option(
        "--out", "outs", type=common.FILE, multiple=True, metavar="FILE", help=help_
    )


def check_outs(outs: Sequence[Path], *, force: bool) -> None:
    """Refuse what could not be written; `click.UsageError` says which."""
    if len({path.absolute() for path in outs}) < len(outs):
        raise click.UsageError("Two --out name the same file.")
    for path in outs:
        common.form_of("--out", path, *FORMS)
        common.check_target("--out", path, force=force)


def write_outs(outs: Sequence[Path], evaluation: Evaluation) -> None:
    """Write each file."""
    for path in outs:
        if common.form_of("--out", path, *FORMS) == ".json":
            common.write_json(path, as_document(evaluation))
        else:
            from facematch_core.comparison.report import report_html

            common.write(path, report_html(evaluation).encode())


def as_document(evaluation: Evaluation) -> dict[str, Any]:
    """The JSON form."""
    from facematch_core.comparison._json import to_document

    document: dict[str, Any] = to_document(evaluation)
    return document
