"""`facematch budget`: show budgets and unanswered calls, and resolve an unknown charge."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import click

from facematch_core.batch.charges import stores_of
from facematch_core.batch.recorder import STORE_TABLE
from facematch_core.errors import FATAL, ConfigurationError, FaceMatchError, InvalidRequest
from facematch_core.models import Charged, Environment, Reconciled

from .app import SuggestingGroup
from .files import DatabaseKind, find_tables
from .options import (
    CHARGED,
    NOT_CHARGED,
    VERDICT,
    Target,
    config_option,
    join_options,
    json_option,
    profile_option,
    single_setups,
)
from .recorded_calls import RecordedCalls, charge_document, open_recorded, show_unanswered
from .text import Exit, code_of, confirm, print_json, print_table, quantity, say

if TYPE_CHECKING:
    from facematch_core.store import BudgetKey, BudgetState, CallStore, Reservation
    from facematch_core.verifier.verifier import Verifier

#: The amounts of a budget, as attributes of `BudgetState` and as columns.
AMOUNTS = ("cap", "spent", "reserved", "unknown", "free")

BUDGET_STORE = DatabaseKind(
    noun="budget store",
    tables=["facematch_store"],
    advice="Pass the file that a budget has as its store: its first call creates it.",
)

BUDGETS_OR_CALLS = DatabaseKind(
    noun="budget store and no record of calls",
    tables=["facematch_store", STORE_TABLE],
    advice="Pass the file that a budget has as its store, the run database of `compare run`, or "
    "the .calls file of `verify --pairs`.",
)

#: The options that `_open_stores_and_expire_calls` reads.
_store_options = join_options(
    click.option(
        "--store",
        metavar="URL",
        help="Budget store: a SQLite file, sqlite:///FILE, or postgresql+psycopg://... "
        "Default: the profile's store.",
    ),
    profile_option,
    config_option,
)


@attrs.frozen
class OpenCall:
    """A reservation whose charge is not known yet, and the store that has it."""

    store: CallStore
    reservation: Reservation


@attrs.frozen
class OpenStores:
    """The budget stores of a command.

    Attributes:
        stores: The stores, open.
        open_calls: The open calls of all stores, each with its store.
        read_at: The time at which they were read.
        verifier: The verifier of the profile; None if only a store was opened.
        recorded: The record of calls that --store has, or None.
    """

    stores: list[CallStore]
    open_calls: list[OpenCall]
    read_at: dt.datetime
    verifier: Verifier | None
    recorded: RecordedCalls | None


@attrs.frozen
class LookedUp:
    """What the search for an unknown call in the vendor's records gave.

    Attributes:
        reservation: The call.
        outcome: "resolved", "error", "skipped" or the value of a `Reconciled`.
        reason: A sentence for a person.
        code: The exit code.
    """

    reservation: Reservation
    outcome: str
    reason: str
    code: Exit = Exit.LOOK


@click.group("budget", cls=SuggestingGroup, invoke_without_command=True)
@_store_options
@json_option
@click.pass_context
def command(context: click.Context, /, as_json: bool, **options: Any) -> int | None:
    """Show the limit and the spent, reserved, unknown and free amounts of budgets. Sends nothing.

    A call is unknown if it may have been charged, because its response was lost or it did not end
    within 15 minutes. Its amount stays reserved until you `reconcile` or `resolve` the call.

    \b
    facematch budget --profile shop
    facematch budget --store study.sqlite3
    facematch budget --store results.jsonl.calls

    Of a run database and of the .calls file of `verify --pairs`, it lists the calls without an
    answer that were charged, or may have been. They are never repeated automatically.
    """
    context.obj = options
    if context.invoked_subcommand is not None:
        return None
    with _open_stores_and_expire_calls(options) as opened:
        budgets = []
        for store in opened.stores:
            for state in store.budgets():
                ends_at = state.key.ends_at
                # Show a past day only if it still has open calls.
                if ends_at is None or opened.read_at < ends_at or state.reserved or state.unknown:
                    budgets.append(_budget_document(state))
        unanswered = None
        if opened.recorded is not None:
            unanswered = opened.recorded.read_unanswered(must_lock=False)
    calls = [_call_document(call.reservation) for call in opened.open_calls]
    if as_json:
        document: dict[str, Any] = {"budgets": budgets, "open": calls}
        if unanswered is not None:
            document["unanswered"] = [charge_document(charge) for charge in unanswered]
        print_json(document)
        return Exit.OK
    if budgets or unanswered is None:
        _show_budgets(budgets, calls)
    if unanswered is not None:
        show_unanswered(unanswered, options["store"])
    return Exit.OK


def _show_budgets(budgets: Sequence[Mapping[str, Any]], calls: Iterable[Mapping[str, Any]]) -> None:
    """Print the amounts of budgets, and their open calls."""
    if not budgets:
        say("no budget has been used yet")
        return
    rows = []
    for budget in budgets:
        period = budget["window"] or budget["period"]
        amounts = [str(budget[name]) for name in AMOUNTS]
        rows.append([budget["name"], budget["environment"], period, budget["unit"], *amounts])
    print_table(("budget", "environment", "period", "unit", *AMOUNTS), rows)
    for call in calls:
        began = call["started_at"][:19].replace("T", " ")
        stored = ", kept at the vendor" if call["retention"] == "keep" else ""
        say(
            f"{call['state']}: {call['call_id']}, {call['amount']} {call['unit']}, "
            f"{call['backend']} {call['operation']}, began {began} UTC{stored}"
        )


@command.command("reconcile", short_help="Search the vendor's records for unknown calls.")
@_store_options
@json_option
@click.pass_context
def reconcile(context: click.Context, /, as_json: bool, **options: Any) -> int:
    """Search the vendors' records for each unknown call, and resolve the calls that are found.

    Finds only calls that the vendor has a record of. Free of charge. The exit code is 3 if a call
    is still unknown.
    """
    with _open_stores_and_expire_calls(_merge(context, options), needs_verifier=True) as opened:
        answers = list(resolve_found(opened.open_calls, opened.verifier, opened.read_at))
    if as_json:
        calls = []
        for answer in answers:
            call = _call_document(answer.reservation)
            calls.append({**call, "outcome": answer.outcome, "reason": answer.reason})
        print_json({"calls": calls})
    else:
        for answer in answers:
            say(f"{answer.reservation.call.id}: {answer.outcome}. {answer.reason}")
        unresolved = [answer for answer in answers if answer.code is not Exit.OK]
        if unresolved:
            calls_left = quantity(len(unresolved), "call")
            say(f"{calls_left} unresolved: check the vendor's invoice, then run")
            click.echo(f"  facematch budget resolve CALL {CHARGED} (or {NOT_CHARGED})")
        elif not answers:
            say("no call is unknown")
    return max((answer.code for answer in answers), default=Exit.OK)


@command.command("resolve", short_help="Record whether an unknown call was charged.")
@click.argument("call_id", metavar="CALL")
@click.argument("verdict", type=VERDICT)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@_store_options
@click.pass_context
def resolve(
    context: click.Context,
    /,
    call_id: str,
    *,
    verdict: str,
    yes: bool,
    **options: Any,
) -> int:
    """Record whether an unknown call was charged, according to the vendor's invoice or support.

    \b
    facematch budget resolve 3f8a6d0e-0000-4000-8000-000000000000 not-charged

    CALL is its id, as `facematch budget` shows it. The charge is written to the budgets that have
    the call and, if --store is a run database or the .calls file of `verify --pairs`, to this file
    and to the budgets of the system's profile. The next run repeats a call that was not charged,
    and never one that was. This cannot be undone, so the command asks for confirmation.
    """
    from facematch_core.store import State

    is_charged = verdict == CHARGED
    outcome_text = verdict.replace("-", " ")
    with _open_stores_and_expire_calls(_merge(context, options)) as opened:
        # A call has a reservation in each of its budgets.
        calls = [call for call in opened.open_calls if call.reservation.call.id == call_id]
        charge = None
        if opened.recorded is not None:
            charge = opened.recorded.find_unresolved(call_id)
        if not calls and charge is None:
            raise InvalidRequest(
                f"No open call {call_id[:60]!r} here: `facematch budget` lists the open calls."
            )
        unknown = [call for call in calls if call.reservation.state is State.UNKNOWN]
        if not unknown and charge is None:
            raise InvalidRequest(
                "The call may be running: it began at "
                f"{calls[0].reservation.call.started_at:%H:%M:%S} UTC, and becomes unknown 15 "
                "minutes later."
            )
        confirm(f"Record call {call_id} as {outcome_text}? This cannot be undone.", yes=yes)
        outcome = Charged.YES if is_charged else Charged.NO
        for call in unknown:
            call.store.finalize(call.reservation, outcome, at=opened.read_at)
        if opened.recorded is not None and charge is not None:
            opened.recorded.resolve(charge, outcome)
    say(f"{call_id}: {outcome_text}")
    return Exit.OK


def _merge(context: click.Context, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a subcommand's options, with the group's values for options that are not set."""
    set_options = {name: value for name, value in options.items() if value is not None}
    return {**context.obj, **set_options}


@contextlib.contextmanager
def _open_stores_and_expire_calls(
    options: Mapping[str, Any], *, needs_verifier: bool = False
) -> Iterator[OpenStores]:
    """Open the store from --store, or the stores of a profile's budgets, and expire old calls."""
    from facematch_core.config.opening import has_shared_budget

    now = dt.datetime.now(dt.UTC)
    target = Target.of(options)
    url: str | None = options["store"]
    with contextlib.ExitStack() as stack:
        if url is None:
            # Check first: opening a backend may fail and suggest packages that would not help.
            profiles = [single.profile for single in single_setups(target.setup())]
            if not any(has_shared_budget(profile) for profile in profiles if profile):
                raise ConfigurationError(
                    'No budget store configured; without one, or with "memory", each process '
                    "counts alone. Name a profile that has one with --profile, or a store with "
                    "--store."
                )
        verifier = None
        if needs_verifier or url is None:
            verifier = stack.enter_context(target.open())
        recorded = None
        if url is None:
            stores = shared_stores_of(verifier)
        else:
            url = (BUDGET_STORE if needs_verifier else BUDGETS_OR_CALLS).url_of(url)
            stores = _open_stores(url, stack)
            recorded = open_recorded(url, stores, options["config"], stack)
        yield OpenStores(stores, expire_and_list_open_calls(stores, now), now, verifier, recorded)


def expire_and_list_open_calls(stores: Iterable[CallStore], now: dt.datetime) -> list[OpenCall]:
    """Mark reservations older than 15 minutes as unknown; return all open reservations."""
    from facematch_core.store import expire_reservations

    calls = []
    for store in stores:
        expire_reservations(store, now)
        for reservation in store.open_reservations():
            calls.append(OpenCall(store, reservation))
    return calls


def _open_stores(url: str, stack: contextlib.ExitStack) -> list[CallStore]:
    """Open the budget store at a URL; none if it is a record of calls that no budget shares."""
    from facematch_core.store import SqlStore

    tables = find_tables(url)
    if STORE_TABLE in tables and "facematch_store" not in tables:
        return []
    return [stack.enter_context(contextlib.closing(SqlStore(url)))]


def shared_stores_of(verifier: Any) -> list[CallStore]:
    """Return the budget stores of a verifier's members that other processes can read."""
    from facematch_core.call.run import call_runners
    from facematch_core.store import MemoryStore

    policies = [policy for each in call_runners(verifier.runner) for policy in each.policies]
    return [store for store in stores_of(policies) if not isinstance(store, MemoryStore)]


def resolve_found(calls: Iterable[OpenCall], verifier: Any, now: dt.datetime) -> Iterator[LookedUp]:
    """Search the vendors' records for unknown calls, and finalize the calls that are found.

    After a `FATAL` error, the remaining calls are skipped.
    """
    from facematch_core.call.run import call_runners
    from facematch_core.store import State

    backends = [runner.backend for runner in call_runners(verifier.runner)]
    # The store treats calls to an unknown environment as production calls.
    accounts = {(each.name, each.environment or Environment.PRODUCTION) for each in backends}
    is_stopped = False
    for call in calls:
        reservation = call.reservation
        if reservation.state is not State.UNKNOWN:
            continue
        name = reservation.call.backend
        environment = reservation.key.environment
        if (name, environment) not in accounts:
            reason = f"It was made by {name} ({environment}), which this profile does not use."
            yield LookedUp(reservation, "skipped", reason)
            continue
        if is_stopped:
            yield LookedUp(reservation, "skipped", "Not looked up because of an earlier error.")
            continue
        try:
            answer = verifier.reconcile(reservation.call)
        except FaceMatchError as error:
            is_stopped = isinstance(error, FATAL)
            yield LookedUp(reservation, "error", error.message, code_of(error))
            continue
        result = answer.result
        if result is None:
            yield LookedUp(reservation, answer.outcome.value, answer.reason)
        elif result.billing.charged is Charged.UNKNOWN:
            yield LookedUp(reservation, Reconciled.CANNOT_KNOW.value, answer.reason)
        else:
            call.store.finalize(
                reservation, result.billing.charged, at=now, answered_from=result.environment
            )
            yield LookedUp(reservation, "resolved", answer.reason, Exit.OK)


def _amount_document(amount: Decimal, key: BudgetKey) -> int | str:
    """Return an amount as JSON: a number of calls, or money as text."""
    from facematch_core.resilience.budget import format_amount

    return int(amount) if key.currency is None else format_amount(amount)


def _budget_document(state: BudgetState) -> dict[str, Any]:
    """Return a budget's sums as JSON; amounts are texts, a total has no window."""
    key = state.key
    document: dict[str, Any] = {
        "name": key.name,
        "unit": key.unit,
        "period": key.period.value,
        "window": key.window or None,
        "environment": key.environment.value,
    }
    for name in AMOUNTS:
        document[name] = _amount_document(getattr(state, name), key)
    return document


def _call_document(reservation: Reservation) -> dict[str, Any]:
    """Return a reserved call as JSON, without the caller's reference."""
    call = reservation.call
    key = reservation.key
    return {
        "call_id": call.id,
        "attempt": reservation.number,
        "budget": key.name,
        "unit": key.unit,
        "amount": _amount_document(reservation.amount, key),
        "environment": key.environment.value,
        "backend": call.backend,
        "operation": call.operation.value,
        "state": reservation.state.value,
        "started_at": call.started_at.isoformat(),
        "retention": call.retention.value,
        "error": reservation.error,
    }
