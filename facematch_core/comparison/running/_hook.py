"""What a verifier tells while it calls is written down before the call goes on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from facematch_core import EventKind
from facematch_core.errors import ConfigurationError, FaceMatchError
from facematch_core.events import CallEvent

from ._records import Claim

if TYPE_CHECKING:
    from ._journal import Journal


class HeldBack(BaseException):
    """The call was stopped before its first byte, because nothing would have remembered it.

    Not an `Exception`: those of a hook are logged and change nothing, and this one must.

    Attributes:
        attempt_id: Of the call. Not one byte of it has left.
        error: Why nothing was written; None if the pair is somebody else's by now.
    """

    def __init__(self, attempt_id: str, error: FaceMatchError | None) -> None:
        super().__init__("held back")
        self.attempt_id = attempt_id
        self.error = error


class Hook:
    """`on_event` of a contender's verifier. Each thread says first which pair it is about.

    Args:
        journal: Where.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._own = threading.local()

    @contextlib.contextmanager
    def about(self, claim: Claim) -> Iterator[None]:
        """Within it, what this thread's verifier tells is about this pair."""
        self._own.claim = claim
        try:
            yield
        finally:
            self._own.claim = None

    def __call__(self, event: CallEvent) -> None:
        """Write a step down; `HeldBack` if that fails."""
        claim: Claim | None = getattr(self._own, "claim", None)
        if claim is None:
            return
        failure: FaceMatchError
        try:
            noted = self._noted(event, claim)
        except FaceMatchError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - whatever it is: nothing was written
            failure = ConfigurationError(
                f"The journal failed with {type(error).__name__}: nothing was sent."
            )
        else:
            if not noted:
                raise HeldBack(event.call_id, None)
            return
        # Outside the except block: what the call raises next has nothing to do with it.
        raise HeldBack(event.call_id, failure)

    def _noted(self, event: CallEvent, claim: Claim) -> bool:
        if event.kind is EventKind.STARTED:
            return event.call is not None and self._journal.begin(claim, event.call)
        if event.kind is EventKind.SENT:
            return self._journal.ask(claim)
        if event.kind is EventKind.RETRYING:
            return self._journal.hold(claim)
        return True
