"""What `facematch compare run` shows before, during and after."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from facematch_core.cli.common import (
    Exit,
    clean,
    code_of,
    console,
    counted,
    error_document,
    print_table,
    say,
    say_command,
    sentence,
)
from facematch_core.models import Environment
from facematch_core.resilience.budget import format_amount

if TYPE_CHECKING:
    from facematch_core.comparison.running import (
        ContenderSummary,
        PairState,
        RunSummary,
        Standing,
        StoredContender,
        StudyRun,
    )
    from facematch_core.comparison.running._contender import Contender

#: States of pairs that a run ends with and that are worth a column; the title of each.
_COLUMNS = {
    "answered": "answered",
    "failed": "failed",
    "unknown": "unknown",
    "lost": "lost",
}


def show_plan(run: StudyRun, standings: Mapping[str, Standing]) -> None:
    """Print to stderr what will be asked, and what it costs."""
    study = run.stored
    mated = sum(study.content["mated"])
    say(
        f"{study.name}: {counted(study.pairs, 'pair')}, {mated} mated and "
        f"{study.pairs - mated} non-mated",
        err=True,
    )
    rows = []
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for one, stored in run.contenders:
        left = standings[one.name].left
        cost = _cost(one, stored, left)
        if one.costs_money and stored.price is not None:
            sums[str(stored.currency)] += stored.price * left
        backend = one.verifier.backend
        rows.append(
            (
                one.name,
                backend.name,
                (backend.environment or Environment.PRODUCTION).value,
                one.retention.value,
                f"{left} of {study.pairs}",
                cost,
            )
        )
    header = ("contender", "backend", "where", "retention", "calls left", "cost")
    print_table(header, rows, err=True)
    if sums:
        total = " and ".join(
            f"{format_amount(amount)} {currency}" for currency, amount in sums.items()
        )
        say(f"in all {total} at most", err=True)


def _cost(one: Contender, stored: StoredContender, left: int) -> str:
    if not one.is_billed:
        return "nothing"
    if stored.price is None:
        return "not told" if one.costs_money else "nothing"
    amount = f"{format_amount(stored.price * left)} {stored.currency}"
    return amount if one.costs_money else f"nothing; {amount} if it were real"


def question(run: StudyRun, standings: Mapping[str, Standing]) -> str | None:
    """What is asked before money is spent; None if none will be."""
    calls = sum(standings[one.name].left for one, _ in run.contenders if one.costs_money)
    return f"Make {counted(calls, 'call')} that may be charged?" if calls else None


@contextlib.contextmanager
def progress(standings: Mapping[str, Standing]) -> Iterator[Callable[[str, PairState], None]]:
    """A bar for each contender on stderr, if that is a terminal, with what is left of the time."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    to = console(err=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        "asked,",
        TimeRemainingColumn(),
        "left",
    )
    with Progress(*columns, console=to, disable=not to.is_terminal, transient=True) as bars:
        tasks = {
            name: bars.add_task(clean(name), total=standing.left)
            for name, standing in standings.items()
        }

        def advance(name: str, _state: PairState) -> None:
            bars.advance(tasks[name])

        yield advance


def show_summary(summary: RunSummary, store: str) -> None:
    """Print to stdout how every contender stands; to stderr what ended one early."""
    rows = [
        (
            one.name,
            *(str(_count(one, state)) for state in _COLUMNS),
            str(one.standing.not_acquired),
            str(one.standing.left),
            str(one.standing.charged),
        )
        for one in summary.contenders
    ]
    header = ("contender", *_COLUMNS.values(), "not acquired", "left", "charged")
    print_table(header, rows)
    for one in summary.contenders:
        if one.error is not None:
            say(f"error: {one.name}: {sentence(one.error)}", err=True)
    unknown = sum(_count(one, "unknown") for one in summary.contenders)
    if unknown:
        say(f"{counted(unknown, 'pair')} may have been charged without an answer:")
        say_command(f"facematch compare unknown --store {store}")
    elsewhere = sum(_count(one, "claimed") + _count(one, "asked") for one in summary.contenders)
    if elsewhere:
        say(
            f"{counted(elsewhere, 'pair')} with another process; of one that ended on another "
            "machine, they are taken back after an hour"
        )
    left = sum(one.standing.left for one in summary.contenders)
    if left:
        say(f"{counted(left, 'call')} left: the same command goes on from here")
    say(f"written to {store}")


def summary_document(summary: RunSummary, store: str) -> dict[str, Any]:
    """The same for programs."""
    return {
        "store": store,
        "contenders": [
            {
                "name": one.name,
                **{state: _count(one, state) for state in _COLUMNS},
                "not_acquired": one.standing.not_acquired,
                "left": one.standing.left,
                "charged": one.standing.charged,
                "error": None if one.error is None else error_document(one.error),
            }
            for one in summary.contenders
        ],
    }


def ending(summary: RunSummary) -> int:
    """The exit code: the highest of what ended contenders early, and of what is not known."""
    codes = [code_of(one.error) for one in summary.contenders if one.error is not None]
    if any(_count(one, "failed") for one in summary.contenders):
        codes.append(Exit.VENDOR)
    if any(_count(one, "unknown") for one in summary.contenders):
        codes.append(Exit.UNKNOWN)
    return max(codes, default=Exit.OK)


def _count(one: ContenderSummary, state: str) -> int:
    return {key.value: count for key, count in one.standing.states.items()}.get(state, 0)
