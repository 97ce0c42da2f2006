"""`facematch budget`: show budgets, and resolve calls with an unknown charge."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from facematch_core.errors import FATAL, ConfigurationError, FaceMatchError, InvalidRequest
from facematch_core.models import Charged, Environment, Reconciled

from .options import (
    Target,
    config_option,
    join_options,
    json_option,
    members_of,
    profile_option,
    single_setups,
)
from .text import Exit, code_of, confirm, print_json, print_table, quantity, say

if TYPE_CHECKING:
    from facematch_core.store import BudgetKey, BudgetState, CallStore, Reservation
    from facematch_core.verifier.verifier import Verifier

    #: Open reservations, each with its store.
    Charges: TypeAlias = list[tuple[CallStore, Reservation]]

_SUMS = ("cap", "spent", "reserved", "unknown", "free")

_place = join_options(
    click.option(
        "--store",
        metavar="URL",
        help="Budget store: a SQLite file, sqlite:///FILE, or postgresql+psycopg://... "
        "Default: the profile's store.",
    ),
    profile_option,
    config_option,
)


@click.group("budget", invoke_without_command=True)
@_place
@json_option
@click.pass_context
def command(context: click.Context, /, as_json: bool, **place: Any) -> int | None:
    """Show the spent, reserved, unknown and free amounts of each budget. Sends nothing.

    A call is unknown if it may have been charged, because its response was lost or it did not end
    within 15 minutes. Its amount stays reserved until you `reconcile` or `resolve` the call.
    """
    context.obj = place
    if context.invoked_subcommand is not None:
        return None
    with _open_stores(place) as (stores, charges, now, _):
        states = [state for store in stores for state in store.budgets()]
    calls = [_call(charge) for _, charge in charges]
    # Show a past day only if it still has open calls.
    sums = [
        _sum(state)
        for state in states
        if state.reserved or state.unknown or state.key.ends_at is None or now < state.key.ends_at
    ]
    if as_json:
        print_json({"budgets": sums, "open": calls})
        return Exit.OK
    if not sums:
        say("no budget has been used yet")
        return Exit.OK
    print_table(
        ("budget", "environment", "period", "unit", *_SUMS),
        [
            [row["name"], row["environment"], row["window"] or row["period"], row["unit"]]
            + [str(row[name]) for name in _SUMS]
            for row in sums
        ],
    )
    for row in calls:
        began = row["started_at"][:19].replace("T", " ")
        kept = ", kept at the vendor" if row["retention"] == "keep" else ""
        say(
            f"{row['state']}: {row['call_id']}, {row['amount']} {row['unit']}, {row['backend']} "
            f"{row['operation']}, began {began} UTC{kept}"
        )
    return Exit.OK


@command.command("reconcile", short_help="Search the vendor's records for unknown calls.")
@_place
@json_option
@click.pass_context
def reconcile(context: click.Context, /, as_json: bool, **place: Any) -> int:
    """Search the vendors' records for each unknown call, and resolve the calls that are found.

    Finds only calls that the vendor has a record of. Free of charge. The exit code is 3 if a call
    is still unknown.
    """
    with _open_stores(_merge(context, place), asks=True) as (_, charges, now, verifier):
        found = [*look_up(charges, verifier, now)]
    if as_json:
        calls = [
            _call(call) | {"outcome": outcome, "reason": reason}
            for call, outcome, reason, _ in found
        ]
        print_json({"calls": calls})
    else:
        for call, outcome, reason, _ in found:
            say(f"{call.call.id}: {outcome}. {reason}")
        if unresolved := sum(code is not Exit.OK for *_, code in found):
            say(f"{quantity(unresolved, 'call')} unresolved: check the vendor's invoice, then run")
            click.echo("  facematch budget resolve CALL --charged (or --not-charged)")
        elif not found:
            say("no call is unknown")
    return max((code for *_, code in found), default=Exit.OK)


@command.command("resolve", short_help="Record whether an unknown call was charged.")
@click.argument("call_id", metavar="CALL")
@click.option("--charged", is_flag=True, help="The call is on the vendor's invoice.")
@click.option("--not-charged", "free", is_flag=True, help="The call is not on the invoice.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@_place
@click.pass_context
def resolve(
    context: click.Context, /, call_id: str, *, charged: bool, free: bool, yes: bool, **place: Any
) -> int:
    """Record whether an unknown call was charged, according to the vendor's invoice or support.

    This cannot be undone, so the command asks for confirmation.
    """
    from facematch_core.store import State

    if charged is free:
        raise click.UsageError("Choose --charged or --not-charged.")
    word, outcome = ("charged", Charged.YES) if charged else ("not charged", Charged.NO)
    with _open_stores(_merge(context, place)) as (_, charges, now, _):
        of_call = [(store, charge) for store, charge in charges if charge.call.id == call_id]
        unknown = [(store, charge) for store, charge in of_call if charge.state is State.UNKNOWN]
        if not unknown:
            raise InvalidRequest(
                f"The call may be running: it began at {of_call[0][1].call.started_at:%H:%M:%S} "
                "UTC, and becomes unknown 15 minutes later."
                if of_call
                else f"No open call {call_id[:60]!r} here: `facematch budget` lists the open calls."
            )
        confirm(f"Record call {call_id} as {word}? This cannot be undone.", yes=yes)
        for store, charge in unknown:
            store.finalize(charge, outcome, at=now)
    say(f"{call_id}: {word}")
    return Exit.OK


def _merge(context: click.Context, place: dict[str, Any]) -> dict[str, Any]:
    """Return a subcommand's options, with the group's values for options that are not set."""
    return {name: context.obj[name] if value is None else value for name, value in place.items()}


@contextlib.contextmanager
def _open_stores(
    place: dict[str, Any], *, asks: bool = False
) -> Iterator[tuple[list[CallStore], Charges, dt.datetime, Any]]:
    """Open the store from --store, or the stores of a profile's budgets.

    Yields the stores, the open reservations, the current time, and the verifier or None.
    """
    now, target, address = dt.datetime.now(dt.UTC), Target.of(place), place["store"]
    with contextlib.ExitStack() as stack:
        if address is None:
            # Check first: opening a backend may fail and suggest packages that would not help.
            profiles = [single.profile for single in single_setups(target.setup())]
            if not any(each and "store" in each.policies.get("budget", {}) for each in profiles):
                raise ConfigurationError(
                    "No budget store configured; without one each process counts alone. Name a "
                    "profile that has one with --profile, or a store with --store."
                )
        verifier = stack.enter_context(target.open()) if asks or address is None else None
        if address is None:
            stores = _stores_of(verifier)
        else:
            stores = [stack.enter_context(contextlib.closing(_store_at(address)))]
        yield stores, open_charges(stores, now), now, verifier


def open_charges(stores: Iterable[CallStore], now: dt.datetime) -> Charges:
    """Mark reservations older than 15 minutes as unknown; return all open reservations."""
    from facematch_core.store import expire_reservations

    charges: Charges = []
    for store in stores:
        expire_reservations(store, now)
        charges += [(store, charge) for charge in store.open_reservations()]
    return charges


def _store_at(address: str) -> CallStore:
    """Open an existing store by its SQLAlchemy URL or the path of a SQLite file."""
    from facematch_core.store import SqlStore

    kind, _, file = address.partition(":///") if "://" in address else ("sqlite", "", address)
    # SQLite would create an empty store for a mistyped name.
    if kind.startswith("sqlite") and file and not Path(file.partition("?")[0]).is_file():
        raise click.UsageError(f"--store: there is no file {file[:200]!r}.")
    return SqlStore(address if "://" in address else f"sqlite:///{address}")


def _stores_of(verifier: Any) -> list[CallStore]:
    """Return the budget stores of a verifier, or of a failover's members."""
    from facematch_core.resilience import Budget
    from facematch_core.store import MemoryStore

    policies = [policy for member in members_of(verifier) for policy in member.policies]
    stores = [policy.store for policy in policies if isinstance(policy, Budget)]
    return list(dict.fromkeys(each for each in stores if not isinstance(each, MemoryStore)))


def look_up(
    charges: Charges, verifier: Verifier, now: dt.datetime
) -> Iterator[tuple[Reservation, str, str, Exit]]:
    """Search the vendors' records for unknown calls, and finalize the calls that are found.

    Yields the call, the outcome ("resolved", "error", "skipped" or one of `Reconciled`), the
    reason, and the exit code. After a `FATAL` error, the remaining calls are skipped.
    """
    from facematch_core.store import State

    backends = [member.backend for member in members_of(verifier)]
    # The store treats calls to an unknown environment as production calls.
    accounts = {(each.name, each.environment or Environment.PRODUCTION) for each in backends}
    obstacle = ""
    for store, charge in charges:
        if charge.state is not State.UNKNOWN:
            continue
        name, environment = charge.call.backend, charge.key.environment
        outcome, reason, code = "skipped", obstacle, Exit.LOOK
        if (name, environment) not in accounts:
            reason = f"It was made by {name} ({environment}), which this profile does not use."
        elif not obstacle:
            try:
                answer = verifier.reconcile(charge.call)
            except FaceMatchError as error:
                outcome, reason, code = "error", error.message, code_of(error)
                if isinstance(error, FATAL):
                    obstacle = "Not looked up because of an earlier error."
            else:
                outcome, reason, result = answer.outcome.value, answer.reason, answer.result
                if result is not None and result.billing.charged is Charged.UNKNOWN:
                    outcome = Reconciled.CANNOT_KNOW.value
                elif result is not None:
                    charged, origin = result.billing.charged, result.environment
                    store.finalize(charge, charged, at=now, answered_from=origin)
                    outcome, code = "resolved", Exit.OK
        yield charge, outcome, reason, code


def _writer(key: BudgetKey) -> Callable[[Any], Any]:
    """Return a function that formats a budget's amounts: as text for money, as int for calls."""
    from facematch_core.resilience.budget import format_amount

    return int if key.currency is None else format_amount


def _sum(state: BudgetState) -> dict[str, Any]:
    key, write = state.key, _writer(state.key)
    return {
        "name": key.name,
        "unit": key.unit,
        "period": key.period.value,
        "window": key.window or None,
        "environment": key.environment.value,
        **{name: write(getattr(state, name)) for name in _SUMS},
    }


def _call(charge: Reservation) -> dict[str, Any]:
    call, key = charge.call, charge.key
    return {
        "call_id": call.id,
        "attempt": charge.number,
        "budget": key.name,
        "unit": key.unit,
        "amount": _writer(key)(charge.amount),
        "environment": key.environment.value,
        "backend": call.backend,
        "operation": call.operation.value,
        "state": charge.state.value,
        "started_at": call.started_at.isoformat(),
        "retention": call.retention.value,
        "error": charge.error,
    }
