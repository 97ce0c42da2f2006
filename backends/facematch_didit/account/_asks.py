"""One call around a match as data: what is asked, and what no answer would mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from facematch_core import Secret
from facematch_core.http import BodyShape, HttpReply

from . import _errors
from ._errors import Tables


@attrs.frozen(kw_only=True)
class Purpose:
    """What a call is for.

    Attributes:
        tables: What answers other than 2xx mean.
        reads: Whether it only reads.
        advice: What to look at if it changes something and no answer tells whether it did.
        registers: Whether it goes to the host that registers accounts, without a key.
    """

    tables: Tables
    reads: bool = False
    advice: str = ""
    registers: bool = False


@attrs.frozen(kw_only=True)
class Ask:
    """One call.

    Attributes:
        purpose: What it is for.
        method: In capitals.
        path: Below the address of its host, with a slash at both ends: Didit redirects others.
        params: The query.
        json: The body; a `Secret` in it is revealed only while it is sent. None for none.
        repeated: Names in `json` of secrets that a good answer rightly repeats.
        confirmed: What the answer to a change has to say; empty if its status is enough, and the
            body may be empty.
    """

    purpose: Purpose
    method: str = "GET"
    path: str
    params: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    json: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    repeated: frozenset[str] = frozenset()
    confirmed: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Those in the body."""
        return self._secrets_but(frozenset())

    @property
    def unrepeated(self) -> tuple[Secret, ...]:
        """Those of them that no good answer tells."""
        return self._secrets_but(self.repeated)

    def _secrets_but(self, names: frozenset[str]) -> tuple[Secret, ...]:
        return tuple(
            value
            for name, value in (self.json or {}).items()
            if isinstance(value, Secret) and name not in names
        )

    def is_confirmed_by(self, reply: HttpReply) -> bool:
        """Whether an answer 2xx is Didit's own: a gateway may answer so with a page of markup."""
        if self.purpose.reads:
            return True
        if reply.shape is BodyShape.EMPTY:
            return not self.confirmed
        if reply.shape is not BodyShape.JSON_OBJECT:
            return False
        body = reply.json()
        return all(body.get(name) == value for name, value in self.confirmed.items())


_SESSION = (
    _errors.SessionNotFound,
    "there is no such session: its id is unknown, it was deleted, or the key may not see it",
)
_DESTINATION = (_errors.DestinationNotFound, "there is no such webhook destination")
_CHANGING_SESSION = _errors.missing(_errors.CHANGING, *_SESSION)
_CHANGING_DESTINATION = _errors.missing(_errors.CHANGING, *_DESTINATION)

LOOK = Purpose(tables=_errors.READING, reads=True)
LOOK_AT_SESSION = Purpose(tables=_errors.missing(_errors.READING, *_SESSION), reads=True)
LOOK_AT_DESTINATION = Purpose(tables=_errors.missing(_errors.READING, *_DESTINATION), reads=True)

TOP_UP = Purpose(
    tables=_errors.CHANGING,
    advice=(
        "A payment page may have been made; nothing is charged until somebody pays there. Look "
        "for it in Didit's console, and at balance(), before asking for another."
    ),
)
UPDATE_STATUS = Purpose(
    tables=_CHANGING_SESSION,
    advice=(
        "Look at decision(): with the new status it was done, and asking again would be refused "
        "with 400."
    ),
)
DELETE = Purpose(
    tables=_CHANGING_SESSION,
    advice="Ask decision() or delete() again: SessionNotFound then means that it was done.",
)
DELETE_MANY = Purpose(
    tables=_errors.CHANGING,
    advice="Ask again: numbers that are gone already are skipped.",
)
ADD_REVIEW = Purpose(
    tables=_CHANGING_SESSION, advice="Look at reviews() before writing it a second time."
)
CREATE_DESTINATION = Purpose(
    tables=_errors.CHANGING,
    advice=(
        "Look at destinations.list(): it may be there. Its secret is told again by "
        "destinations.get(), if at all; else delete and create it anew."
    ),
)
UPDATE_DESTINATION = Purpose(
    tables=_CHANGING_DESTINATION,
    advice="Look at destinations.get(). Asking again with the same values does no harm.",
)
DELETE_DESTINATION = Purpose(
    tables=_CHANGING_DESTINATION,
    advice="Ask again: DestinationNotFound then means that it was done.",
)

REGISTER = Purpose(
    tables=_errors.REGISTERING,
    advice=(
        "Look for a code in the mailbox, or ask resend_code(). For reserved test domains "
        "(example.com) Didit is reported to answer 500."
    ),
    registers=True,
)
VERIFY_EMAIL = Purpose(
    tables=_errors.REGISTERING,
    advice=(
        "The address may be verified by now: log in with login(), or take the key from Didit's "
        "console."
    ),
    registers=True,
)
LOGIN = Purpose(
    tables=_errors.REGISTERING,
    advice="Log in again; five failures close the account for 15 minutes.",
    registers=True,
)
RESEND_CODE = Purpose(
    tables=_errors.REGISTERING,
    advice="Look into the mailbox; a minute must pass between two codes.",
    registers=True,
)
