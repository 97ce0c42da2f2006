"""The commands `facematch compare draw` and `run`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from facematch_core.backend.kinds import quote_command
from facematch_core.base.threads import DEFAULT_WORKERS, MAX_WORKERS
from facematch_core.cli import text
from facematch_core.cli.files import form_of, make_folder, refuse_unwritable
from facematch_core.cli.options import (
    FILE,
    Target,
    config_option,
    file_option,
    json_option,
    parse_pairs,
)

from . import common
from .list_prices import with_list_prices

if TYPE_CHECKING:
    from facematch_comparison.run.study_run import RunSummary

#: States that have a column in the run summary.
_STATES: Final = ("answered", "failed", "unresolved", "no_response")

_COUNT: Final = click.IntRange(0)


@click.command("draw")
@click.argument("folder", type=FILE)
@file_option("--out", "The file to write.", required=True)
@common.text_option(
    "--mated", "N", "Mated pairs to draw.", type=_COUNT, show_default="all possible pairs"
)
@common.text_option(
    "--non-mated", "N", "Non-mated pairs to draw.", type=_COUNT, show_default="as many as mated"
)
@file_option(
    "--groups",
    "Groups of people: a column `person`, and a column for each kind of group.",
    to="groups_file",
    metavar="CSV",
)
@common.text_option("--within", "COLUMN", "Draw non-mated pairs within groups of this column.")
def draw(*, folder: Path, out: Path, groups_file: Path | None, **options: Any) -> int:
    """Draw pairs from the photographs in FOLDER, which has one folder for each person.

    \b
    facematch compare draw people/ --out pairs.csv --mated 600 --non-mated 6000
    facematch compare draw people/ --out pairs.csv --groups groups.csv \\
      --within sex

    No pair is drawn twice. As far as the photographs allow, every person has a mated pair before
    anyone has another; of a non-mated pair, at least one person is drawn at random. The same
    photographs and options give the same pairs. People in one group look more alike than random
    people, so --within draws harder pairs.
    """
    if options["within"] is not None and groups_file is None:
        raise click.UsageError("--within requires --groups.")
    form_of("--out", out, ".csv")
    refuse_unwritable("--out", out, may_exist=False)
    from facematch_comparison.study.drawing import draw_pairs
    from facematch_comparison.study.reading import photographs, read_groups, write_pairs_csv
    from facematch_comparison.values.numbers import counted

    people = photographs(folder)
    groups = read_groups(groups_file, people) if groups_file is not None else {}
    study = draw_pairs(people, groups=groups, name=out.stem, **options)
    make_folder(out)
    write_pairs_csv(out, study)
    mated = int(study.mated.sum())
    text.say(
        f"{mated:,} mated and {len(study.pairs) - mated:,} non-mated pairs of "
        f"{counted(len(study.subjects), 'person', 'people')}, {len(study.pictures):,} photographs: "
        f"written to {out}"
    )
    return text.Exit.OK


def _parse_part(
    _context: click.Context, option: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """Parse ``3/100``."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", value)
    if match is None:
        raise click.BadParameter(f"{value[:60]!r} is not K/N, such as 3/100.", param=option)
    return int(match[1]), int(match[2])


@click.command("run", cls=common.RepeatableCommand)
@click.argument("source", metavar="PAIRS", type=FILE)
@common.repeated("--profile", "profiles", "NAME", "Profile to run as a system.")
@common.repeated("--backend", "backends", "NAME", "Backend to run as a system, such as `local`.")
@config_option
@common.store
@common.text_option(
    "--workers",
    f"1-{MAX_WORKERS}",
    "Parallel calls to each system.",
    type=click.IntRange(1, MAX_WORKERS),
    default=DEFAULT_WORKERS,
)
@common.repeated(
    "--keep",
    "keep",
    "NAME",
    "Ask this system's vendor to keep each call as a record, pictures included, so that a "
    "lost answer can be found again.",
)
@common.repeated(
    "--price",
    "prices",
    "NAME=AMOUNT",
    "Price of one comparison by this system, with all its charges (such as 3 transactions), or "
    "the word list for its vendor's list price; by default, the price in its budget.",
    callback=parse_pairs,
)
@common.currency_option("Currency of all amounts.", default="USD")
@common.repeated(
    "--column",
    "columns",
    "WHAT=COLUMN",
    "The meaning of a column of PAIRS, such as same=same_guy or group_country=country.",
    callback=common.parse_columns,
)
@common.text_option(
    "--part",
    "K/N",
    "Run only part K of N, in a run database of its own: every Nth pair, from pair K on.",
    callback=_parse_part,
)
@common.flag("--yes", "Do not ask before spending money.")
@json_option
def run(*, source: Path, store: str, as_json: bool, **options: Any) -> int:
    """Run every pair of PAIRS on every system, once; stop and resume at any time.

    PAIRS is a file of pairs from `compare draw`, or your own (.csv or .xlsx).

    \b
    facematch compare run pairs.csv --profile didit --backend local \\
      --price didit=0.05
    facematch compare report

    Answers are saved in the run database as they arrive. Stop or kill the command at any time: the
    same command resumes, and no call is paid for twice. Only one process at a time can write to a
    run database; others can read it. The command asks before it spends money. The exit code is 0 if
    every pair is done; see `facematch -h`.

    On several machines, give each task a part and a run database of its own, and judge all:

    \b
    facematch compare run pairs.csv --profile didit --yes --part 3/100 \\
      --store run/3.sqlite3
    facematch compare report --store 'run/*.sqlite3'
    """
    openers = _openers_of(options)
    from facematch_comparison.run.records import Price
    from facematch_comparison.run.study_run import StudyRun
    from facematch_comparison.study.reading import read_study
    from facematch_core.cli.bill import confirm_bill

    amounts = with_list_prices(options["prices"], currency=options["currency"], what="match")
    prices = {
        name: Price(amount=amount, currency=options["currency"]) for name, amount in amounts.items()
    }
    with common.completing_columns():
        study = read_study(source, columns=options["columns"], note=common.note)
    if options["part"] is not None:
        study = study.part(*options["part"])
    with (
        common.database_at(store, is_new=True) as database,
        StudyRun(study, openers, database, keep=options["keep"], prices=prices) as study_run,
    ):
        pairs = study_run.stored.pairs
        mated = sum(study_run.stored.content["mated"])
        counts = f"{text.quantity(pairs, 'pair')}, {mated} mated and {pairs - mated} non-mated"
        text.say(f"{study_run.stored.title}: {counts}", err=True)
        calls = {system.name: system.progress.left for system in study_run.systems}
        confirm_bill(study_run.systems, calls, pairs=pairs, yes=options["yes"])
        bar = text.progress_bar("asked", sum(calls.values()))
        with text.Stopping() as stopping, bar as advance:
            summary = study_run.run(
                workers=options["workers"],
                progress=lambda _name, _state: advance(),
                stop=lambda: bool(stopping.signal),
            )
        systems = _rows_of(summary)
        if as_json:
            text.print_json({"store": store, "systems": systems})
        else:
            _show_summary(summary, systems, store)
        if stopping.signal:
            return 128 + stopping.signal
    # Return the highest exit code of errors, failed pairs and unresolved calls.
    codes = [text.code_of(system.error) for system in summary.systems if system.error is not None]
    codes += [text.Exit.VENDOR] * any(system["failed"] for system in systems)
    codes += [text.Exit.UNKNOWN] * any(system["unresolved"] for system in systems)
    return max(codes, default=text.Exit.OK)


def _openers_of(options: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """Return the opener of each system, by name; profiles come first."""
    profiles = options["profiles"]
    backends = options["backends"]
    config = options["config"]
    names = (*profiles, *backends)
    if not names:
        raise click.UsageError("Name at least one system with --profile or --backend.")
    if config is not None and not profiles:
        raise click.UsageError("--config requires --profile NAME.")
    for name in names:
        if names.count(name) > 1:
            raise click.UsageError(f"{name[:60]!r} is named twice; each system needs its own name.")
    targets = {name: Target(profile=name, config=config) for name in profiles}
    targets |= {name: Target(backend=name) for name in backends}
    return {name: target.announce_setup().open for name, target in targets.items()}


def _show_command(*arguments: str) -> None:
    """Print a command for the user to paste."""
    click.echo(text.clean(f"  {quote_command(['facematch', *arguments])}"))


def _rows_of(summary: RunSummary) -> list[dict[str, Any]]:
    """Return the progress of each system, as JSON."""
    rows = []
    for system in summary.systems:
        progress = system.progress
        error = system.error
        counts = {name.replace(" ", "_"): count for name, count in progress.states.items()}
        row: dict[str, Any] = {"name": system.name}
        row |= {state: counts.get(state, 0) for state in _STATES}
        # After a run, an ASKED pair is one whose outcome could not be stored.
        row["unresolved"] += counts.get("asked", 0)
        facts = ("not_acquired", "left", "charged", "maybe_charged", "models")
        row |= {fact: getattr(progress, fact) for fact in facts}
        rows.append({**row, "error": error and text.error_document(error)})
    return rows


def _show_summary(summary: RunSummary, rows: Sequence[Mapping[str, Any]], store: str) -> None:
    """Print the progress of every system and the next command; print errors to stderr."""
    header = ("system", *(state.replace("_", " ") for state in _STATES), "FTA", "left", "charged")
    table = []
    for row in rows:
        charged = str(row["charged"])
        if row["maybe_charged"]:
            charged += f" to {row['charged'] + row['maybe_charged']}"
        counts = (str(row[key]) for key in (*_STATES, "not_acquired", "left"))
        table.append((row["name"], *counts, charged))
    text.print_table(header, table)
    for system in summary.systems:
        if system.error is not None:
            text.say(f"error: {system.name}: {text.error_sentence(system.error)}", err=True)
        elif system.last_failure is not None:
            failure_sentence = text.error_sentence(system.last_failure)
            text.say(
                f"warning: {system.name}: calls failed. Last error: {failure_sentence}", err=True
            )
    for name, models in summary.changed_models.items():
        several = ", ".join(f"{model} ({text.quantity(n, 'pair')})" for model, n in models.items())
        text.say(f"warning: the model of {name} changed during the run: {several}.", err=True)
        text.say("In a report, each model is a system.", err=True)
    unresolved = sum(row["unresolved"] for row in rows)
    charged_without_answer = unresolved + sum(row["no_response"] for row in rows)
    calls_left = sum(row["left"] for row in rows)
    if charged_without_answer:
        may = "may have been " if unresolved else ""
        pairs = text.quantity(charged_without_answer, "pair")
        text.say(f"{pairs} {may}charged without an answer:")
        _show_command("budget", "--store", store)
    if calls_left:
        text.say(f"{text.quantity(calls_left, 'call')} left: run the same command to continue")
    text.say(f"written to {store}")
    if any(row["answered"] for row in rows):
        text.say("to judge the answers:")
        _show_command("compare", "report", "--store", store)
