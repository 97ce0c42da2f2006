"""POST /programmatic/login/: tokens for a password, and patience with wrong ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import attrs

from facematch_mock_server._messages import Response
from facematch_mock_server.vendors.didit import _given
from facematch_mock_server.vendors.didit._records import records_of
from facematch_mock_server.vendors.didit._visit import Door, Route, Visit

from . import _rules
from ._book import Account
from ._codes import whole_s
from ._hashing import is_same
from ._tokens import new_tokens


def login(visit: Visit) -> Response:
    """The tokens of a person who proved a mailbox."""
    told, accounts = visit.told, records_of(visit.world).accounts
    values, errors = _given.read(told, visit.fields, _FIELDS, required=("email", "password"))
    if errors:
        return visit.answer("fields.refused", errors)
    account = accounts.find(values["email"])
    if account is None:
        return _wrong(visit)
    if account.locked_until is not None and visit.now < account.locked_until:
        told.note("login.lockouts")
        wait = str(whole_s((account.locked_until - visit.now).total_seconds()))
        headers = (*visit.headers, ("Retry-After", wait))
        return told.answer("login.locked", headers=headers, wait=wait)
    if not is_same(values["password"], account.password):
        _failed(visit, account)
        return _wrong(visit)
    if account.opened is None:
        return visit.answer("login.unverified")
    if told["login.forgets"]:
        accounts.change(
            account.email, lambda there: attrs.evolve(there, failures=0, locked_until=None)
        )
    known = new_tokens(visit, account)
    return visit.answer("login.answer", {name: known[name] for name in told["login.keys"]})


def _wrong(visit: Visit) -> Response:
    return visit.answer("login.wrong", {"detail": visit.told["login.words"]})


def locked_s(lockouts: Sequence[tuple[int, int]], failures: int) -> int:
    """For how many seconds an account is locked by its nth failure in a row; 0 for not.

    Args:
        lockouts: Failures and seconds, rising; each failure beyond the last row locks as it does.
        failures: How many there were, with this one.
    """
    most, longest = lockouts[-1]
    return longest if failures >= most else dict(lockouts).get(failures, 0)


def _failed(visit: Visit, account: Account) -> None:
    lockouts = visit.told["login.lockouts"]

    def one_more(there: Account) -> Account:
        failures = there.failures + 1
        locked = locked_s(lockouts, failures)
        until = visit.now + dt.timedelta(seconds=locked) if locked else there.locked_until
        return attrs.evolve(there, failures=failures, locked_until=until)

    records_of(visit.world).accounts.change(account.email, one_more)


_FIELDS: dict[str, _given.Reader] = {"email": _rules.email, "password": _given.text}

ROUTES = (
    Route(
        pattern="/auth/v2/programmatic/login/",
        door=Door.OPEN,
        methods={"POST": login},
        shown=("email",),
        own={401: "login.wrong"},
    ),
)
