"""Who has registered, and who is logged in."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

import attrs

from facematch_mock_server.state import Collection, Store

#: How many tokens are remembered; the oldest is forgotten first.
TOKENS = 10_000
#: How many of the newest accounts are kept; the keys of an older one stay good.
KEPT = 10_000


@attrs.frozen(kw_only=True)
class Opened:
    """What was opened for a person who proved a mailbox.

    Attributes:
        organization: Its UUID; the owner of the key, the credit and the sessions.
        application: Its UUID.
        client_id: Of the application.
    """

    organization: str
    application: str
    client_id: str


@attrs.frozen(kw_only=True)
class Account:
    """One person.

    Attributes:
        email: As registered.
        password: Salted and hashed.
        registered_at: When, UTC.
        code: The newest code, salted and hashed; None once it was used.
        code_at: When it was sent.
        opened: None until the mailbox was proved.
        failures: Logins with a wrong password since the last good one.
        locked_until: Until when nobody may log in; None for not locked.
    """

    email: str
    password: str = attrs.field(repr=False)
    registered_at: dt.datetime
    code: str | None = attrs.field(default=None, repr=False)
    code_at: dt.datetime
    opened: Opened | None = None
    failures: int = 0
    locked_until: dt.datetime | None = None


class Accounts:
    """The newest 10,000 accounts of one world. Safe across threads.

    Tokens are in memory only: after a restart everybody logs in again.

    Args:
        store: Where changes are written down, without passwords, codes and tokens.
    """

    def __init__(self, store: Store) -> None:
        self._accounts = Collection(store, "accounts", Account, limit=KEPT)
        self._lock = threading.Lock()
        self._tokens: OrderedDict[str, tuple[str, dt.datetime]] = OrderedDict()

    def find(self, email: str) -> Account | None:
        """The account of that address in any case, or None."""
        return self._accounts.find(_name(email))

    def application_of(self, organization: str) -> str | None:
        """The UUID of an organization's application; None if nobody has opened it."""
        opened = (account.opened for account in self._accounts.all())
        return next((o.application for o in opened if o and o.organization == organization), None)

    def add(self, account: Account) -> bool:
        """One more; False, and nothing is done, if the address has one."""
        with self._lock:
            if self.find(account.email) is not None:
                return False
            self._accounts.put(_name(account.email), account)
            return True

    def change(self, email: str, change: Callable[[Account], Account]) -> Account | None:
        """As `Collection.change`."""
        return self._accounts.change(_name(email), change)

    def let_in(self, token: str, account: Account, until: dt.datetime) -> None:
        """Whoever shows `token` is that person, until then."""
        with self._lock:
            self._tokens[_digest(token)] = (account.email, until)
            while len(self._tokens) > TOKENS:
                self._tokens.popitem(last=False)

    def who(self, token: str, now: dt.datetime) -> Account | None:
        """Whose token it is; None for nobody's, or no longer."""
        with self._lock:
            email, until = self._tokens.get(_digest(token), ("", now))
        return self.find(email) if now < until else None


def _name(email: str) -> str:
    return email.lower()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
