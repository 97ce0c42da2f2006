"""`facematch compare run` and `unresolved`: the commands that ask vendors, and may cost money.

What may be charged is shown before anything is sent, and confirmed; what was charged without an
answer is listed until somebody says what became of it.
"""

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
from facematch_core.models import Charged, Environment
from facematch_core.resilience.budget import format_amount

from . import common

if TYPE_CHECKING:
    from facematch_comparison.model import Costs, Evaluation
    from facematch_comparison.run import (
        PairState,
        Progress,
        Reconciled,
        RunDatabase,
        RunSummary,
        StoredSystem,
        StudyRun,
        SystemSummary,
        UnresolvedCharge,
    )
    from facematch_comparison.run.worker import OpenSystem
    from facematch_comparison.study import Study
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
    help="Parallel calls to each system; 4 by default.",
)
@file_option(
    "--embeddings",
    "Embeddings that `compare embed` made of the pictures, for an engine of your own.",
)
@click.option("--name", metavar="TEXT", help="Name of the test set; by default that of its file.")
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
    "At the end, judge the answers, and write what `compare report` writes: .html or .json; may "
    "be repeated."
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
    from facematch_comparison.run import Price, StudyRun

    prices = {
        name: Price(amount=amount, currency=given["currency"] or common.CURRENCY)
        for name, amount in given["prices"].items()
    }
    with (
        common.database_at(store, is_new=True) as database,
        StudyRun(
            _study(source, given),
            openers,
            database,
            name=given["name"],
            keep=given["keep"],
            prices=prices,
        ) as study_run,
    ):
        left = {name: one.left for name, one in study_run.progress().items()}
        _show_plan(study_run, left)
        question = _question(study_run, left)
        if question is not None:
            confirm(question, yes=given["yes"])
        with Stopping() as stopping, _bars(left) as advance:
            summary = study_run.run(
                workers=given["workers"] or WORKERS,
                progress=advance,
                stop=lambda: bool(stopping.signal),
                embeddings=given["embeddings"],
            )
        if as_json:
            print_json(_summary_document(summary, store))
        else:
            _show_summary(summary, store)
        if stopping.signal:
            return 128 + stopping.signal
        if given["outs"]:
            evaluation = _judge(study_run, database, given, costs)
            common.write_outs(given["outs"], evaluation)
            common.say_headline(evaluation, err=as_json)
            for path in given["outs"]:
                say(f"judged in {path}", err=as_json)
        return _ending(summary)


def _study(source: Path, given: Mapping[str, Any]) -> Study:
    from facematch_comparison.study import read_study

    drawn = given["mated"] is not None or given["non_mated"] is not None
    is_folder = source.is_dir()
    if drawn and not is_folder:
        raise click.UsageError(
            "--mated and --non-mated go with a folder, of which pairs are drawn."
        )
    if given["split"] and not is_folder and not given["outs"]:
        raise click.UsageError("--split goes with a folder, or with --out.")
    return read_study(
        source,
        pictures=given["pictures"],
        mated=given["mated"],
        non_mated=given["non_mated"],
        split=given["split"] and is_folder,
        seed=given["seed"],
    )


def _judge(
    study_run: StudyRun, database: RunDatabase, given: Mapping[str, Any], costs: Costs | None
) -> Evaluation:
    from facematch_comparison.run import read_answers

    study = study_run.stored
    names = [one.name for one, _ in study_run.systems]
    source = common.Source(
        answers=read_answers(database, study, systems=names), name=study.name, digest=study.digest
    )
    return source.evaluated(
        required_fmr=given["fmr"],
        confidence=given["confidence"],
        split=given["split"],
        seed=given["seed"],
        costs=costs,
    )


# --- Systems --------------------------------------------------------------------------------------


def _openers_of(
    profiles: Iterable[str], backends: Iterable[str], config: str | None
) -> dict[str, Callable[..., Any]]:
    """Name of each system to what opens it; profiles first.

    Raises:
        click.UsageError: there is none, or a name comes twice.
        ConfigurationError: the configuration, or a plug-in.
    """
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
                f"{name[:60]!r} is named twice: systems have names of their own."
            )
        openers[name] = where.announced().open
    return openers


def _opener_by_name(name: str, config: str | None) -> Callable[..., Any]:
    """What opens the profile of this name or, if there is none, the backend.

    Raises:
        ConfigurationError: the file, the profile, or there is neither.
    """
    where = Target(config=config)
    if name in where.profile_names():
        return Target(profile=name, config=config).announced().open
    where.tell_of_unread()
    return Target(backend=name).announced().open


# --- What is shown before, during and after -------------------------------------------------------

#: States of pairs that a run ends with and that are worth a column.
_STATES = ("answered", "failed", "unresolved", "no response")


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
    for one, stored in study_run.systems:
        left = calls[one.name]
        if one.costs_money and stored.price is not None:
            sums[str(stored.currency)] += stored.price * left
        backend = one.verifier.backend
        environment = (backend.environment or Environment.PRODUCTION).value
        share = f"{left} of {study.pairs}"
        cost = _cost(one, stored, left)
        rows.append((one.name, backend.name, environment, one.retention.value, share, cost))
    header = ("system", "backend", "where", "retention", "calls left", "cost")
    print_table(header, rows, err=True)
    if sums:
        total = " and ".join(
            f"{format_amount(amount)} {currency}" for currency, amount in sums.items()
        )
        say(f"in all {total} at most", err=True)


def _cost(one: OpenSystem, stored: StoredSystem, left: int) -> str:
    if not one.is_billed:
        return "nothing"
    if stored.price is None:
        return "not known" if one.costs_money else "nothing"
    amount = f"{format_amount(stored.price * left)} {stored.currency}"
    return amount if one.costs_money else f"nothing; {amount} if it were real"


def _question(study_run: StudyRun, calls: Mapping[str, int]) -> str | None:
    """What is asked before money is spent; None if none will be."""
    paid = sum(calls[one.name] for one, _ in study_run.systems if one.costs_money)
    return f"Make {counted(paid, 'call')} that may be charged?" if paid else None


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


def _show_summary(summary: RunSummary, store: str) -> None:
    """Print to stdout how far every system is; to stderr what ended one early."""
    rows = [
        (
            one.name,
            *(str(_count(one, state)) for state in _STATES),
            str(one.progress.not_acquired),
            str(one.progress.left),
            _charged(one.progress),
        )
        for one in summary.systems
    ]
    print_table(("system", *_STATES, "FTA", "left", "charged"), rows)
    for one in summary.systems:
        if one.error is not None:
            say(f"error: {one.name}: {sentence(one.error)}", err=True)
    for name, models in summary.changed_models.items():
        several = ", ".join(f"{model} ({counted(n, 'pair')})" for model, n in models.items())
        say(
            f"warning: the model of {name} changed during the run: {several}. Each is judged as a "
            "system of its own.",
            err=True,
        )
    open_calls = sum(_count(one, "unresolved") for one in summary.systems)
    if open_calls:
        say(f"{counted(open_calls, 'pair')} may have been charged without an answer:")
        click.echo(clean(f"  facematch compare unresolved --store {store}"))
    if not summary.is_complete:
        left = sum(one.progress.left for one in summary.systems)
        say(f"{counted(left, 'call')} left: the same command goes on from here")
    say(f"written to {store}")


def _summary_document(summary: RunSummary, store: str) -> dict[str, Any]:
    """The same for programs."""
    return {
        "store": store,
        "systems": [
            {
                "name": one.name,
                **{state.replace(" ", "_"): _count(one, state) for state in _STATES},
                "not_acquired": one.progress.not_acquired,
                "left": one.progress.left,
                "charged": one.progress.charged,
                "maybe_charged": one.progress.maybe_charged,
                "models": dict(one.progress.models),
                "error": None if one.error is None else error_document(one.error),
            }
            for one in summary.systems
        ],
    }


def _ending(summary: RunSummary) -> int:
    """The exit code: the highest of what ended systems early, and of what is not known."""
    codes = [code_of(one.error) for one in summary.systems if one.error is not None]
    if any(_count(one, "failed") for one in summary.systems):
        codes.append(Exit.VENDOR)
    if any(_count(one, "unresolved") for one in summary.systems):
        codes.append(Exit.UNKNOWN)
    return max(codes, default=Exit.OK)


def _charged(progress: Progress) -> str:
    """How many pairs were charged; from how many to how many, where that is not known."""
    most = progress.charged + progress.maybe_charged
    return f"{progress.charged} to {most}" if progress.maybe_charged else str(most)


def _count(one: SystemSummary, state: str) -> int:
    return {key.value: count for key, count in one.progress.states.items()}.get(state, 0)


# --- unresolved -----------------------------------------------------------------------------------


@click.command("unresolved")
@common.store
@click.option("--study", metavar="NAME", help="Only calls of this test set.")
@click.option(
    "--reconcile",
    is_flag=True,
    help="Look for each call in its vendor's records, which is free. Only calls that the "
    "vendor was asked to keep can be found.",
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
    if given["resolve"] is None and (given["charged"] or given["free"]):
        raise click.UsageError("--charged and --not-charged go with --resolve CALL.")
    if given["resolve"] is not None and given["charged"] is given["free"]:
        raise click.UsageError("Choose --charged or --not-charged.")
    if given["resolve"] is not None and given["reconcile"]:
        raise click.UsageError("Either --reconcile or --resolve.")
    with common.database_at(store) as database:
        charges = _Charges(database, study, given["config"])
        try:
            database.hold()
        except ConfigurationError as error:
            if given["resolve"] is not None or given["reconcile"]:
                raise
            say(f"note: {error.message} Calls that are under way are not listed.", err=True)
        else:
            charges.recover()
        if given["resolve"] is not None:
            billed = Charged.YES if given["charged"] else Charged.NO
            return _resolve(charges, given["resolve"], billed, yes=given["yes"], as_json=as_json)
        looked = charges.reconcile() if given["reconcile"] else []
        left = charges.left()
    if as_json:
        document: dict[str, Any] = {"open": [_charge(one) for one in left]}
        if given["reconcile"]:
            document["looked"] = [
                {**_charge(one.charge), "outcome": one.outcome, "reason": one.reason}
                for one in looked
            ]
        print_json(document)
    else:
        _show_charges(left, looked, store)
    # 3 if something that was looked for stays open, 5 if the records could not be read.
    codes = {"found": Exit.OK, "error": Exit.VENDOR}
    return max((codes.get(one.outcome, Exit.LOOK) for one in looked), default=Exit.OK)


class _Charges:
    """Calls without an answer in one run database.

    Args:
        database: Which.
        study: Name of a test set; None for all.
        config: The configuration file; None for the usual places.

    Raises:
        InvalidRequest: there is no such test set.
    """

    def __init__(self, database: RunDatabase, study: str | None, config: str | None) -> None:
        self._database, self._config = database, config
        studies = database.studies() if study is None else (database.study(study),)
        self._systems = [one for each in studies for one in database.systems(each.digest)]

    def recover(self) -> None:
        """What a run that is over had asked is unresolved from now on."""
        from facematch_comparison.run.recover import resolve_by_budgets, take_back

        for one in self._systems:
            take_back(self._database, one, partial(self._finalize, one, billed=Charged.NO))
            resolve_by_budgets(self._database, one)

    def left(self) -> list[UnresolvedCharge]:
        """All of them."""
        return [left for one in self._systems for left in self._database.unresolved(one)]

    def reconcile(self) -> list[Reconciled]:
        """Look for each in its vendor's records, and write down what is found."""
        from facematch_comparison.run.recover import Reconciled, reconcile_charges

        looked: list[Reconciled] = []
        now = SystemClock().now()
        for one in self._systems:
            left = self._database.unresolved(one)
            if not left:
                continue
            try:
                verifier = _opener_by_name(one.name, self._config)()
            except FaceMatchError as error:
                looked += [
                    Reconciled(charge=it, outcome="error", reason=error.message) for it in left
                ]
                continue
            with verifier, self._stores(verifier) as stores:
                looked += reconcile_charges(self._database, one, verifier, stores, now)
        return looked

    def chosen(self, call_id: str) -> tuple[StoredSystem, UnresolvedCharge]:
        """What is to be resolved.

        Raises:
            InvalidRequest: there is no such call, or it is resolved.
        """
        from facematch_comparison.run import PairState

        for one in self._systems:
            for left in self._database.unresolved(one):
                if left.call is not None and left.call.id == call_id:
                    if left.state is PairState.UNRESOLVED:
                        return one, left
                    raise InvalidRequest(
                        "This call is resolved already: it was charged, and has no answer."
                    )
        raise InvalidRequest(
            f"No call {call_id[:60]!r} is unresolved here: `facematch compare unresolved` lists "
            "those that are."
        )

    def resolve(self, system: StoredSystem, call_id: str, billed: Charged) -> None:
        """Say whether a call was charged, to the budgets and to the run database."""
        self._finalize(system, [call_id], billed)
        self._database.resolve(system.number, call_id, billed)

    def _finalize(self, system: StoredSystem, call_ids: Sequence[str], billed: Charged) -> None:
        """Update the budgets in this database, and those of the system's profile."""
        from facematch_comparison.run.recover import finalize_budgets

        if not call_ids:
            return
        now = SystemClock().now()
        verifier = None
        with contextlib.suppress(FaceMatchError):
            verifier = _opener_by_name(system.name, self._config)()
        with verifier or contextlib.nullcontext(), self._stores(verifier) as stores:
            finalize_budgets(stores, call_ids, billed, now)
        if verifier is None:
            say(
                f"warning: {system.name} cannot be opened here, so a budget of its own was not "
                "updated: see `facematch budget`",
                err=True,
            )

    @contextlib.contextmanager
    def _stores(self, verifier: Any) -> Iterator[list[CallStore]]:
        from facematch_core.resilience import Budget

        here = self._database.calls()
        policies = () if verifier is None else verifier.policies
        stores = [policy.store for policy in policies if isinstance(policy, Budget)]
        try:
            yield [*stores, *([here] if here else [])]
        finally:
            if here is not None:
                here.close()


def _resolve(charges: _Charges, call_id: str, billed: Charged, *, yes: bool, as_json: bool) -> int:
    system, left = charges.chosen(call_id)
    word = "charged" if billed is Charged.YES else "not charged"
    confirm(f"Resolve call {call_id} of {system.name} as {word}, for good?", yes=yes)
    charges.resolve(system, call_id, billed)
    if as_json:
        print_json({**_charge(left), "charged": billed is Charged.YES})
    else:
        say(f"{call_id}: {word}")
    return Exit.OK


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
    open_rows = [
        (
            one.call.id if one.call else "-",
            one.name,
            str(one.pair + 1),
            one.state.value,
            f"{one.since:%Y-%m-%d %H:%M:%S}",
            "kept" if one.call and one.call.kept else "not kept",
            one.error or "its process ended",
        )
        for one in left
    ]
    print_table(header, open_rows)
    still = sum(one.state == "unresolved" for one in left)
    if still:
        say(f"{counted(still, 'call')} unresolved: compare with the vendor's invoice, then")
        click.echo(
            clean(
                f"  facematch compare unresolved --store {store} --resolve CALL --charged "
                "(or --not-charged)"
            )
        )
