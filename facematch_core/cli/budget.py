"""`facematch budget`: what is spent, reserved and unknown; and what became of the unknown."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import click

from facematch_core import errors
from facematch_core.errors import FATAL, ConfigurationError, InvalidRequest

from .options import (
    Target,
    config_option,
    join_options,
    json_option,
    members_of,
    open_target,
    profile_option,
    single_plans,
)
from .text import Exit, code_of, confirm, print_json, print_table, quantity, say

if TYPE_CHECKING:
    from facematch_core.store import BudgetKey, BudgetState, CallStore, Reservation
    from facematch_core.verifier import Verifier

    #: What is reserved or unknown, each with the store that it is in.
    Open: TypeAlias = list[tuple[CallStore, Reservation]]

_SUMS = ("cap", "spent", "reserved", "unknown", "free")

_place = join_options(
    click.option(
        "--store",
        metavar="URL",
        help="Where calls are remembered: the name of an SQLite file, sqlite:///FILE, or "
        "postgresql+psycopg://... By default the store of the profile.",
    ),
    profile_option,
    config_option,
)


@click.group(
    "budget",
    invoke_without_command=True,
    short_help="Show what is spent, reserved and unknown; resolve what is unknown.",
)
@_place
@click.option("--all", "everything", is_flag=True, help="Also show days that are over.")
@json_option
@click.pass_context
def command(context: click.Context, /, everything: bool, as_json: bool, **place: Any) -> int | None:
    """Show what is spent, reserved and unknown of each budget, and what is free.

    Unknown is what may have been charged: calls whose answer was lost, and those that nobody
    finished in 15 minutes (or the lease_s of the profile's budget). It stays set aside until
    `reconcile` or `resolve` says what became of it. Nothing is sent.
    """
    context.obj = place
    if context.invoked_subcommand is not None:
        return None
    with _opened(place) as (stores, left, now):
        sums = [
            _sum(one)
            for store in stores
            for one in store.budgets()
            if everything
            or one.reserved
            or one.unknown
            or one.key.ends_at is None
            or now < one.key.ends_at
        ]
    if as_json:
        print_json({"budgets": sums, "open": [_call(one) for _, one in left]})
    elif not sums:
        say("no budget has been used yet")
    else:
        rows = [
            [one["name"], one["environment"], one["window"] or one["period"], one["unit"]]
            + [str(one[name]) for name in _SUMS]
            for one in sums
        ]
        print_table(("budget", "where", "period", "unit", *_SUMS), rows)
        if left:
            say()
            _print_open(left)
    return Exit.OK


@command.command("reconcile", short_help="Look for what is unknown in the vendor's records.")
@_place
@json_option
@click.pass_context
def reconcile(context: click.Context, /, as_json: bool, **own: Any) -> int:
    """Look for each unknown call in its vendor's records, and resolve what is found.

    Only calls that the vendor was asked to keep can be found. Looking charges nothing. The exit
    code is 3 if something stays unknown.
    """
    place = _placed(context, own)
    where = Target.of(place)
    if place["store"] is None:
        check_stores(where)
    with (
        open_target(where) as verifier,
        _opened(place, verifier) as (_, left, now),
    ):
        looked = look(left, verifier, now)
    if as_json:
        documents = [
            _call(one.reservation) | {"outcome": one.outcome, "reason": one.reason}
            for one in looked
        ]
        print_json({"calls": documents})
    elif not looked:
        say("nothing is unknown")
    else:
        rows = [(one.reservation.call.id, one.outcome, one.reason) for one in looked]
        print_table(("call", "outcome", "why"), rows, prose=("why",))
        unresolved = sum(one.outcome != RESOLVED for one in looked)
        if unresolved:
            say(f"{quantity(unresolved, 'call')} left: compare with the vendor's invoice, then")
            click.echo("  facematch budget resolve CALL --charged (or --not-charged)")
    return max((one.code for one in looked), default=Exit.OK)


@command.command("resolve", short_help="Record whether a call was charged.")
@click.argument("call_id", metavar="CALL")
@click.option("--charged", is_flag=True, help="It is on the vendor's invoice.")
@click.option("--not-charged", "free", is_flag=True, help="It is not on the vendor's invoice.")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@_place
@json_option
@click.pass_context
def resolve(context: click.Context, /, call_id: str, *, as_json: bool, **given: Any) -> int:
    """Record whether an unknown call was charged, as the vendor's invoice or support says.

    It asks for a confirmation, because the answer is final.
    """
    from facematch_core.models import Charged
    from facematch_core.store import State

    charged, free, yes = (given.pop(name) for name in ("charged", "free", "yes"))
    if charged is free:
        raise click.UsageError("Choose --charged or --not-charged.")
    word, outcome = ("charged", Charged.YES) if charged else ("not charged", Charged.NO)
    with _opened(_placed(context, given)) as (_, left, now):
        of_it = [(store, one) for store, one in left if one.call.id == call_id]
        if not of_it:
            raise InvalidRequest(
                f"No call {call_id[:60]!r} is reserved or unknown here: `facematch budget` "
                "lists those that are."
            )
        unknown = [(store, one) for store, one in of_it if one.state is State.UNKNOWN]
        if not unknown:
            raise InvalidRequest(
                f"The call may be under way: it began at {of_it[0][1].call.started_at:%H:%M:%S} "
                "UTC, and counts as unknown 15 minutes later, or after the lease_s of its budget."
            )
        confirm(f"Count call {call_id} as {word}, for good?", yes=yes)
        for store, one in unknown:
            store.finalize(one, outcome, at=now)
    if as_json:
        documents = [_call(one) | {"charged": charged} for _, one in unknown]
        print_json({"calls": documents})
    else:
        say(f"{call_id}: {word}")
    return Exit.OK


# --- Stores, and what is open in them -------------------------------------------------------------


def _placed(context: click.Context, own: dict[str, Any]) -> dict[str, Any]:
    """Options of a subcommand over those that are before its name."""
    before: dict[str, Any] = context.obj or {}
    return {name: before.get(name) if value is None else value for name, value in own.items()}


@contextlib.contextmanager
def _opened(
    place: dict[str, Any], verifier: Verifier | None = None
) -> Iterator[tuple[Sequence[CallStore], Open, datetime]]:
    """Stores by --store, or those of a profile's budgets; what is open in them now."""
    from facematch_core.clock import SystemClock
    from facematch_core.store.records import LEASE_S

    now = SystemClock().now()
    with contextlib.ExitStack() as stack:
        if place["store"] is not None:
            store = store_at(place["store"])
            stack.callback(store.close)
            stores = {store: LEASE_S}
        else:
            if verifier is None:
                where = Target.of(place)
                check_stores(where)
                verifier = stack.enter_context(open_target(where))
            stores = stores_of(verifier)
        yield list(stores), open_in(stores, now), now


def open_in(stores: Mapping[CallStore, float], now: datetime) -> Open:
    """What is reserved or unknown; what was reserved before a store's lease_s is unknown now."""
    from facematch_core.store import expire_reservations

    for store, lease_s in stores.items():
        expire_reservations(store, now, lease_s=lease_s)
    return [(store, one) for store in stores for one in store.open_reservations()]


def store_at(address: str) -> CallStore:
    """A store that is there already: an address as SQLAlchemy reads it, or the name of a file."""
    from facematch_core.store import SqlStore

    kind, _, file = address.partition(":///") if "://" in address else ("sqlite", "", address)
    # A name that is mistyped would else become a new and empty store.
    if kind.startswith("sqlite") and file and not Path(file.partition("?")[0]).is_file():
        raise click.UsageError(f"--store: there is no file {file[:200]!r}.")
    return SqlStore(address if "://" in address else f"sqlite:///{address}")


def check_stores(where: Target) -> None:
    """Refuse profiles without a budget's store, before a backend is opened that needs packages."""
    profiles = [single.profile for single in single_plans(where.plan())]
    if not any(one and "store" in one.policies.get("budget", {}) for one in profiles):
        raise ConfigurationError(
            "There is no budget with a store (without one, each process remembers for itself): "
            "name a profile that has one with --profile, or a store with --store."
        )


def stores_of(verifier: Verifier) -> dict[CallStore, float]:
    """The stores of the budgets of a verifier, or of a failover's members; the longest lease_s."""
    from facematch_core.resilience import Budget
    from facematch_core.store import MemoryStore

    policies = [one for member in members_of(verifier) for one in member.policies]
    stores: dict[CallStore, float] = {}
    for one in policies:
        if isinstance(one, Budget) and not isinstance(one.store, MemoryStore):
            stores[one.store] = max(one.lease_s, stores.get(one.store, 0.0))
    return stores


# --- Looking for the unknown ----------------------------------------------------------------------


#: The outcome of a call that was found; others are the words of `Reconciled`, error and skipped.
RESOLVED = "resolved"

#: What looking for one call may end in; after one of `FATAL` no other is looked for.
_ENDS: tuple[type[errors.FaceMatchError], ...] = (errors.VendorError, *FATAL)


class Looked(NamedTuple):
    """What came of looking for one call."""

    reservation: Reservation
    outcome: str
    reason: str
    code: Exit = Exit.LOOK


def look(left: Open, verifier: Verifier, now: datetime) -> list[Looked]:
    """Look for each unknown call in its vendor's records, and finalize what is found."""
    from facematch_core.models import Charged, Environment, Reconciled
    from facematch_core.store import State

    backends = [one.backend for one in members_of(verifier)]
    # Calls whose environment nobody knows are counted with the real ones.
    asked = {(one.name, one.environment or Environment.PRODUCTION) for one in backends}
    looked: list[Looked] = []
    over = ""
    for store, one in left:
        if one.state is not State.UNKNOWN:
            continue
        name, environment = one.call.backend, one.key.environment
        if (name, environment) not in asked:
            why = f"It was made by {name} ({environment}), which this profile does not ask."
            looked.append(Looked(one, "skipped", why))
        elif over:
            looked.append(Looked(one, "skipped", over))
        else:
            try:
                found = verifier.reconcile(one.call)
            except _ENDS as error:
                looked.append(Looked(one, "error", error.message, code_of(error)))
                if isinstance(error, FATAL):
                    over = "Not looked up, because of the error before it."
                continue
            result = found.result
            if result is None:
                looked.append(Looked(one, found.outcome.value, found.reason))
            elif result.billing.charged is Charged.UNKNOWN:
                looked.append(Looked(one, Reconciled.CANNOT_KNOW.value, found.reason))
            else:
                charged = result.billing.charged
                store.finalize(one, charged, at=now, answered_from=result.environment)
                looked.append(Looked(one, RESOLVED, found.reason, Exit.OK))
    return looked


# --- As JSON --------------------------------------------------------------------------------------


def _amount(value: Decimal, key: BudgetKey) -> int | str:
    """A number of calls, or an amount as text, so that it stays exact."""
    from facematch_core.resilience.budget import format_amount

    return int(value) if key.currency is None else format_amount(value)


def _sum(state: BudgetState) -> dict[str, Any]:
    key = state.key
    return {
        "name": key.name,
        "unit": key.unit,
        "period": key.period.value,
        "window": key.window or None,
        "environment": key.environment.value,
        **{name: _amount(getattr(state, name), key) for name in _SUMS},
    }


def _call(one: Reservation) -> dict[str, Any]:
    return {
        "call_id": one.call.id,
        "try": one.number,
        "budget": one.key.name,
        "unit": one.key.unit,
        "amount": _amount(one.amount, one.key),
        "environment": one.key.environment.value,
        "backend": one.call.backend,
        "operation": one.call.operation.value,
        "state": one.state.value,
        "started_at": one.call.started_at.isoformat(),
        "kept": one.call.kept,
        "error": one.error,
    }


def _print_open(left: Open) -> None:
    header = ("call", "state", "amount", "backend", "operation", "began (UTC)", "at the vendor")
    rows = []
    for _, one in left:
        amount = f"{_amount(one.amount, one.key)} {one.key.unit}"
        call, kept = one.call, "kept" if one.call.kept else "not kept"
        began = f"{call.started_at:%Y-%m-%d %H:%M:%S}"
        rows.append((call.id, one.state, amount, call.backend, call.operation, began, kept))
    print_table(header, rows)
