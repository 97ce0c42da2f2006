"""Several sessions deleted one by one, with what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import attrs

from facematch_core import OutcomeUnknown, VendorError
from facematch_didit.account import SessionNotFound
from facematch_didit.account.arguments import an_id

from ._printing import say

if TYPE_CHECKING:
    from facematch_didit.account import DiditAccount

DELETED, NOT_FOUND, NOT_TRIED = "deleted", "not_found", "not_tried"
FAILED, UNKNOWN = "failed", "unknown"

#: What became of a session to exit code, as `facematch -h` says of these codes.
_CODES = {DELETED: 0, NOT_FOUND: 5, NOT_TRIED: 5, FAILED: 5, UNKNOWN: 6}


@attrs.frozen
class Fate:
    """What became of one session.

    Attributes:
        session_id: Which one.
        word: One of those above.
        error: Why, for people, if it failed or is not known.
    """

    session_id: str
    word: str
    error: str | None = None


def checked(session_ids: Iterable[str]) -> list[str]:
    """Each id once; `InvalidRequest` for one that is none, before anything is deleted."""
    return [*dict.fromkeys(an_id("SESSION_ID", session_id) for session_id in session_ids)]


def delete_each(account: DiditAccount, session_ids: Sequence[str], *, tell: bool) -> list[Fate]:
    """Delete one after the other, and tell each at once; after an error the rest is not tried."""
    fates: list[Fate] = []
    for session_id in session_ids:
        stopped = any(fate.error is not None for fate in fates)
        fate = Fate(session_id, NOT_TRIED) if stopped else _deleted(account, session_id)
        fates.append(fate)
        if tell:
            good = fate.word == DELETED
            say(f"{fate.word.replace('_', ' ')}: session {session_id}", err=not good)
        if fate.error is not None:
            say(f"error: {fate.error}", err=True)
    return fates


def ending(fates: Iterable[Fate]) -> int:
    """The exit code: that of the worst."""
    return max((_CODES[fate.word] for fate in fates), default=0)


def _deleted(account: DiditAccount, session_id: str) -> Fate:
    try:
        account.delete(session_id)
    except SessionNotFound:
        return Fate(session_id, NOT_FOUND)
    except OutcomeUnknown as error:
        return Fate(session_id, UNKNOWN, error.message)
    except VendorError as error:
        return Fate(session_id, FAILED, error.message)
    return Fate(session_id, DELETED)
