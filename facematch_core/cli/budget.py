"""`facematch budget`: what is spent, reserved and unknown; and what became of the unknown."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from facematch_core.errors import (
    FATAL,
    ConfigurationError,
    FaceMatchError,
    InvalidRequest,
    VendorError,
)

from . import common
from .common import Exit, Target, counted, say

if TYPE_CHECKING:
    from facematch_core.store import BudgetKey, CallStore, Entry, Standing
    from facematch_core.verifier import Verifier

_place = common.options(
    click.option(
        "--store",
        metavar="URL",
        help="Where calls are remembered: the name of an SQLite file, sqlite:///FILE, or "
        "postgresql+psycopg://... Without it: where the profile says.",
    ),
    common.profile,
    common.config,
)


@click.group(
    "budget",
    invoke_without_command=True,
    short_help="Show what is spent, reserved and unknown; settle what is unknown.",
)
@_place
@click.option("--all", "everything", is_flag=True, help="Also show days and runs that are over.")
@common.as_json
@click.pass_context
def command(context: click.Context, /, everything: bool, as_json: bool, **place: Any) -> int | None:
    """Show what is spent, reserved and unknown of each budget, and what is free.

    Unknown is what may have been charged: calls whose answer was lost, and those of a process that
    ended in the middle. It stays set aside until `reconcile` or `settle` says what became of it.
    Nothing is sent.
    """
    context.obj = place
    if context.invoked_subcommand is not None:
        return None
    with _found(place) as (found, now):
        sums = [one for _, one in found.sums] if everything else found.current(now)
        told = {
            "budgets": [_sum(one) for one in sums],
            "open": [_entry(entry) for _, entry in found.entries],
        }
    if as_json:
        common.print_json(told)
    elif not sums:
        say("no budget was used yet")
    else:
        _print_sums(told["budgets"])
        if told["open"]:
            say()
            _print_open(told["open"])
    return Exit.OK


@command.command("reconcile", short_help="Look for what is unknown in the vendor's records.")
@_place
@common.as_json
@click.pass_context
def reconcile(context: click.Context, /, as_json: bool, **own: Any) -> int:
    """Look for each unknown call in its vendor's records, and settle what is found.

    Only calls that the vendor was asked to keep can be found. Looking charges nothing. The exit
    code is 3 if something stays unknown.
    """
    place = _placed(context, own)
    with common.open_target(Target.of(place)) as verifier, _found(place, verifier) as (found, now):
        looked = look(found, verifier, now)
    if as_json:
        documents = [
            _entry(one.entry) | {"outcome": one.outcome, "reason": one.reason} for one in looked
        ]
        common.print_json({"attempts": documents})
    elif not looked:
        say("nothing is unknown")
    else:
        rows = [(one.entry.attempt.id, one.outcome, one.reason) for one in looked]
        common.print_table(("attempt", "outcome", "why"), rows, prose=("why",))
        left = sum(one.outcome != "settled" for one in looked)
        if left:
            say(f"{counted(left, 'attempt')} left: compare with the vendor's invoice, then")
            common.say_command("facematch budget settle ATTEMPT --charged (or --not-charged)")
    return max((one.code for one in looked), default=Exit.OK)


@command.command("settle", short_help="Say yourself whether a call was charged.")
@click.argument("attempt_id", metavar="ATTEMPT")
@click.option("--charged", is_flag=True, help="It is on the vendor's invoice.")
@click.option("--not-charged", "free", is_flag=True, help="It is not. Give one of the two.")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@_place
@common.as_json
@click.pass_context
def settle(context: click.Context, /, attempt_id: str, *, as_json: bool, **given: Any) -> int:
    """Say whether an unknown call was charged, as the vendor's invoice or support told you.

    It asks first. What is settled is settled for good.
    """
    from facematch_core.models import Charged

    charged, free, yes = (given.pop(name) for name in ("charged", "free", "yes"))
    if charged is free:
        raise click.UsageError("Say --charged or --not-charged, one of the two.")
    word, billed = ("charged", Charged.YES) if charged else ("not charged", Charged.NO)
    with _found(_placed(context, given)) as (found, now):
        entries = found.unknown(attempt_id)
        common.confirm(f"Settle attempt {attempt_id} as {word}, for good?", yes=yes)
        for store, entry in entries:
            store.settle(entry, billed, at=now)
    if as_json:
        documents = [_entry(entry) | {"charged": charged} for _, entry in entries]
        common.print_json({"attempts": documents})
    else:
        say(f"{attempt_id}: {word}")
    return Exit.OK


def _placed(context: click.Context, own: dict[str, Any]) -> dict[str, Any]:
    """Options of a subcommand over those that stand before its name."""
    before: dict[str, Any] = context.obj or {}
    return {name: before.get(name) if value is None else value for name, value in own.items()}


# --- Stores, and what they say --------------------------------------------------------------------


class Found(NamedTuple):
    """What stores say now.

    Attributes:
        sums: Every sum, with the store that it is in.
        entries: What is reserved or unknown, likewise.
    """

    sums: list[tuple[CallStore, Standing]]
    entries: list[tuple[CallStore, Entry]]

    @classmethod
    def of(cls, stores: Sequence[CallStore], now: datetime) -> Found:
        """Read them; what processes that are gone left behind counts as unknown from now on."""
        from facematch_core.store import doubt_abandoned

        for store in stores:
            doubt_abandoned(store, now)
        return cls(
            sums=[(store, one) for store in stores for one in store.standings()],
            entries=[(store, one) for store in stores for one in store.open_entries()],
        )

    def current(self, now: datetime) -> list[Standing]:
        """Sums that still count, or that hold something to be settled."""

        def lasts(key: BudgetKey) -> bool:
            # The run of one process is over with it; one with a name may go on.
            return "@" not in key.window and (key.ends_at is None or now < key.ends_at)

        return [one for _, one in self.sums if one.reserved or one.unknown or lasts(one.key)]

    def unknown(self, attempt_id: str) -> list[tuple[CallStore, Entry]]:
        """What is to be settled by hand.

        Raises:
            InvalidRequest: there is no such attempt, or it is under way.
        """
        from facematch_core.store import State

        of_it = [(store, one) for store, one in self.entries if one.attempt.id == attempt_id]
        if not of_it:
            raise InvalidRequest(
                f"No attempt {attempt_id[:60]!r} is reserved or unknown here: `facematch budget` "
                "lists those that are."
            )
        unknown = [(store, one) for store, one in of_it if one.state is State.UNKNOWN]
        if not unknown:
            owner = of_it[0][1].owner
            raise InvalidRequest(
                f"The attempt is under way in process {owner.pid} on {owner.host}, which settles "
                "it: wait for it. It counts as unknown when that process is gone."
            )
        return unknown


@contextlib.contextmanager
def _found(
    place: dict[str, Any], verifier: Verifier | None = None
) -> Iterator[tuple[Found, datetime]]:
    """What --store, or the budgets of a profile, say at this moment; the moment."""
    from facematch_core._basics import SystemClock

    now = SystemClock().now()
    with contextlib.ExitStack() as stack:
        if place["store"] is not None:
            stores = [store_at(place["store"])]
            stack.callback(stores[0].close)
        else:
            where = Target.of(place)
            opened = verifier or stack.enter_context(common.open_target(where))
            stores = stores_of(opened, where.profile_name())
        yield Found.of(stores, now), now


def sqlite_file(address: str) -> Path | None:
    """The file of an SQLite address, or of a plain name; None for another database."""
    kind, _, file = address.partition(":///") if "://" in address else ("sqlite", "", address)
    return Path(file.partition("?")[0]) if kind.startswith("sqlite") and file else None


def store_at(address: str) -> CallStore:
    """A store that is there already: an address as SQLAlchemy reads it, or the name of a file.

    Raises:
        click.UsageError: there is no such file.
        ConfigurationError: it cannot be used.
    """
    from facematch_core.store import SqlStore

    file = sqlite_file(address)
    # A name that is mistyped would else become a new and empty store.
    if file is not None and not file.is_file():
        raise click.UsageError(f"--store: there is no file {str(file)[:200]!r}.")
    return SqlStore(address if "://" in address else f"sqlite:///{address}")


def stores_of(verifier: Verifier, profile: str | None = None) -> list[CallStore]:
    """Where the budgets of a verifier, or of a failover's members, are remembered, each once.

    Raises:
        ConfigurationError: it has no budget, or only such as are gone with their process.
    """
    from facematch_core.resilience import Budget
    from facematch_core.store import MemoryStore

    gates = [gate for one in common.members_of(verifier) for gate in one.policies]
    budgets = [gate for gate in gates if isinstance(gate, Budget)]
    if not budgets:
        of = (
            "No profile is in use"
            if profile is None
            else f"The profile {profile[:60]!r} has no budget"
        )
        raise ConfigurationError(
            f"{of}: name a profile that has a budget with --profile, or a store with --store."
        )
    lasting = [b.store for b in budgets if not isinstance(b.store, MemoryStore)]
    if not lasting:
        raise ConfigurationError(
            "The budget of this profile is remembered by each process for itself, so there is "
            "nothing to see: give it a store."
        )
    return list(dict.fromkeys(lasting))


# --- Looking for the unknown ----------------------------------------------------------------------


class Looked(NamedTuple):
    """What came of looking for one attempt.

    Attributes:
        entry: Which.
        outcome: A word of `Reconciled`; ``settled`` if it was found; ``error``, ``skipped``.
        reason: A sentence.
        code: The exit code that it stands for.
    """

    entry: Entry
    outcome: str
    reason: str
    code: Exit


def look(found: Found, verifier: Verifier, now: datetime) -> list[Looked]:
    """Look for each unknown attempt in its vendor's records, and settle what is found."""
    from facematch_core.models import Environment
    from facematch_core.store import State

    backends = [one.backend for one in common.members_of(verifier)]
    # Calls whose environment nobody knows are counted with the real ones.
    asked = {(one.name, one.environment or Environment.PRODUCTION) for one in backends}
    looked: list[Looked] = []
    over = ""
    for store, entry in found.entries:
        made = (entry.attempt.backend, entry.key.environment)
        if entry.state is not State.UNKNOWN:
            continue
        if made not in asked or over:
            other = f"It was made by {made[0]} ({made[1]}), which this profile does not ask."
            why = over if made in asked else other
            looked.append(Looked(entry, "skipped", why, Exit.LOOK))
            continue
        try:
            looked.append(_look_for(store, entry, verifier, now))
        except _ENDS as error:
            looked.append(Looked(entry, "error", error.message, common.code_of(error)))
            if isinstance(error, FATAL):
                over = "Not looked for, after the error before it."
    return looked


#: What looking for one attempt may end in; after one of `FATAL` no other is looked for.
_ENDS: tuple[type[FaceMatchError], ...] = (VendorError, *FATAL)


def _look_for(store: CallStore, entry: Entry, verifier: Verifier, now: datetime) -> Looked:
    from facematch_core.models import Charged, Reconciled

    told = verifier.reconcile(entry.attempt)
    if told.result is None or told.result.billing.charged is Charged.UNKNOWN:
        outcome = told.outcome if told.result is None else Reconciled.CANNOT_KNOW
        return Looked(entry, outcome.value, told.reason, Exit.LOOK)
    store.settle(entry, told.result.billing.charged, at=now, answered_from=told.result.environment)
    return Looked(entry, "settled", told.reason, Exit.OK)


# --- As JSON and as tables ------------------------------------------------------------------------

_SUMS = ("cap", "spent", "reserved", "unknown", "free")


def _amount(value: Decimal, key: BudgetKey) -> int | str:
    """A number of calls, or an amount as text, so that it stays exact."""
    from facematch_core.resilience._budget import shown

    return int(value) if key.currency is None else shown(value)


def _sum(standing: Standing) -> dict[str, Any]:
    key = standing.key
    return {
        "name": key.name,
        "unit": key.unit,
        "period": key.period.value,
        "window": key.window or None,
        "environment": key.environment.value,
        **{name: _amount(getattr(standing, name), key) for name in _SUMS},
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "attempt_id": entry.attempt.id,
        "try": entry.number,
        "budget": entry.key.name,
        "unit": entry.key.unit,
        "amount": _amount(entry.amount, entry.key),
        "environment": entry.key.environment.value,
        "backend": entry.attempt.backend,
        "operation": entry.attempt.operation.value,
        "state": entry.state.value,
        "started_at": entry.attempt.started_at.isoformat(),
        "kept": entry.attempt.kept,
        "error": entry.error,
    }


def _print_sums(documents: Sequence[dict[str, Any]]) -> None:
    rows = []
    for one in documents:
        window = one["window"]
        period = window if window and "@" not in window else one["period"]
        cells = [str(one[name]) for name in _SUMS]
        rows.append([one["name"], one["environment"], period, one["unit"], *cells])
    common.print_table(("budget", "where", "period", "unit", *_SUMS), rows)


def _print_open(documents: Sequence[dict[str, Any]]) -> None:
    rows = [
        (
            *(one["attempt_id"], one["state"], f"{one['amount']} {one['unit']}"),
            *(one["backend"], one["operation"], one["started_at"][:19].replace("T", " ")),
            "kept" if one["kept"] else "not kept",
        )
        for one in documents
    ]
    header = ("attempt", "state", "amount", "backend", "operation", "began (UTC)", "at the vendor")
    common.print_table(header, rows)
