"""What `facematch compare unknown` finds, and what it does about it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from facematch_core._basics import SystemClock
from facematch_core.cli.common import Exit, counted, print_table, say, say_command
from facematch_core.comparison.running import Left, Looked, PairState, StoredContender
from facematch_core.comparison.running._settling import (
    free_again,
    hear_budgets,
    reconcile_left,
    tell_budgets,
)
from facematch_core.errors import FaceMatchError, InvalidRequest
from facematch_core.models import Charged
from facematch_core.resilience import Budget

from ._contenders import opener_by_name

if TYPE_CHECKING:
    from facematch_core.comparison.running import Journal
    from facematch_core.store import CallStore


class OpenOnes:
    """Calls without an answer in one journal.

    Args:
        journal: Where.
        study: Name of a study; None for all.
        config: The configuration file; None for the usual places.

    Raises:
        InvalidRequest: there is no such study.
    """

    def __init__(self, journal: Journal, study: str | None, config: str | None) -> None:
        self._journal, self._config = journal, config
        studies = journal.studies() if study is None else (journal.study(study),)
        self._contenders = [one for each in studies for one in journal.contenders(each.digest)]

    def recover(self) -> None:
        """What processes that are gone had asked counts as unknown from now on."""
        for one in self._contenders:
            free_again(self._journal, one, partial(self._tell, one, billed=Charged.NO))
            hear_budgets(self._journal, one)

    def left(self) -> list[Left]:
        """All of them."""
        return [left for one in self._contenders for left in self._journal.left(one)]

    def reconcile(self) -> list[Looked]:
        """Look for each in its vendor's records, and write down what is found."""
        looked: list[Looked] = []
        now = SystemClock().now()
        for one in self._contenders:
            left = self._journal.left(one)
            if not left:
                continue
            try:
                verifier = opener_by_name(one.name, self._config)()
            except FaceMatchError as error:
                looked += [Looked(left=it, outcome="error", reason=error.message) for it in left]
                continue
            with verifier, self._stores(verifier) as stores:
                looked += reconcile_left(self._journal, one, verifier, stores, now)
        return looked

    def chosen(self, attempt_id: str) -> tuple[StoredContender, Left]:
        """What is to be settled.

        Raises:
            InvalidRequest: there is no such attempt, or it is settled.
        """
        for one in self._contenders:
            for left in self._journal.left(one):
                if left.attempt is not None and left.attempt.id == attempt_id:
                    if left.state is PairState.UNKNOWN:
                        return one, left
                    raise InvalidRequest(
                        "This attempt is settled already: it was charged, and has no answer."
                    )
        raise InvalidRequest(
            f"No attempt {attempt_id[:60]!r} is unknown here: `facematch compare unknown` lists "
            "those that are. One that is under way is settled by its process."
        )

    def settle(self, contender: StoredContender, left: Left, billed: Charged) -> None:
        """Say whether one was charged, to the journal and to the budgets."""
        if left.attempt is None:
            return
        self._tell(contender, [left.attempt.id], billed)
        self._journal.settle(contender.number, left.attempt.id, billed)

    def _tell(
        self, contender: StoredContender, attempt_ids: Sequence[str], billed: Charged
    ) -> None:
        """Tell the budgets in this database, and those of the contender's profile."""
        if not attempt_ids:
            return
        now = SystemClock().now()
        verifier = None
        with contextlib.suppress(FaceMatchError):
            verifier = opener_by_name(contender.name, self._config)()
        with self._stores(verifier) as stores:
            tell_budgets(stores, attempt_ids, billed, now)
        if verifier is not None:
            verifier.close()
            return
        say(
            f"warning: {contender.name} cannot be opened here, so a budget of its own was not "
            "updated: see `facematch budget`",
            err=True,
        )

    @contextlib.contextmanager
    def _stores(self, verifier: Any) -> Iterator[list[CallStore]]:
        here = self._journal.attempts()
        gates = () if verifier is None else verifier.policies
        stores = [gate.store for gate in gates if isinstance(gate, Budget)]
        try:
            yield [*stores, *([here] if here else [])]
        finally:
            if here is not None:
                here.close()


def document(left: Left) -> dict[str, Any]:
    """The JSON form of a call without an answer."""
    return {
        "contender": left.name,
        "pair": left.pair + 1,
        "state": left.state.value,
        "attempt_id": left.attempt and left.attempt.id,
        "error": left.error,
        "since": left.since.isoformat(),
        "kept": None if left.attempt is None else left.attempt.kept,
    }


def looked_document(looked: Looked) -> dict[str, Any]:
    """The JSON form of what came of looking for one."""
    return {**document(looked.left), "outcome": looked.outcome, "reason": looked.reason}


def show(left: Sequence[Left], looked: Sequence[Looked], store: str) -> None:
    """Print what was looked for, what is left, and what to do about it."""
    if looked:
        rows = [
            (one.left.attempt.id if one.left.attempt else "-", one.outcome, one.reason)
            for one in looked
        ]
        print_table(("attempt", "outcome", "why"), rows, prose=("why",))
    if not left:
        say("nothing is unknown")
        return
    header = ("attempt", "contender", "pair", "state", "asked (UTC)", "at the vendor", "error")
    print_table(header, [_row(one) for one in left])
    unknown = sum(one.state is PairState.UNKNOWN for one in left)
    if unknown:
        say(f"{counted(unknown, 'call')} unknown: compare with the vendor's invoice, then")
        say_command(
            f"facematch compare unknown --store {store} --settle ATTEMPT --charged "
            "(or --not-charged)"
        )


def _row(left: Left) -> tuple[str, ...]:
    kept = left.attempt is not None and left.attempt.kept
    return (
        left.attempt.id if left.attempt else "-",
        left.name,
        str(left.pair + 1),
        left.state.value,
        f"{left.since:%Y-%m-%d %H:%M:%S}",
        "kept" if kept else "not kept",
        left.error or "its process ended",
    )


def ending(looked: Sequence[Looked]) -> int:
    """The exit code: 3 if something that was looked for stays open, 5 if records were not read."""
    codes = {"found": Exit.OK, "error": Exit.VENDOR}
    return max((codes.get(one.outcome, Exit.LOOK) for one in looked), default=Exit.OK)
