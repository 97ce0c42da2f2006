"""`facematch compare run`: every contender is asked about every pair, once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from facematch_core.cli import common
from facematch_core.cli.common import Stopping, confirm, say
from facematch_core.comparison.running import Cluster, Journal, Price, StudyRun
from facematch_core.comparison.study import Study, read_study

from . import _run_text
from ._amounts import price_options, prices_of
from ._contenders import openers_of
from ._elsewhere import embedders_at
from ._evaluated import check_outs, out_option, write_outs
from ._journals import journal_at, store_option

#: Calls at a time of each contender unless told otherwise.
WORKERS = 4


@click.command("run", short_help="Ask every vendor about every pair, once.")
@click.argument("source", metavar="STUDY", type=common.FILE)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME",
    shell_complete=common.profile_names,
    help="A contender: a profile.",
)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    metavar="NAME",
    shell_complete=common.backend_names,
    help="A contender: a backend as it is, such as `local`. Both may be repeated.",
)
@common.config
@store_option
@click.option(
    "--workers",
    callback=common.workers,
    metavar="1-256",
    help="Calls at a time of each contender; 4 by default.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Address of a Dask cluster, such as tls://host:8786, whose workers embed pictures for "
    "engines of your own. Pictures travel to them; calls that may be charged never do.",
)
@click.option("--name", metavar="TEXT", help="Name of the study; by default that of its file.")
@click.option(
    "--pictures",
    type=common.FILE,
    metavar="DIR",
    help="With a .txt study: the folder of people, if it is not that of the file.",
)
@click.option(
    "--mated",
    type=click.IntRange(0),
    metavar="N",
    help="With a folder: how many mated pairs to draw.",
)
@click.option(
    "--non-mated",
    type=click.IntRange(0),
    metavar="N",
    help="With a folder: how many non-mated pairs to draw.",
)
@click.option(
    "--split",
    is_flag=True,
    help="With a folder: draw within halves, as `compare draw --split` does.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    metavar="N",
    help="With a folder: seed of the random draw; 0 by default.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="NAME",
    help="Ask this contender's vendor to keep each call as a record, pictures included, so that a "
    "lost answer can be looked for. May be repeated.",
)
@price_options("What one comparison of a contender costs; by default as its budget counts.")
@out_option(
    "At the end, judge the answers, and write what `compare report` writes: .html or .json; "
    "repeatable."
)
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@click.option("--yes", is_flag=True, help="Do not ask before money is spent.")
@common.as_json
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
    check_outs(given["outs"], force=given["force"])
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
    if given["as_json"]:
        common.print_json(_run_text.summary_document(summary, store))
    else:
        _run_text.show_summary(summary, store)
    if stopping.signal:
        return 128 + stopping.signal
    if given["outs"]:
        _judge(run, journal, given["outs"])
        for path in given["outs"]:
            say(f"judged in {path}", err=given["as_json"])
    return _run_text.ending(summary)


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


def _judge(run: StudyRun, journal: Journal, outs: tuple[Path, ...]) -> None:
    from facematch_core.comparison._evaluate import evaluate
    from facematch_core.comparison.running import read_answers

    study = run.stored
    names = [one.name for one, _ in run.contenders]
    answers = read_answers(journal, study, names=names)
    write_outs(outs, evaluate(answers, name=study.name, digest=study.digest))
