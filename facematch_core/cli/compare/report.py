"""`facematch compare report`: one page for people, one document for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facematch_core.cli import _exit, _options
from facematch_core.cli._files import check_target, write
from facematch_core.cli._text import clean

from ._sources import answers_from, source_options

if TYPE_CHECKING:
    from facematch_core.comparison._document import Contender, Evaluation
    from facematch_core.comparison.metrics import Rate


@click.command("report", short_help="Judge the answers: one page and one JSON document.")
@source_options
@click.option("--out", type=_options.FILE, metavar="REPORT.html", help="Write the page.")
@click.option(
    "--json", "document", type=_options.FILE, metavar="REPORT.json", help="Write the same as JSON."
)
@click.option(
    "--fmr",
    default="1e-3",
    callback=_options.rate,
    metavar="RATE",
    help="The false match rate that all contenders are held to; 1e-3.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    metavar="0-1",
    help="Of every interval; 0.95.",
)
@click.option(
    "--no-split",
    is_flag=True,
    help="Choose thresholds on the pairs that they are judged on, which flatters them.",
)
@click.option("--seed", type=int, default=0, metavar="N", help="Of the division of people; 0.")
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
def command(*, out: Path | None, document: Path | None, **given: Any) -> int:
    """Judge what contenders answered: how many genuine people each refuses, and how sure that is.

    \b
    facematch compare report --store study.sqlite3 --out report.html --json report.json
    facematch compare report --scores scores.csv --fmr 1e-4 --out report.html

    The page loads nothing and holds no picture. Half of the people choose the thresholds, the other
    half judges them.
    """
    targets = {"--out": out, "--json": document}
    named = {option: path for option, path in targets.items() if path is not None}
    if not named:
        raise click.UsageError("Name a file with --out, with --json, or one with each.")
    if len({path.absolute() for path in named.values()}) < len(named):
        raise click.UsageError("--out and --json name the same file.")
    for option, path in named.items():
        check_target(option, path, force=given["force"])
    evaluation = _evaluation(given)
    if out is not None:
        from facematch_core.comparison.report import report_html

        write(out, report_html(evaluation).encode())
    if document is not None:
        from facematch_core.comparison._json import to_document

        text = json.dumps(to_document(evaluation), indent=2, allow_nan=False)
        write(document, f"{text}\n".encode())
    for one in evaluation.contenders:
        click.echo(clean(_headline(one, evaluation)))
    for path in named.values():
        click.echo(f"written to {clean(str(path))}")
    return _exit.OK


def _evaluation(given: dict[str, Any]) -> Evaluation:
    from facematch_core.comparison._evaluate import Asked, evaluate

    source = answers_from(given["store"], given["study"], given["scores"])
    asked = Asked(
        required_fmr=given["fmr"],
        confidence=given["confidence"],
        split=not given["no_split"],
        seed=given["seed"],
    )
    return evaluate(source.answers, asked, name=source.name, digest=source.digest)


def _headline(one: Contender, evaluation: Evaluation) -> str:
    from facematch_core.comparison.report._numbers import setting

    at = one.at_required
    if at is None:
        return f"{one.name}: {one.why_not}"
    refused = _percents(at.frr)
    if refused is None:
        return f"{one.name}: no mated pair was answered."
    text = (
        "{}: {} % of genuine people refused ({} % to {} %) at its threshold for an FMR of {} %"
    ).format(one.name, *refused, setting(evaluation.required_fmr))
    let_in = _percents(at.fmr)
    if let_in is not None and at.is_beyond(evaluation.required_fmr):
        text += ", where it lets in {} % of others ({} % to {} %): more than that".format(*let_in)
    return text


def _percents(rate: Rate) -> tuple[str, str, str] | None:
    """A rate and the ends of its interval, in percent; None without a trial."""
    from facematch_core.comparison.report._numbers import percent

    if rate.value is None or rate.interval is None:
        return None
    low, high = rate.interval.low, rate.interval.high
    value, least, most = (percent(one, high - low) for one in (rate.value, low, high))
    return value, least, most
