"""`facematch compare run` and `unresolved`: the commands that ask vendors, and may cost money."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facematch_core.backend.kinds import typed
from facematch_core.base.clock import SystemClock
from facematch_core.cli.options import (
    FILE,
    Target,
    config_option,
    json_option,
    parse_workers,
)
from facematch_core.cli.text import (
    Exit,
    Stopping,
    clean,
    code_of,
    confirm,
    error_document,
    error_sentence,
    print_json,
    print_table,
    progress_bar,
    quantity,
    say,
)
from facematch_core.errors import ConfigurationError, FaceMatchError, InvalidRequest
from facematch_core.models import Charged
from facematch_core.resilience.budget import format_amount

from . import common

if TYPE_CHECKING:
    from facematch_comparison.run import (
        RunDatabase,
        RunSummary,
        StoredSystem,
        StudyRun,
        UnresolvedCharge,
    )
    from facematch_core.store import CallStore

#: Calls at a time of each system unless another number is given.
WORKERS = 4


@click.command("run")
@click.argument("source", metavar="PAIRS", type=FILE)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME",
    help="A system: a profile.",
)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    metavar="NAME",
    help="A system: a backend as it is, such as `local`. Both may be repeated.",
)
@config_option
@common.store
@click.option(
    "--workers",
    callback=parse_workers,
    metavar="1-256",
    show_default=str(WORKERS),
    help="Parallel calls to each system.",
)
@click.option(
    "--name", metavar="TEXT", show_default="that of its file", help="Name of the test set."
)
@common.repeated(
    "--keep",
    "keep",
    "Ask this system's vendor to keep each call as a record, pictures included, so that a "
    "lost answer can be found again.",
    metavar="NAME",
)
@common.price_option("What one comparison by a system costs; by default, what its budget counts.")
@common.flag("--yes", "Do not ask before money is spent.")
@json_option
def run(*, source: Path, store: str, as_json: bool, **options: Any) -> int:
    """Ask every system about every pair of PAIRS, once; stop and resume at any time.

    PAIRS is a file of pairs, of `compare draw` or your own (.csv or .xlsx).

    \b
    facematch compare run pairs.csv --profile didit --backend local \\
      --price didit=0.05
    facematch compare report

    Answers are saved in the run database as they come. Stop or kill the command at any moment: the
    same command goes on from there, and nothing is paid twice. One process at a time works on a run
    database; the commands that read it work meanwhile. It asks before it spends money. The exit
    code is 0 if every pair is done; see `facematch -h`.
    """
    openers = _openers_of(options)
    from rich.progress import TextColumn

    from facematch_comparison.run import Price, StudyRun

    currency = options["currency"]
    amounts = options["prices"].items()
    with (
        common.database_at(store, is_new=True) as database,
        StudyRun(
            common.read_pairs(source),
            openers,
            database,
            name=options["name"],
            keep=options["keep"],
            prices={name: Price(amount=amount, currency=currency) for name, amount in amounts},
        ) as study_run,
    ):
        calls = {name: progress.left for name, progress in study_run.progress().items()}
        _show_plan(study_run, calls)
        paid = sum(calls[system.name] for system in study_run.systems if system.costs_money)
        if paid:
            confirm(f"Make {quantity(paid, 'call')} that may be charged?", yes=options["yes"])
        with Stopping() as stopping, progress_bar("asked") as bars:
            bars.columns = (TextColumn("{task.description}", markup=False), *bars.columns)
            tasks = {name: bars.add_task(clean(name), total=n) for name, n in calls.items()}
            summary = study_run.run(
                workers=options["workers"] or WORKERS,
                progress=lambda name, _state: bars.advance(tasks[name]),
                stop=lambda: bool(stopping.signal),
            )
        document = _document(summary, store)
        if as_json:
            print_json(document)
        else:
            _show_summary(summary, document)
            if any(system["answered"] for system in document["systems"]):
                # A report names its test set if there are several.
                name = study_run.stored.name
                of_study = ["--study", name] if len(database.studies()) > 1 else []
                words = ["facematch", "compare", "report", "--store", store, *of_study]
                say("to judge the answers:")
                click.echo(clean(f"  {typed(words)}"))
        if stopping.signal:
            return 128 + stopping.signal
    # The highest of what ended systems early, and of what is not known.
    codes = [code_of(system.error) for system in summary.systems if system.error is not None]
    for state, code in (("failed", Exit.VENDOR), ("unresolved", Exit.UNKNOWN)):
        if any(system[state] for system in document["systems"]):
            codes.append(code)
    return max(codes, default=Exit.OK)


def _openers_of(options: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """Name of each system to what opens it; profiles first."""
    profiles, config = options["profiles"], options["config"]
    targets = [Target(profile=name, config=config) for name in profiles]
    targets += [Target(backend=name) for name in options["backends"]]
    if not targets:
        raise click.UsageError("Name at least one system with --profile or --backend.")
    if config is not None and not profiles:
        raise click.UsageError("--config holds profiles: name one with --profile.")
    openers: dict[str, Callable[..., Any]] = {}
    for target in targets:
        name = str(target.profile or target.backend)
        if name in openers:
            raise click.UsageError(
                f"{name[:60]!r} is named twice; systems need names of their own."
            )
        openers[name] = target.announce_plan().open
    return openers


#: States of pairs that a run ends with and that are worth a column.
_STATES = ("answered", "failed", "unresolved", "no_response")


def _show_plan(study_run: StudyRun, calls: Mapping[str, int]) -> None:
    """Print to stderr what will be asked, so many calls of each system, and what it costs."""
    study = study_run.stored
    mated = sum(study.content["mated"])
    say(
        f"{study.name}: {quantity(study.pairs, 'pair')}, {mated} mated and "
        f"{study.pairs - mated} non-mated",
        err=True,
    )
    rows = []
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for system in study_run.systems:
        count, stored, cost = calls[system.name], system.stored, "nothing"
        if system.is_billed and stored.price is not None:
            amount = f"{format_amount(stored.price * count)} {stored.currency}"
            cost = amount if system.costs_money else f"nothing; {amount} if it were real"
            if system.costs_money:
                sums[str(stored.currency)] += stored.price * count
        elif system.costs_money:
            cost = "not known"
        asked_with = (stored.settings["backend"], stored.settings["environment"])
        share = f"{count} of {study.pairs}"
        rows.append((system.name, *asked_with, system.retention.value, share, cost))
    header = ("system", "backend", "where", "retention", "calls left", "cost")
    print_table(header, rows, err=True)
    if sums:
        amounts = (f"{format_amount(amount)} {currency}" for currency, amount in sums.items())
        say(f"in all {' and '.join(amounts)} at most", err=True)


def _show_summary(summary: RunSummary, document: Mapping[str, Any]) -> None:
    """Print to stdout how far every system is; to stderr what ended one early."""
    systems, store = document["systems"], document["store"]
    header = ("system", *(state.replace("_", " ") for state in _STATES), "FTA", "left", "charged")
    rows = []
    for row in systems:
        least, maybe = row["charged"], row["maybe_charged"]
        counts = (row[key] for key in (*_STATES, "not_acquired", "left"))
        charged = f"{least} to {least + maybe}" if maybe else str(least)
        rows.append((row["name"], *map(str, counts), charged))
    print_table(header, rows)
    for system in summary.systems:
        if system.error is not None:
            say(f"error: {system.name}: {error_sentence(system.error)}", err=True)
        elif system.last_failure is not None:
            last = error_sentence(system.last_failure)
            say(f"warning: {system.name}: calls failed, the last one so: {last}", err=True)
    for name, models in summary.changed_models.items():
        several = ", ".join(f"{model} ({quantity(n, 'pair')})" for model, n in models.items())
        say(
            f"warning: the model of {name} changed during the run: {several}. A report needs "
            "--model NAME for the one whose answers count.",
            err=True,
        )
    unresolved = sum(row["unresolved"] for row in systems)
    lost = unresolved + sum(row["no_response"] for row in systems)
    if lost:
        may = "may have been " if unresolved else ""
        say(f"{quantity(lost, 'pair')} {may}charged without an answer:")
        words = ["facematch", "compare", "unresolved", "--store", store]
        click.echo(clean(f"  {typed(words)}"))
    calls = sum(row["left"] for row in systems)
    if calls:
        say(f"{quantity(calls, 'call')} left: the same command goes on from here")
    say(f"written to {store}")


def _document(summary: RunSummary, store: str) -> dict[str, Any]:
    """Return the summary as JSON."""
    from facematch_comparison.run import PairState

    systems = []
    for system in summary.systems:
        progress, error = system.progress, system.error
        counts = {
            state: progress.states.get(PairState(state.replace("_", " ")), 0) for state in _STATES
        }
        # The outcome of such a call could not be written.
        counts["unresolved"] += progress.states.get(PairState.ASKED, 0)
        for fact in ("not_acquired", "left", "charged", "maybe_charged"):
            counts[fact] = getattr(progress, fact)
        more = {"models": progress.models, "error": error and error_document(error)}
        systems.append({"name": system.name, **counts, **more})
    return {"store": store, "systems": systems}


@click.command("unresolved")
@common.store
@click.option("--study", metavar="NAME", help="Only calls of this test set.")
@click.option(
    "--resolve",
    metavar="CALL",
    help="Say whether one call was charged, with --charged or --not-charged.",
)
@common.flag("--charged", "It is on the vendor's invoice: never asked again.")
@click.option("--not-charged", "free", is_flag=True, help="It is not: the next run asks again.")
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(),
    help="The configuration file of the systems' profiles, for --resolve.",
)
@common.flag("--yes", "Do not ask before --resolve.")
@json_option
def unresolved(*, store: str, study: str | None, as_json: bool, **options: Any) -> int:
    """List calls that were charged, or may have been, and have no answer.

    facematch never repeats them on its own. The next `compare run` looks for them in the vendor's
    records. --resolve writes down what the vendor's invoice or support says, for good. Budgets are
    updated.
    """
    call_id = options["resolve"]
    if call_id is None and (options["charged"] or options["free"]):
        raise click.UsageError("--charged and --not-charged go with --resolve CALL.")
    if call_id is not None and options["charged"] is options["free"]:
        raise click.UsageError("Choose --charged or --not-charged.")
    from facematch_comparison.run.recover import resolve_by_budgets

    with common.database_at(store) as database:
        studies = database.studies() if study is None else (database.study(study),)
        systems = [system for each in studies for system in database.systems(each.digest)]
        try:
            database.lock()
        except ConfigurationError as error:
            if call_id is not None:
                raise
            say(f"note: {error.message} Calls that are under way are not listed.", err=True)
        else:
            # Calls that a finished run left open become unresolved.
            for system in systems:
                finalize = partial(_finalize, database, options["config"], system)
                database.take_back(system, finalize)
                resolve_by_budgets(database, system)
        if call_id is not None:
            charge = _resolve(database, systems, options)
            if as_json:
                print_json(_charge(charge) | {"charged": options["charged"]})
            else:
                say(f"{call_id}: {'charged' if options['charged'] else 'not charged'}")
            return Exit.OK
        charges = [charge for system in systems for charge in database.unresolved(system)]
    if as_json:
        print_json({"open": [_charge(charge) for charge in charges]})
    else:
        _show_charges(charges, store)
    return Exit.OK


def _resolve(
    database: RunDatabase, systems: Sequence[StoredSystem], options: Mapping[str, Any]
) -> UnresolvedCharge:
    """Write down whether a call was charged, to the budgets and to the run database."""
    call_id, is_charged = options["resolve"], options["charged"]
    billed = Charged.YES if is_charged else Charged.NO
    pairs = [(system, charge) for system in systems for charge in database.unresolved(system)]
    for system, charge in pairs:
        if charge.call is None or charge.call.id != call_id:
            continue
        if charge.state != "unresolved":
            raise InvalidRequest(
                "This call is resolved already: it was charged, and has no answer."
            )
        words = "charged" if is_charged else "not charged"
        question = f"Resolve call {call_id} of {system.name} as {words}, for good?"
        confirm(question, yes=options["yes"])
        _finalize(database, options["config"], system, [call_id], billed)
        database.resolve(system.number, call_id, billed)
        return charge
    raise InvalidRequest(
        f"No call {call_id[:60]!r} is unresolved here: `facematch compare unresolved` lists "
        "those that are."
    )


def _finalize(
    database: RunDatabase,
    config: str | None,
    system: StoredSystem,
    call_ids: Sequence[str],
    billed: Charged,
) -> None:
    """Update the budgets in the run database, and those of the system's profile."""
    from facematch_comparison.run.recover import finalize_budgets, stores_of

    if not call_ids:
        return
    stores: list[CallStore] = []
    with contextlib.ExitStack() as stack:
        try:
            target = Target(config=config)
            if target.file is not None and system.name in target.file.profiles:
                target = Target(profile=system.name, config=config)
            else:
                target.tell_of_unread()
                target = Target(backend=system.name)
            verifier: Any = stack.enter_context(target.announce_plan().open())
            stores = stores_of(verifier.policies)
        except FaceMatchError:
            say(
                f"warning: {system.name} cannot be opened here, so a budget of its own was not "
                "updated: see `facematch budget`",
                err=True,
            )
        if (here := database.calls()) is not None:
            stores.append(stack.enter_context(contextlib.closing(here)))
        finalize_budgets(stores, call_ids, billed, SystemClock().now())


def _charge(charge: UnresolvedCharge) -> dict[str, Any]:
    """The JSON form of a call without an answer."""
    call = charge.call
    return {
        "system": charge.name,
        "pair": charge.pair + 1,
        "state": charge.state.value,
        "call": call and call.id,
        "error": charge.error,
        "since": charge.since.isoformat(),
        "kept": call and call.kept,
        "vendor_id": call and call.vendor_id,
    }


def _show_charges(charges: Sequence[UnresolvedCharge], store: str) -> None:
    """Print what is open, and what to do about it."""
    if not charges:
        say("nothing is unresolved")
        return
    rows = []
    for charge in charges:
        row = _charge(charge)
        at_vendor = row["vendor_id"] or ("kept" if row["kept"] else "not kept")
        about = (row["call"] or "-", row["system"], str(row["pair"]), row["state"])
        why = row["error"] or "its process ended"
        rows.append((*about, f"{charge.since:%Y-%m-%d %H:%M:%S}", at_vendor, why))
    header = ("call", "system", "pair", "state", "asked (UTC)", "at the vendor", "error")
    print_table(header, rows)
    count = sum(charge.state == "unresolved" for charge in charges)
    if count:
        say(
            f"{quantity(count, 'call')} unresolved: compare with the vendor's invoice, then, for "
            "one that is on it (else --not-charged)"
        )
        words = ["facematch", "compare", "unresolved", "--store", store, "--resolve", "CALL"]
        click.echo(clean(f"  {typed([*words, '--charged'])}"))
