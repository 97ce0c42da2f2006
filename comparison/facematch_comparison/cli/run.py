"""`facematch compare run` and `unresolved`: the commands that ask vendors, and may cost money."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facematch_core.cli.common import (
    FILE,
    Exit,
    Stopping,
    Target,
    clean,
    code_of,
    config,
    confirm,
    console,
    counted,
    error_document,
    file_option,
    print_json,
    print_table,
    say,
    sentence,
    workers,
)
from facematch_core.clock import SystemClock
from facematch_core.errors import ConfigurationError, FaceMatchError, InvalidRequest
from facematch_core.models import Charged
from facematch_core.resilience.budget import format_amount

from . import common

if TYPE_CHECKING:
    from facematch_comparison.run import (
        PairState,
        Reconciled,
        RunDatabase,
        RunSummary,
        StoredSystem,
        StudyRun,
        UnresolvedCharge,
    )
    from facematch_comparison.run.worker import OpenSystem
    from facematch_core.store import CallStore

#: Calls at a time of each system unless another number is given.
WORKERS = 4

# --- run ------------------------------------------------------------------------------------------


@click.command("run")
@click.argument("source", metavar="PAIRS", type=FILE)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME",
    shell_complete=common.profile_names,
    help="A system: a profile.",
)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    metavar="NAME",
    shell_complete=common.backend_names,
    help="A system: a backend as it is, such as `local`. Both may be repeated.",
)
@config
@common.store
@click.option(
    "--workers",
    callback=workers,
    metavar="1-256",
    show_default=str(WORKERS),
    help="Parallel calls to each system.",
)
@file_option(
    "--embeddings",
    "Embeddings that `compare embed` made of the pictures, for an engine of your own.",
)
@click.option(
    "--name", metavar="TEXT", show_default="that of its file", help="Name of the test set."
)
@file_option(
    "--pictures",
    "With a .txt file of pairs: the folder of people, if it is not that of the file.",
    metavar="DIR",
)
@common.count_option("--mated", "With a folder: how many mated pairs to draw.")
@common.count_option("--non-mated", "With a folder: how many non-mated pairs to draw.")
@click.option(
    "--split",
    is_flag=True,
    help="With a folder: draw within halves of the people. With --out: choose thresholds on one "
    "half, and judge them on the other.",
)
@common.seed
@click.option(
    "--keep",
    multiple=True,
    metavar="NAME",
    help="Ask this system's vendor to keep each call as a record, pictures included, so that a "
    "lost answer can be found again. May be repeated.",
)
@common.price_option("What one comparison by a system costs; by default, what its budget counts.")
@common.currency
@common.out_option(
    "At the end, judge the answers, and write what `compare report` writes: .html or .json. "
    "May be repeated."
)
@common.aims
@common.costs
@common.force
@click.option("--yes", is_flag=True, help="Do not ask before money is spent.")
@common.json_flag
def run(*, source: Path, store: str, as_json: bool, **given: Any) -> int:
    """Ask every system about every pair of PAIRS, once; stop and resume at any time.

    PAIRS is a file of pairs (.csv, or .txt as LFW has them), or a folder with one folder for each
    person, from which pairs are drawn.

    \b
    facematch compare run pairs.csv --profile didit --backend local \\
      --price didit=0.05
    facematch compare run people/ --mated 600 --non-mated 6000 --backend local \\
      --out report.html

    Answers are saved in the run database as they come. Stop or kill the command at any moment: the
    same command goes on from there, and nothing is paid twice. One process at a time works on a run
    database; the commands that read it work meanwhile. It asks before it spends money. The exit
    code is 0 if every pair is done; see `facematch -h`.
    """
    common.check_outs(given["outs"], overwrite=given["force"])
    costs = common.costs_of(given)
    openers = _openers_of(given["profiles"], given["backends"], given["config"])
    from facematch_comparison.run import Price, StudyRun, read_answers
    from facematch_comparison.study import read_study

    prices = {
        name: Price(amount=amount, currency=given["currency"] or common.CURRENCY)
        for name, amount in given["prices"].items()
    }
    # Of a file, --split is for the judgement.
    splits = given["split"] and (source.is_dir() or not given["outs"])
    drawing = {name: given[name] for name in ("pictures", "mated", "non_mated", "seed")}
    with (
        common.database_at(store, is_new=True) as database,
        StudyRun(
            read_study(source, split=splits, note=common.note, **drawing),
            openers,
            database,
            name=given["name"],
            keep=given["keep"],
            prices=prices,
        ) as study_run,
    ):
        left = {name: one.left for name, one in study_run.progress().items()}
        _show_plan(study_run, left)
        paid = sum(left[one.name] for one in study_run.systems if one.costs_money)
        if paid:
            confirm(f"Make {counted(paid, 'call')} that may be charged?", yes=given["yes"])
        with Stopping() as stopping, _bars(left) as advance:
            summary = study_run.run(
                workers=given["workers"] or WORKERS,
                progress=advance,
                stop=lambda: bool(stopping.signal),
                embeddings=given["embeddings"],
            )
        document = _document(summary, store)
        if as_json:
            print_json(document)
        else:
            _show_summary(summary, document)
        if stopping.signal:
            return 128 + stopping.signal
        if given["outs"]:
            stored = study_run.stored
            answers = read_answers(database, stored, systems=list(openers))
            judged = common.Source(answers=answers, name=stored.name, digest=stored.digest)
            evaluation = common.evaluated_as_asked(judged, given, costs)
            common.write_outs(given["outs"], evaluation)
            common.say_headline(evaluation, err=as_json)
            for path in given["outs"]:
                say(f"judged in {path}", err=as_json)
        return _ending(summary, document)


# --- Systems --------------------------------------------------------------------------------------


def _openers_of(
    profiles: Iterable[str], backends: Iterable[str], config: str | None
) -> dict[str, Callable[..., Any]]:
    """Name of each system to what opens it; profiles first."""
    asked = [(name, Target(profile=name, config=config)) for name in profiles]
    asked += [(name, Target(backend=name)) for name in backends]
    if not asked:
        raise click.UsageError("Name at least one system with --profile or --backend.")
    if config is not None and all(where.profile is None for _, where in asked):
        raise click.UsageError("--config holds profiles: name one with --profile.")
    openers: dict[str, Callable[..., Any]] = {}
    for name, where in asked:
        if name in openers:
            raise click.UsageError(
                f"{name[:60]!r} is named twice; systems need names of their own."
            )
        openers[name] = where.announced().open
    return openers


def _opener_by_name(name: str, config: str | None) -> Callable[..., Any]:
    """What opens the profile of this name or, if there is none, the backend."""
    where = Target(config=config)
    if name in where.profile_names():
        return Target(profile=name, config=config).announced().open
    where.tell_of_unread()
    return Target(backend=name).announced().open


# --- What is shown before, during and after -------------------------------------------------------

#: States of pairs that a run ends with and that are worth a column.
_STATES = ("answered", "failed", "unresolved", "no_response")


def _show_plan(study_run: StudyRun, calls: Mapping[str, int]) -> None:
    """Print to stderr what will be asked, so many calls of each system, and what it costs."""
    study = study_run.stored
    mated = sum(study.content["mated"])
    say(
        f"{study.name}: {counted(study.pairs, 'pair')}, {mated} mated and "
        f"{study.pairs - mated} non-mated",
        err=True,
    )
    rows = []
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for one in study_run.systems:
        left, stored = calls[one.name], one.stored
        if one.costs_money and stored.price is not None:
            sums[str(stored.currency)] += stored.price * left
        asked_with = (stored.settings["backend"], stored.settings["environment"])
        share = f"{left} of {study.pairs}"
        rows.append((one.name, *asked_with, one.retention.value, share, _cost(one, left)))
    header = ("system", "backend", "where", "retention", "calls left", "cost")
    print_table(header, rows, err=True)
    if sums:
        total = " and ".join(
            f"{format_amount(amount)} {currency}" for currency, amount in sums.items()
        )
        say(f"in all {total} at most", err=True)


def _cost(one: OpenSystem, left: int) -> str:
    stored = one.stored
    if not one.is_billed:
        return "nothing"
    if stored.price is None:
        return "not known" if one.costs_money else "nothing"
    amount = f"{format_amount(stored.price * left)} {stored.currency}"
    return amount if one.costs_money else f"nothing; {amount} if it were real"


@contextlib.contextmanager
def _bars(calls: Mapping[str, int]) -> Iterator[Callable[[str, PairState], None]]:
    """A bar for each system on stderr, if that is a terminal, with what is left of the time."""
    from rich import progress as rich

    to = console(err=True)
    columns = (
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        "asked,",
        rich.TimeRemainingColumn(),
        "left",
    )
    with rich.Progress(*columns, console=to, disable=not to.is_terminal, transient=True) as bars:
        tasks = {name: bars.add_task(clean(name), total=left) for name, left in calls.items()}
        yield lambda name, _state: bars.advance(tasks[name])


def _show_summary(summary: RunSummary, document: Mapping[str, Any]) -> None:
    """Print to stdout how far every system is; to stderr what ended one early."""
    systems, store = document["systems"], document["store"]
    keys = ("name", *_STATES, "not_acquired", "left")
    header = ("system", *(state.replace("_", " ") for state in _STATES), "FTA", "left", "charged")
    rows = []
    for one in systems:
        least, maybe = one["charged"], one["maybe_charged"]
        charged = f"{least} to {least + maybe}" if maybe else str(least)
        rows.append((*(str(one[key]) for key in keys), charged))
    print_table(header, rows)
    for one in summary.systems:
        if one.error is not None:
            say(f"error: {one.name}: {sentence(one.error)}", err=True)
        elif one.last_failure is not None:
            last = sentence(one.last_failure)
            say(f"warning: {one.name}: calls failed, the last one so: {last}", err=True)
    for name, models in summary.changed_models.items():
        several = ", ".join(f"{model} ({counted(n, 'pair')})" for model, n in models.items())
        say(
            f"warning: the model of {name} changed during the run: {several}. Each is judged as a "
            "system of its own.",
            err=True,
        )
    lost = sum(one["unresolved"] + one["no_response"] for one in systems)
    if lost:
        may = "may have been " if any(one["unresolved"] for one in systems) else ""
        say(f"{counted(lost, 'pair')} {may}charged without an answer:")
        click.echo(clean(f"  facematch compare unresolved --store {store}"))
    left = sum(one["left"] for one in systems)
    if left:
        say(f"{counted(left, 'call')} left: the same command goes on from here")
    say(f"written to {store}")


def _document(summary: RunSummary, store: str) -> dict[str, Any]:
    """The same for programs."""
    from facematch_comparison.run import PairState

    systems = []
    for one in summary.systems:
        states = one.progress.states
        counts = {state: states.get(PairState(state.replace("_", " ")), 0) for state in _STATES}
        # What a call ended in could not be written.
        counts["unresolved"] += states.get(PairState.ASKED, 0)
        for fact in ("not_acquired", "left", "charged", "maybe_charged"):
            counts[fact] = getattr(one.progress, fact)
        error = None if one.error is None else error_document(one.error)
        systems.append({"name": one.name, **counts, "models": one.progress.models, "error": error})
    return {"store": store, "systems": systems}


def _ending(summary: RunSummary, document: Mapping[str, Any]) -> int:
    """The exit code: the highest of what ended systems early, and of what is not known."""
    codes = [code_of(one.error) for one in summary.systems if one.error is not None]
    for state, code in (("failed", Exit.VENDOR), ("unresolved", Exit.UNKNOWN)):
        if any(one[state] for one in document["systems"]):
            codes.append(code)
    return max(codes, default=Exit.OK)


# --- unresolved -----------------------------------------------------------------------------------


@click.command("unresolved")
@common.store
@click.option("--study", metavar="NAME", help="Only calls of this test set.")
@click.option(
    "--reconcile",
    is_flag=True,
    help="Look for each call in its vendor's records, which is free. Only calls that the "
    "vendor was asked to keep, or gave an id of its own, can be found.",
)
@click.option(
    "--resolve",
    metavar="CALL",
    help="Say whether one call was charged, with --charged or --not-charged.",
)
@click.option("--charged", is_flag=True, help="It is on the vendor's invoice: never asked again.")
@click.option("--not-charged", "free", is_flag=True, help="It is not: the next run asks again.")
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(),
    help="The configuration file of the systems' profiles, for --reconcile and --resolve.",
)
@click.option("--yes", is_flag=True, help="Do not ask before --resolve.")
@common.json_flag
def unresolved(*, store: str, study: str | None, as_json: bool, **given: Any) -> int:
    """List calls that were charged, or may have been, and have no answer.

    facematch never repeats them on its own. --reconcile looks for them in the vendor's records;
    --resolve writes down what the vendor's invoice or support says, for good. Budgets are updated.
    """
    call_id, config = given["resolve"], given["config"]
    _check_usage(given)
    with common.database_at(store) as database:
        studies = database.studies() if study is None else (database.study(study),)
        systems = [one for each in studies for one in database.systems(each.digest)]
        try:
            database.hold()
        except ConfigurationError as error:
            if call_id is not None or given["reconcile"]:
                raise
            say(f"note: {error.message} Calls that are under way are not listed.", err=True)
        else:
            _take_back(database, systems, config)
        if call_id is not None:
            billed = Charged.YES if given["charged"] else Charged.NO
            said = _resolve(database, systems, call_id, billed, config, yes=given["yes"])
            if as_json:
                print_json(said)
            else:
                say(f"{call_id}: {_WORDS[billed]}")
            return Exit.OK
        looked = _reconcile(database, systems, config) if given["reconcile"] else None
        left = [one for system in systems for one in database.unresolved(system)]
    if as_json:
        rows = [
            {**_charge(one.charge), "outcome": one.outcome, "reason": one.reason}
            for one in looked or ()
        ]
        more = {} if looked is None else {"looked": rows}
        print_json({"open": [_charge(one) for one in left], **more})
    else:
        _show_charges(left, looked or (), store)
    # 3 if something that was looked for stays open, 5 if the records could not be read.
    codes = {"found": Exit.OK, "error": Exit.VENDOR}
    return max((codes.get(one.outcome, Exit.LOOK) for one in looked or ()), default=Exit.OK)


def _check_usage(given: Mapping[str, Any]) -> None:
    if given["resolve"] is None:
        if given["charged"] or given["free"]:
            raise click.UsageError("--charged and --not-charged go with --resolve CALL.")
    elif given["charged"] is given["free"]:
        raise click.UsageError("Choose --charged or --not-charged.")
    elif given["reconcile"]:
        raise click.UsageError("Either --reconcile or --resolve.")


_WORDS = {Charged.YES: "charged", Charged.NO: "not charged"}


def _take_back(database: RunDatabase, systems: Sequence[StoredSystem], config: str | None) -> None:
    """What a run that is over had asked is unresolved from now on; what budgets know, is not."""
    from facematch_comparison.run.recover import resolve_by_budgets, take_back

    for one in systems:
        take_back(database, one, partial(_finalize, database, one, Charged.NO, config))
        resolve_by_budgets(database, one)


def _reconcile(
    database: RunDatabase, systems: Sequence[StoredSystem], config: str | None
) -> list[Reconciled]:
    """Look for each in its vendor's records, and write down what is found."""
    from facematch_comparison.run.recover import Reconciled, reconcile_charges

    looked: list[Reconciled] = []
    for one in systems:
        left = database.unresolved(one)
        if not left:
            continue
        try:
            verifier = _opener_by_name(one.name, config)()
        except FaceMatchError as error:
            why = error.message
            looked += [Reconciled(charge=it, outcome="error", reason=why) for it in left]
        else:
            with verifier, _stores(database, verifier) as stores:
                looked += reconcile_charges(database, one, verifier, stores, SystemClock().now())
    return looked


def _resolve(
    database: RunDatabase,
    systems: Sequence[StoredSystem],
    call_id: str,
    billed: Charged,
    config: str | None,
    *,
    yes: bool,
) -> dict[str, Any]:
    """Say whether a call was charged, to the budgets and to the run database."""
    every = [(system, left) for system in systems for left in database.unresolved(system)]
    found = [(system, left) for system, left in every if left.call and left.call.id == call_id]
    if not found:
        raise InvalidRequest(
            f"No call {call_id[:60]!r} is unresolved here: `facematch compare unresolved` lists "
            "those that are."
        )
    ((system, left),) = found
    if left.state != "unresolved":
        raise InvalidRequest("This call is resolved already: it was charged, and has no answer.")
    confirm(f"Resolve call {call_id} of {system.name} as {_WORDS[billed]}, for good?", yes=yes)
    _finalize(database, system, billed, config, [call_id])
    database.resolve(system.number, call_id, billed)
    return {**_charge(left), "charged": billed is Charged.YES}


def _finalize(
    database: RunDatabase,
    system: StoredSystem,
    billed: Charged,
    config: str | None,
    call_ids: Sequence[str],
) -> None:
    """Update the budgets in this database, and those of the system's profile."""
    from facematch_comparison.run.recover import finalize_budgets

    if not call_ids:
        return
    verifier = None
    with contextlib.suppress(FaceMatchError):
        verifier = _opener_by_name(system.name, config)()
    with verifier or contextlib.nullcontext(), _stores(database, verifier) as stores:
        finalize_budgets(stores, call_ids, billed, SystemClock().now())
    if verifier is None:
        say(
            f"warning: {system.name} cannot be opened here, so a budget of its own was not "
            "updated: see `facematch budget`",
            err=True,
        )


@contextlib.contextmanager
def _stores(database: RunDatabase, verifier: Any) -> Iterator[list[CallStore]]:
    """Of budgets: those of a verifier, if there is one, and that in the run database."""
    from facematch_core.resilience import Budget

    policies = () if verifier is None else verifier.policies
    stores = [policy.store for policy in policies if isinstance(policy, Budget)]
    with contextlib.ExitStack() as stack:
        if (here := database.calls()) is not None:
            stores.append(stack.enter_context(contextlib.closing(here)))
        yield stores


def _charge(left: UnresolvedCharge) -> dict[str, Any]:
    """The JSON form of a call without an answer."""
    return {
        "system": left.name,
        "pair": left.pair + 1,
        "state": left.state.value,
        "call": left.call and left.call.id,
        "error": left.error,
        "since": left.since.isoformat(),
        "kept": left.call and left.call.kept,
        "vendor_id": left.call and left.call.vendor_id,
    }


def _show_charges(
    left: Sequence[UnresolvedCharge], looked: Sequence[Reconciled], store: str
) -> None:
    """Print what was looked for, what is left, and what to do about it."""
    if looked:
        rows = [
            (one.charge.call.id if one.charge.call else "-", one.outcome, one.reason)
            for one in looked
        ]
        print_table(("call", "outcome", "why"), rows, prose=("why",))
    if not left:
        say("nothing is unresolved")
        return
    header = ("call", "system", "pair", "state", "asked (UTC)", "at the vendor", "error")
    open_rows = []
    for one in left:
        pair = (one.name, str(one.pair + 1), one.state.value, f"{one.since:%Y-%m-%d %H:%M:%S}")
        why = one.error or "its process ended"
        open_rows.append((one.call.id if one.call else "-", *pair, _at_vendor(one), why))
    print_table(header, open_rows)
    still = sum(one.state == "unresolved" for one in left)
    if still:
        say(f"{counted(still, 'call')} unresolved: compare with the vendor's invoice, then")
        resolve = f"--store {store} --resolve CALL --charged (or --not-charged)"
        click.echo(clean(f"  facematch compare unresolved {resolve}"))


def _at_vendor(one: UnresolvedCharge) -> str:
    if one.call is not None and one.call.vendor_id is not None:
        return one.call.vendor_id
    return "kept" if one.call is not None and one.call.kept else "not kept"
