"""What becomes of unknown attempts: looked for, or settled by hand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs
import click

from facematch_core._enums import Billed, Reconciled
from facematch_core.errors import FATAL, FaceMatchError, InvalidRequest, VendorError
from facematch_core.store import State

from . import _exit
from ._budget_text import entry_document
from ._text import console, counted, print_table

if TYPE_CHECKING:
    from facematch_core._interface import Verifier
    from facematch_core.store import AttemptStore, Entry

    from ._budget import Found

#: What looking for one attempt may end in; after one of `FATAL` no other is looked for.
_ENDS: tuple[type[FaceMatchError], ...] = (VendorError, *FATAL)


@attrs.frozen(kw_only=True)
class Looked:
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
    code: int

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {**entry_document(self.entry), "outcome": self.outcome, "reason": self.reason}


def look(found: Found, verifier: Verifier, now: datetime) -> list[Looked]:
    """Look for each unknown attempt in its vendor's records, and settle what is found."""
    looked: list[Looked] = []
    over: FaceMatchError | None = None
    for store, entry in found.entries:
        if entry.state is not State.UNKNOWN:
            continue
        why_not = _passed_over(entry, verifier) or (
            over and "Not looked for, after the error before it."
        )
        if why_not:
            looked.append(Looked(entry=entry, outcome="skipped", reason=why_not, code=_exit.LOOK))
            continue
        try:
            looked.append(_look_for(store, entry, verifier, now))
        except _ENDS as error:
            over = error if isinstance(error, FATAL) else None
            code = _exit.code_of(error)
            looked.append(Looked(entry=entry, outcome="error", reason=error.message, code=code))
    return looked


def _passed_over(entry: Entry, verifier: Verifier) -> str | None:
    """Why an attempt is none for this verifier; None if it is."""
    members: Any = getattr(verifier, "members", {"": verifier})
    asks = {(one.backend.name, one.backend.environment) for one in members.values()}
    made = (entry.attempt.backend, entry.key.environment)
    if made in asks:
        return None
    return f"It was made by {made[0]} ({made[1]}), which this profile does not ask."


def _look_for(store: AttemptStore, entry: Entry, verifier: Verifier, now: datetime) -> Looked:
    told = verifier.reconcile(entry.attempt)
    if told.result is None or told.result.billed is Billed.UNKNOWN:
        outcome = told.outcome if told.result is None else Reconciled.CANNOT_KNOW
        return Looked(entry=entry, outcome=outcome, reason=told.reason, code=_exit.LOOK)
    store.settle(entry, told.result.billed, at=now, answered_from=told.result.environment)
    return Looked(entry=entry, outcome="settled", reason=told.reason, code=_exit.OK)


def ending(looked: Sequence[Looked]) -> int:
    """The exit code: that of the worst."""
    return max((one.code for one in looked), default=_exit.OK)


def show_looked(looked: Sequence[Looked]) -> None:
    """What came of looking, and what to do about the rest."""
    if not looked:
        click.echo("nothing is unknown")
        return
    rows = [(one.entry.attempt.id, one.outcome, one.reason) for one in looked]
    print_table(console(), ("attempt", "outcome", "why"), rows, prose="why")
    left = sum(one.outcome != "settled" for one in looked)
    if left:
        click.echo(
            f"{counted(left, 'attempt')} left: compare with the vendor's invoice, then\n"
            "facematch budget settle ATTEMPT --charged (or --not-charged)"
        )


def chosen(found: Found, attempt_id: str) -> list[tuple[AttemptStore, Entry]]:
    """What is to be settled by hand.

    Raises:
        InvalidRequest: there is no such attempt, or it is under way.
    """
    of_it = [(store, one) for store, one in found.entries if one.attempt.id == attempt_id]
    if not of_it:
        raise InvalidRequest(
            f"No attempt {attempt_id[:60]!r} is reserved or unknown here: `facematch budget` lists "
            "those that are."
        )
    unknown = [(store, one) for store, one in of_it if one.state is State.UNKNOWN]
    if not unknown:
        owner = of_it[0][1].owner
        raise InvalidRequest(
            f"The attempt is under way in process {owner.pid} on {owner.host}, which settles it: "
            "wait for it. It counts as unknown when that process is gone."
        )
    return unknown


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if somebody says so, or `yes` does.

    Raises:
        click.Abort: nobody wants it.
        click.UsageError: there is nobody.
    """
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(
            "This asks first, and there is no terminal to ask on: --yes says yes. Nothing was done."
        )
    if not click.confirm(question, err=True):
        raise click.Abort
