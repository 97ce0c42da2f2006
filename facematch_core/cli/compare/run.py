"""`facematch compare run`: every contender is asked about every pair, once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from facematch_core.cli import _options
from facematch_core.cli._budget_settling import confirm
from facematch_core.cli._files import check_target
from facematch_core.cli._stopping import Stopping
from facematch_core.cli._text import clean
from facematch_core.comparison.running import Cluster, Journal, Price, StudyRun
from facematch_core.comparison.study import Study, read_study

from . import _run_text
from ._amounts import price_options, prices_of
from ._contenders import openers_of
from ._elsewhere import embedders_at
from ._journals import journal_at, store_option

#: Calls at a time of each contender unless told otherwise.
WORKERS = 4


@click.command("run", short_help="Ask every vendor about every pair, once.")
@click.argument("source", metavar="STUDY", type=_options.FILE)
@click.option(
    "--profile", "profiles", multiple=True, metavar="NAME", help="A contender: a profile."
)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    metavar="NAME",
    help="A contender: a backend as it is, such as `local`. Both may be repeated.",
)
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(),
    help="The configuration file; by default ./facematch.toml or the user's own.",
)
@store_option
@click.option(
    "--workers",
    callback=_options.workers,
    metavar="1-256",
    help="Calls at a time of each contender; 4 by default.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Of a Dask cluster, such as tls://host:8786, whose workers embed pictures for engines of "
    "your own. Pictures travel to them; calls that may be charged never do.",
)
@click.option("--name", metavar="TEXT", help="What the study is called; by default as its file.")
@click.option(
    "--pictures",
    type=_options.FILE,
    metavar="DIR",
    help="Of a .txt study: the folder of people, if it is another one than the file's.",
)
@click.option(
    "--mated", type=click.IntRange(0), metavar="N", help="Of a folder: mated pairs to draw."
)
@click.option(
    "--non-mated", type=click.IntRange(0), metavar="N", help="Of a folder: non-mated ones."
)
@click.option(
    "--split", is_flag=True, help="Of a folder: draw within halves, as `compare draw --split` does."
)
@click.option("--seed", type=int, default=0, metavar="N", help="Of a folder: for the draw; 0.")
@click.option(
    "--keep",
    multiple=True,
    metavar="NAME",
    help="Ask this contender's vendor to keep each call as a record, pictures included, so that a "
    "lost answer can be looked for. May be repeated.",
)
@price_options("What one comparison of a contender costs; by default as its budget counts.")
@click.option(
    "--out",
    type=_options.FILE,
    metavar="REPORT.html",
    help="At the end, judge the answers, and write the page of `compare report`.",
)
@click.option(
    "--json",
    "document",
    type=_options.FILE,
    metavar="REPORT.json",
    help="And the same numbers as JSON.",
)
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@click.option("--yes", is_flag=True, help="Do not ask before money is spent.")
def command(*, source: Path, store: str, **given: Any) -> int:
    """Ask every contender about every pair of STUDY, once, whatever happens meanwhile.

    STUDY is a file of pairs (.csv, or .txt as LFW has them), or a folder with one folder for each
    person, of which pairs are drawn.

    \b
    facematch compare run pairs.csv --profile didit --backend local --price didit=0.05
    facematch compare run people/ --split --mated 600 --non-mated 6000 --backend local

    Answers are written to the store as they come. Stopped or killed at any moment, the same command
    goes on from there and pays nothing twice; several of them may work on one study. It asks before
    a real vendor is paid. The exit code is 0 if every pair has come to an end; see `facematch -h`.
    """
    _check_targets(given)
    openers = openers_of(given["profiles"], given["backends"], given["config"])
    currency = given["currency"]
    prices = {
        name: Price(amount=amount, currency=currency)
        for name, amount in prices_of(given["prices"], currency).items()
    }
    study = _study(source, given)
    with (
        journal_at(store, is_new=True) as journal,
        StudyRun(
            study, openers, journal, name=given["name"], keep=given["keep"], prices=prices
        ) as run,
        embedders_at(given["scheduler"], run) as embedders,
    ):
        return _run(run, journal, store, embedders, given)


def _run(
    run: StudyRun, journal: Journal, store: str, embedders: Mapping[str, Cluster], given: Any
) -> int:
    standings = run.standings()
    _run_text.show_plan(run, standings)
    question = _run_text.question(run, standings)
    if question is not None:
        confirm(question, yes=given["yes"])
    with Stopping() as stopping, _run_text.progress(standings) as progress:
        summary = run.run(
            workers=given["workers"] or WORKERS,
            progress=progress,
            stop=lambda: bool(stopping.signal),
            embedders=embedders,
        )
    _run_text.show_summary(summary, store)
    if stopping.signal:
        return 128 + stopping.signal
    if given["out"] or given["document"]:
        _judge(run, journal, given["out"], given["document"])
    return _run_text.code_of(summary)


def _study(source: Path, given: Any) -> Study:
    drawn = given["mated"] is not None or given["non_mated"] is not None or given["split"]
    if drawn and not source.is_dir():
        raise click.UsageError(
            "--mated, --non-mated and --split go with a folder, of which pairs are drawn."
        )
    return read_study(
        source,
        pictures=given["pictures"],
        mated=given["mated"],
        non_mated=given["non_mated"],
        split=given["split"],
        seed=given["seed"],
    )


def _check_targets(given: Any) -> None:
    out, document = given["out"], given["document"]
    for option, target in (("--out", out), ("--json", document)):
        if target is not None:
            check_target(option, target, force=given["force"])
    if None not in (out, document) and out.absolute() == document.absolute():
        raise click.UsageError("--out and --json name the same file.")


def _judge(run: StudyRun, journal: Journal, out: Path | None, document: Path | None) -> None:
    from facematch_core.cli._files import write
    from facematch_core.comparison._evaluate import evaluate
    from facematch_core.comparison.running import read_answers

    study = run.stored
    names = [one.name for one, _ in run.contenders]
    answers = read_answers(journal, study, names=names)
    evaluation = evaluate(answers, name=study.name, digest=study.digest)
    if out is not None:
        from facematch_core.comparison.report import report_html

        write(out, report_html(evaluation).encode())
        click.echo(f"judged in {clean(str(out))}")
    if document is not None:
        from facematch_core.comparison._json import to_document

        text = json.dumps(to_document(evaluation), indent=2, allow_nan=False)
        write(document, f"{text}\n".encode())
        click.echo(f"judged in {clean(str(document))}")
