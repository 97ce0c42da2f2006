"""The unanswered calls of `verify --pairs` and `compare run`, which a record of calls has."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import click

from facematch_core.backend.kinds import quote_command
from facematch_core.base.deadline import SystemClock
from facematch_core.batch.charges import resolve_by_budgets, stores_of, write_charges
from facematch_core.batch.recorder import STORE_TABLE, Recorder
from facematch_core.batch.records import PairState, UnresolvedCharge
from facematch_core.errors import ConfigurationError, FaceMatchError
from facematch_core.models import Charged
from facematch_core.store import CallStore

from .files import find_tables
from .options import CHARGED, NOT_CHARGED, Target
from .text import clean, print_table, quantity, say


@attrs.frozen
class RecordedCalls:
    """A record of calls, the budget stores that are open beside it, and --config."""

    recorder: Recorder
    stores: Sequence[CallStore]
    config: str | None

    def read_unanswered(self, *, must_lock: bool) -> list[UnresolvedCharge]:
        """Return the calls without an answer that were charged, or may have been.

        A call that a killed process left open becomes unresolved. If another process uses the
        record, its calls in flight are not listed, or with `must_lock`, `ConfigurationError`.
        """
        systems = self.recorder.systems()
        try:
            self.recorder.lock()
        except ConfigurationError as error:
            if must_lock:
                raise
            say(f"note: {error.message} Calls in flight are not listed.", err=True)
        else:
            for system in systems:
                write = partial(self._write_to_budgets, system.name)
                self.recorder.recover_from_dead_run(system, write)
                resolve_by_budgets(self.recorder, system, self.stores)
        return [charge for system in systems for charge in self.recorder.unresolved(system)]

    def find_unresolved(self, call_id: str) -> UnresolvedCharge | None:
        """Return the call with this id, if it may have been charged; lock the record."""
        for charge in self.read_unanswered(must_lock=True):
            if charge.call.id == call_id and charge.state is PairState.UNRESOLVED:
                return charge
        return None

    def resolve(self, charge: UnresolvedCharge, billed: Charged) -> None:
        """Write whether a call was charged to its budgets and to the record."""
        # Budgets first: if the process ends before the next line, the call stays listed.
        self._write_to_budgets(charge.name, [charge.call.id], billed)
        self.recorder.resolve(charge.system, charge.call.id, billed)

    def _write_to_budgets(self, system: str, call_ids: Sequence[str], billed: Charged) -> None:
        """Write charges to the open stores, and to those of the system's profile."""
        if not call_ids:
            return
        from facematch_core.call.run import call_runners  # late, so that `--help` is fast

        stores = list(self.stores)
        with contextlib.ExitStack() as stack:
            try:
                target = Target(config=self.config)
                if target.loaded_config is not None and system in target.loaded_config.profiles:
                    target = Target(profile=system, config=self.config)
                else:
                    target.tell_of_unread()
                    target = Target(backend=system)
                verifier = stack.enter_context(target.open())
                for runner in call_runners(verifier.runner):
                    stores += stores_of(runner.policies)
            except FaceMatchError:
                say(
                    f"warning: {system} cannot be opened here, so its own budget, if any, was not "
                    "updated: see `facematch budget`",
                    err=True,
                )
            write_charges(stores, call_ids, billed, SystemClock().now())


def open_recorded(
    url: str, stores: Sequence[CallStore], config: str | None, stack: contextlib.ExitStack
) -> RecordedCalls | None:
    """Open the record of calls in a SQLite file, by its URL; None if it has none."""
    if STORE_TABLE not in find_tables(url):
        return None
    file = Path(url.partition(":///")[2].partition("?")[0])
    recorder = stack.enter_context(contextlib.closing(Recorder(file)))
    return RecordedCalls(recorder, stores, config)


def show_unanswered(charges: Sequence[UnresolvedCharge], store: str) -> None:
    """Print unanswered calls, and the command that resolves one."""
    if not charges:
        say("nothing is unresolved")
        return
    rows = []
    for charge in charges:
        document = charge_document(charge)
        rows.append(
            (
                document["call"],
                document["system"],
                str(document["pair"]),
                document["state"],
                document["since"][:19].replace("T", " "),
                document["retention"],
                document["vendor_id"] or "not known",
                document["error"] or "the process ended",
            )
        )
    about = ("call", "system", "pair", "state", "asked (UTC)", "retention", "vendor's id", "error")
    print_table(about, rows)
    count = sum(charge.state is PairState.UNRESOLVED for charge in charges)
    if count:
        say(
            f"{quantity(count, 'call')} unresolved: check the vendor's invoice, then run for each "
            f"call ({NOT_CHARGED} if the call is not on it)"
        )
        words = ["facematch", "budget", "resolve", "CALL", CHARGED, "--store", store]
        click.echo(clean(f"  {quote_command(words)}"))


def charge_document(charge: UnresolvedCharge) -> dict[str, Any]:
    """Return the JSON form of an unanswered call."""
    return {
        "system": charge.name,
        "pair": charge.pair + 1,
        "state": charge.state.value,
        "call": charge.call.id,
        "error": charge.error,
        "since": charge.since.isoformat(),
        "retention": charge.call.retention.value,
        "vendor_id": charge.call.vendor_id,
    }
