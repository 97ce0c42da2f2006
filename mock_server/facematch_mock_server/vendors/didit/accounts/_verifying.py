"""POST /programmatic/verify-email/ and /programmatic/resend-otp/: a mailbox is proved."""

from __future__ import annotations

from typing import Any

import attrs

from facematch_mock_server._keys import Key, KeyKind
from facematch_mock_server._messages import Response
from facematch_mock_server.vendors.didit import _given
from facematch_mock_server.vendors.didit._records import records_of
from facematch_mock_server.vendors.didit._visit import Door, Route, Visit

from . import _rules
from ._book import Account, Opened
from ._codes import age_s, new_code, send, whole_s
from ._hashing import hashed, is_same
from ._tokens import new_tokens, secret


def verify(visit: Visit) -> Response:
    """An organization, an application and its key."""
    told, accounts = visit.told, records_of(visit.world).accounts
    values, errors = _given.read(told, visit.fields, _CODE, required=("email", "code"))
    if errors:
        return visit.answer("fields.refused", errors)
    account = accounts.find(values["email"])
    told.note("code.once")
    if account is None or not _is_right(visit, account, values["code"]):
        return visit.answer("verify.wrong")
    if age_s(visit, account) > told["code.lifetime_s"]:
        return visit.answer("verify.expired")
    opened = account.opened or _new(visit)
    proved = attrs.evolve(account, opened=opened, code=None if told["code.once"] else account.code)
    # Of two who show the code at once, one is the first.
    kept = accounts.change(account.email, lambda there: proved if there is account else there)
    if kept is not proved:
        return visit.answer("verify.wrong")
    return visit.answer("verify.answer", _answer(visit, proved, opened))


def resend(visit: Visit) -> Response:
    """Another code; the one before is worth nothing."""
    told, accounts = visit.told, records_of(visit.world).accounts
    values, errors = _given.read(told, visit.fields, _EMAIL, required=("email",))
    if errors:
        return visit.answer("fields.refused", errors)
    account = accounts.find(values["email"])
    if account is None or account.opened is not None:
        return _sent(visit) if told["resend.quiet"] else visit.answer("path.not_found")
    wait = told["resend.wait_s"] - age_s(visit, account)
    if wait > 0:
        seconds = str(whole_s(wait))
        headers = (*visit.headers, ("Retry-After", seconds))
        return told.answer("resend.throttled", headers=headers, wait=seconds)
    code = new_code(visit)
    changes: dict[str, Any] = {"code_at": visit.now}
    if told["resend.replaces"]:
        changes["code"] = hashed(code)
    again = attrs.evolve(account, **changes)
    kept = accounts.change(account.email, lambda there: again if there is account else there)
    if kept is again:
        send(visit, account.email, code)
    return _sent(visit)


def _sent(visit: Visit) -> Response:
    return visit.answer("resend.answer", {"message": visit.told["resend.message"]})


def _is_right(visit: Visit, account: Account, code: str) -> bool:
    exact = visit.told["code.exact"]
    return is_same(code if exact else code.upper(), account.code)


def _new(visit: Visit) -> Opened:
    organization, application, client = (visit.world.ids.uuid() for _ in range(3))
    return Opened(organization=organization, application=application, client_id=client)


def _answer(visit: Visit, account: Account, opened: Opened) -> dict[str, Any]:
    told, key = visit.told, secret(visit)
    visit.world.keys.add(key, Key(kind=KeyKind.LIVE, owner=opened.organization))
    organization = {"uuid": opened.organization, "name": told["account.organization"]}
    application = {
        "uuid": opened.application,
        "name": told["account.application"],
        "client_id": opened.client_id,
        "api_key": key,
    }
    known = {
        **new_tokens(visit, account),
        "organization": {name: organization[name] for name in told["verify.organization_keys"]},
        "application": {name: application[name] for name in told["verify.application_keys"]},
    }
    return {name: known[name] for name in told["verify.keys"]}


_EMAIL: dict[str, _given.Reader] = {"email": _rules.email}
_CODE: dict[str, _given.Reader] = {**_EMAIL, "code": _given.text}

ROUTES = (
    Route(
        pattern="/auth/v2/programmatic/verify-email/",
        door=Door.OPEN,
        methods={"POST": verify},
    ),
    Route(
        pattern="/auth/v2/programmatic/resend-otp/",
        door=Door.OPEN,
        methods={"POST": resend},
    ),
)
