"""`facematch compare report`: one page for people, one document for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facematch_core.cli import common
from facematch_core.cli.common import Exit, say

from ._evaluated import as_document, check_outs, out_option, write_outs
from ._sources import answers_from, source_options

if TYPE_CHECKING:
    from facematch_core.comparison._document import Contender, Evaluation
    from facematch_core.comparison.metrics import Rate


@click.command("report", short_help="Judge the answers: one page and one JSON document.")
@source_options
@out_option("Write the page (.html) or the same as JSON (.json); repeatable.")
@click.option(
    "--fmr",
    default="1e-3",
    callback=common.rate,
    metavar="RATE",
    help="The false match rate that all contenders are held to; 1e-3 by default.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    metavar="0-1",
    help="Confidence of every interval; 0.95 by default.",
)
@click.option(
    "--no-split",
    is_flag=True,
    help="Choose thresholds on the pairs that they are judged on, which flatters them.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    metavar="N",
    help="Seed of the random split of people; 0 by default.",
)
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@common.as_json
def command(*, outs: tuple[Path, ...], as_json: bool, **given: Any) -> int:
    """Judge what contenders answered: how many genuine people each refuses, and how sure that is.

    \b
    facematch compare report --store study.sqlite3 --out report.html --out report.json
    facematch compare report --scores scores.csv --fmr 1e-4 --out report.html

    The page loads nothing and holds no picture. Half of the people choose the thresholds, the other
    half judges them.
    """
    if not outs and not as_json:
        raise click.UsageError("Name a file with --out, or say --json.")
    check_outs(outs, force=given["force"])
    evaluation = _evaluation(given)
    write_outs(outs, evaluation)
    if as_json:
        common.print_json(as_document(evaluation))
        return Exit.OK
    for one in evaluation.contenders:
        say(_headline(one, evaluation))
    for path in outs:
        say(f"written to {path}")
    return Exit.OK


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
