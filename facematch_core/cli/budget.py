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
    from facematch_core.store import BudgetKey, BudgetState, CallStore, Reservation
    from facematch_core.verifier import Verifier

_place = common.options(
    click.option(
        "--store",
        metavar="URL",
        help="Where calls are remembered: the name of an SQLite file, sqlite:///FILE, or "
        "postgresql+psycopg://... By default the store of the profile.",
    ),
    common.profile,
    common.config,
)


@click.group(
    "budget",
    invoke_without_command=True,
    short_help="Show what is spent, reserved and unknown; resolve what is unknown.",
)
@_place
@click.option("--all", "everything", is_flag=True, help="Also show days and runs that are over.")
@common.as_json
@click.pass_context
def command(context: click.Context, /, everything: bool, as_json: bool, **place: Any) -> int | None:
    """Show what is spent, reserved and unknown of each budget, and what is free.

    Unknown is what may have been charged: calls whose answer was lost, and those of a process that
    ended in the middle. It stays set aside until `reconcile` or `resolve` says what became of it.
    Nothing is sent.
    """
    context.obj = place
    if context.invoked_subcommand is not None:
        return None
    with _found(place) as (found, now):
        sums = [one for _, one in found.sums] if everything else found.current(now)
        document = {
            "budgets": [_sum(one) for one in sums],
            "open": [_call(one) for _, one in found.reservations],
        }
    if as_json:
        common.print_json(document)
    elif not sums:
        say("no budget has been used yet")
    else:
        _print_sums(document["budgets"])
        if document["open"]:
            say()
            _print_open(document["open"])
    return Exit.OK


@command.command("reconcile", short_help="Look for what is unknown in the vendor's records.")
@_place
@common.as_json
@click.pass_context
def reconcile(context: click.Context, /, as_json: bool, **own: Any) -> int:
    """Look for each unknown call in its vendor's records, and resolve what is found.

    Only calls that the vendor was asked to keep can be found. Looking charges nothing. The exit
    code is 3 if something stays unknown.
    """
    place = _placed(context, own)
    with common.open_target(Target.of(place)) as verifier, _found(place, verifier) as (found, now):
        looked = look(found, verifier, now)
    if as_json:
        documents = [
            _call(one.reservation) | {"outcome": one.outcome, "reason": one.reason}
            for one in looked
        ]
        common.print_json({"calls": documents})
    elif not looked:
        say("nothing is unknown")
    else:
        rows = [(one.reservation.call.id, one.outcome, one.reason) for one in looked]
        common.print_table(("call", "outcome", "why"), rows, prose=("why",))
        left = sum(one.outcome != RESOLVED for one in looked)
        if left:
            say(f"{counted(left, 'call')} left: compare with the vendor's invoice, then")
            click.echo("  facematch budget resolve CALL --charged (or --not-charged)")
    return max((one.code for one in looked), default=Exit.OK)


@command.command("resolve", short_help="Record whether a call was charged.")
@click.argument("call_id", metavar="CALL")
@click.option("--charged", is_flag=True, help="It is on the vendor's invoice.")
@click.option("--not-charged", "free", is_flag=True, help="It is not on the vendor's invoice.")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@_place
@common.as_json
@click.pass_context
def resolve(context: click.Context, /, call_id: str, *, as_json: bool, **given: Any) -> int:
    """Record whether an unknown call was charged, as the vendor's invoice or support says.

    It asks for a confirmation, because the answer is final.
    """
    from facematch_core.models import Charged

    charged, free, yes = (given.pop(name) for name in ("charged", "free", "yes"))
    if charged is free:
        raise click.UsageError("Choose --charged or --not-charged.")
    word, outcome = ("charged", Charged.YES) if charged else ("not charged", Charged.NO)
    with _found(_placed(context, given)) as (found, now):
        unknown = found.unknown(call_id)
        common.confirm(f"Count call {call_id} as {word}, for good?", yes=yes)
        for store, one in unknown:
            store.finalize(one, outcome, at=now)
    if as_json:
        documents = [_call(one) | {"charged": charged} for _, one in unknown]
        common.print_json({"calls": documents})
    else:
        say(f"{call_id}: {word}")
    return Exit.OK


def _placed(context: click.Context, own: dict[str, Any]) -> dict[str, Any]:
    """Options of a subcommand over those that are before its name."""
    before: dict[str, Any] = context.obj or {}
    return {name: before.get(name) if value is None else value for name, value in own.items()}


# --- Stores, and what they say --------------------------------------------------------------------


class Found(NamedTuple):
    """What stores say now.

    Attributes:
        sums: Every sum, with the store that it is in.
        reservations: What is reserved or unknown, likewise.
    """

    sums: list[tuple[CallStore, BudgetState]]
    reservations: list[tuple[CallStore, Reservation]]

    @classmethod
    def of(cls, stores: Sequence[CallStore], now: datetime) -> Found:
        """Read them; what processes that are gone left behind counts as unknown from now on."""
        from facematch_core.store import expire_reservations

        for store in stores:
            expire_reservations(store, now)
        return cls(
            sums=[(store, one) for store in stores for one in store.budgets()],
            reservations=[(store, one) for store in stores for one in store.open_reservations()],
        )

    def current(self, now: datetime) -> list[BudgetState]:
        """Sums that still count, or that hold something unknown."""
        from facematch_core.store.records import UNNAMED_RUN, Period

        def lasts(key: BudgetKey) -> bool:
            # The run of one process is over with it; one with a name may go on.
            is_over = key.period is Period.RUN and UNNAMED_RUN in key.window
            return not is_over and (key.ends_at is None or now < key.ends_at)

        return [one for _, one in self.sums if one.reserved or one.unknown or lasts(one.key)]

    def unknown(self, call_id: str) -> list[tuple[CallStore, Reservation]]:
        """What is to be resolved by hand.

        Raises:
            InvalidRequest: there is no such call, or it is under way.
        """
        from facematch_core.store import State

        of_it = [(store, one) for store, one in self.reservations if one.call.id == call_id]
        if not of_it:
            raise InvalidRequest(
                f"No call {call_id[:60]!r} is reserved or unknown here: `facematch budget` "
                "lists those that are."
            )
        unknown = [(store, one) for store, one in of_it if one.state is State.UNKNOWN]
        if not unknown:
            owner = of_it[0][1].owner
            raise InvalidRequest(
                f"The call is under way in process {owner.pid} on {owner.host}: wait for its end. "
                "It counts as unknown when that process is gone, or after an hour."
            )
        return unknown


@contextlib.contextmanager
def _found(
    place: dict[str, Any], verifier: Verifier | None = None
) -> Iterator[tuple[Found, datetime]]:
    """What --store, or the budgets of a profile, say at this moment; the moment."""
    from facematch_core.clock import SystemClock

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


#: The outcome of a call that was found.
RESOLVED = "resolved"


class Looked(NamedTuple):
    """What came of looking for one call.

    Attributes:
        reservation: Which.
        outcome: A word of `Reconciled`; ``resolved`` if it was found; ``error``, ``skipped``.
        reason: A sentence.
        code: The exit code that it stands for.
    """

    reservation: Reservation
    outcome: str
    reason: str
    code: Exit


def look(found: Found, verifier: Verifier, now: datetime) -> list[Looked]:
    """Look for each unknown call in its vendor's records, and finalize what is found."""
    from facematch_core.models import Environment
    from facematch_core.store import State

    backends = [one.backend for one in common.members_of(verifier)]
    # Calls whose environment nobody knows are counted with the real ones.
    asked = {(one.name, one.environment or Environment.PRODUCTION) for one in backends}
    looked: list[Looked] = []
    over = ""
    for store, one in found.reservations:
        made = (one.call.backend, one.key.environment)
        if one.state is not State.UNKNOWN:
            continue
        if made not in asked or over:
            other = f"It was made by {made[0]} ({made[1]}), which this profile does not ask."
            why = over if made in asked else other
            looked.append(Looked(one, "skipped", why, Exit.LOOK))
            continue
        try:
            looked.append(_look_for(store, one, verifier, now))
        except _ENDS as error:
            looked.append(Looked(one, "error", error.message, common.code_of(error)))
            if isinstance(error, FATAL):
                over = "Not looked up, because of the error before it."
    return looked


#: What looking for one call may end in; after one of `FATAL` no other is looked for.
_ENDS: tuple[type[FaceMatchError], ...] = (VendorError, *FATAL)


def _look_for(store: CallStore, one: Reservation, verifier: Verifier, now: datetime) -> Looked:
    from facematch_core.models import Charged, Reconciled

    found = verifier.reconcile(one.call)
    if found.result is None or found.result.billing.charged is Charged.UNKNOWN:
        outcome = found.outcome if found.result is None else Reconciled.CANNOT_KNOW
        return Looked(one, outcome.value, found.reason, Exit.LOOK)
    charged, where = found.result.billing.charged, found.result.environment
    store.finalize(one, charged, at=now, answered_from=where)
    return Looked(one, RESOLVED, found.reason, Exit.OK)


# --- As JSON and as tables ------------------------------------------------------------------------

_SUMS = ("cap", "spent", "reserved", "unknown", "free")


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


def _print_sums(documents: Sequence[dict[str, Any]]) -> None:
    from facematch_core.store.records import UNNAMED_RUN

    rows = []
    for one in documents:
        window = one["window"]
        period = window if window and UNNAMED_RUN not in window else one["period"]
        cells = [str(one[name]) for name in _SUMS]
        rows.append([one["name"], one["environment"], period, one["unit"], *cells])
    common.print_table(("budget", "where", "period", "unit", *_SUMS), rows)


def _print_open(documents: Sequence[dict[str, Any]]) -> None:
    rows = [
        (
            *(one["call_id"], one["state"], f"{one['amount']} {one['unit']}"),
            *(one["backend"], one["operation"], one["started_at"][:19].replace("T", " ")),
            "kept" if one["kept"] else "not kept",
        )
        for one in documents
    ]
    header = ("call", "state", "amount", "backend", "operation", "began (UTC)", "at the vendor")
    common.print_table(header, rows)
