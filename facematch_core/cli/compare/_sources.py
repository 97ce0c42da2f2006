"""From --store or --scores to answers, and from --report to what was concluded of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from facematch_core.cli.common import FILE

from ._journals import STORE, journal_at

if TYPE_CHECKING:
    from facematch_core.comparison._answers import Answers
    from facematch_core.comparison._document import Evaluation

Command = TypeVar("Command", bound=Callable[..., Any])

#: A report as JSON is small; more is another file.
MAX_REPORT_BYTES = 64 << 20


@attrs.frozen(kw_only=True)
class Source:
    """Answers of contenders to one study.

    Attributes:
        answers: Of each contender.
        name: What the study is called.
        digest: Of its pairs and pictures; None for a file of scores.
    """

    answers: list[Answers]
    name: str
    digest: str | None


def source_options(command: Command) -> Command:
    """Where answers are read from: --store with --study, or --scores."""
    options = (
        click.option(
            "--store",
            metavar="URL",
            help="Where `compare run` wrote answers: the name of an SQLite file, sqlite:///FILE, "
            f"or postgresql+psycopg://...; {STORE} by default.",
        ),
        click.option(
            "--study", metavar="NAME", help="Which study of the store, if it has several."
        ),
        click.option(
            "--scores", type=FILE, metavar="CSV", help="A file of scores, instead of a store."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def answers_from(store: str | None, study: str | None, scores: Path | None) -> Source:
    """The answers that options name; nothing is asked.

    Args:
        store: As --store; None for the usual file, unless there are `scores`.
        study: Name of a study of the store; None for the only one.
        scores: A file of scores instead.

    Raises:
        click.UsageError: both are named, or the store is no file.
        InvalidRequest: there is no such study, or something is wrong in the file.
        ConfigurationError: the store cannot be used.
    """
    if scores is not None:
        if store is not None or study is not None:
            raise click.UsageError("--scores goes without --store and --study.")
        from facematch_core.comparison._scores_csv import read_scores

        return Source(answers=read_scores(scores), name=scores.stem, digest=None)
    from facematch_core.comparison.running import read_answers

    with journal_at(store or STORE) as journal:
        found = journal.study(study)
        answers = read_answers(journal, found)
    return Source(answers=answers, name=found.name, digest=found.digest)


def evaluation_from(report: Path) -> Evaluation:
    """The comparison in a file that `compare report` wrote as JSON.

    Raises:
        click.UsageError: it cannot be read, or is no JSON.
        InvalidRequest: it is no comparison.
    """
    from facematch_core.comparison._json import from_document

    try:
        with report.open("rb") as file:
            content = file.read(MAX_REPORT_BYTES + 1)
        if len(content) > MAX_REPORT_BYTES:
            raise click.UsageError(f"--report: {report} is over {MAX_REPORT_BYTES} bytes.")
        document = json.loads(content)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except (ValueError, RecursionError):
        reason = "it is no JSON"
    else:
        return from_document(document)
    raise click.UsageError(f"--report: {report} cannot be read: {reason}.")
