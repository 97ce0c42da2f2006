"""Accounts: registration by a program, a mailbox proved, logging in, and the organization."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import math
import string
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from facematch_mock_server.claims import Citations
from facematch_mock_server.messages import Response
from facematch_mock_server.services import Key, KeyKind
from facematch_mock_server.vendors import base

from . import framework
from .access import DiditCall, Endpoint, check_rate, json_route
from .framework import Field, Invalid
from .records import Account, Mail, Organization


def _hash_secret(call: DiditCall, text: str) -> str:
    """What is kept of a password or a code. It guards nothing: whoever has the memory has all."""
    content = text.encode(errors="surrogatepass")
    return hmac.new(call.world.account.ids.secret, content, hashlib.sha256).hexdigest()


def _matches_digest(call: DiditCall, text: str, digest: str | None) -> bool:
    return digest is not None and hmac.compare_digest(_hash_secret(call, text), digest)


_EMAIL = Field("email", framework.email, required=True)

#: Whether a text breaks each rule of a password (Didit skills repository, 2026), in the order in
#: which they are reported.
_PASSWORD_FAULTS: Mapping[str, Callable[[str], bool]] = {
    "short": lambda text: len(text) < 8,
    "upper": lambda text: not any(map(str.isupper, text)),
    "lower": lambda text: not any(map(str.islower, text)),
    "digit": lambda text: not any(map(str.isdigit, text)),
    "special": lambda text: all(map(str.isalnum, text)),
}


def _read_password(claims: Citations, value: Any) -> str:
    """A password that keeps the rules; of several that it breaks only the first is reported."""
    text = framework.raw_text(claims, value)
    if len(text) > claims.get("text.longest"):
        raise Invalid(framework.words_for_length(claims["text.longest"]))
    for name, has_fault in _PASSWORD_FAULTS.items():
        if has_fault(text):
            raise Invalid(claims["register.password"][name])
    return text


_REGISTER = (_EMAIL, Field("password", _read_password, required=True))
_LOGIN = (_EMAIL, Field("password", framework.raw_text, required=True))
_VERIFY = (_EMAIL, Field("code", framework.text, required=True))


def _register(call: DiditCall) -> Response:
    """Register an account; it can do nothing until its code was shown."""
    check_rate(call, "register", by_address=True)
    if call.world.account.closed_at is not None:
        call.refuse("auth.words.403")
    values = framework.read_json_fields(call, call.body, _REGISTER)
    email: str = values["email"]
    domain = "." + email.rpartition("@")[2].lower()
    if any(domain.endswith("." + name) for name in call.claims["register.reserved"]):
        call.refuse("register.broken")
    code = _new_code(call)
    account = Account(
        email=email,
        password=_hash_secret(call, values["password"]),
        code=_hash_secret(call, code),
        code_at=call.now,
    )
    if not call.world.records.accounts.add(account):
        call.refuse("register.taken")
    call.world.records.mails.append(Mail(at=call.now, to=email, code=code))
    return call.answer("register.answer", email=email)


def _new_code(call: DiditCall) -> str:
    """Six letters and digits (Didit skills repository, 2026); the same seed repeats them."""
    alphabet = string.digits + string.ascii_uppercase
    number = int(call.world.account.ids.uuid().replace("-", ""), 16)
    return "".join(alphabet[number // len(alphabet) ** n % len(alphabet)] for n in range(6))


def _verify(call: DiditCall) -> Response:
    """Open an organization, an application and its key, for whoever has the code."""
    accounts, ids = call.world.records.accounts, call.world.account.ids
    values = framework.read_json_fields(call, call.body, _VERIFY)
    account = accounts.find(values["email"])
    if account is None or not _matches_digest(call, values["code"], account.code):
        call.refuse("verify.wrong")
    if (call.now - account.code_at).total_seconds() > call.claims["code.lifetime_s"]:
        call.refuse("verify.expired")
    organization = Organization(
        uuid=ids.uuid(), application=ids.uuid(), client_id=ids.uuid(), key=_new_secret(call)
    )
    verified = attrs.evolve(account, organization=organization, code=None)
    # Of two who show the code at once, the first gets in.
    if accounts.change(account.email, lambda x: verified if x is account else x) is not verified:
        call.refuse("verify.wrong")
    # A full-access key.
    keys = {call.world.vendor: {organization.key: Key(kind=KeyKind.LIVE)}}
    try:
        call.world.account.shared.open(organization.uuid, keys=keys, parent=call.world.account)
    except ValueError as error:
        # There are too many accounts: the code is good for later.
        accounts.change(account.email, lambda _: account)
        call.refuse("auth.words.403", headers=((base.HINT_HEADER, str(error)),))
    body = {
        **_new_tokens(call, verified),
        "organization": _organization_body(organization),
        "application": _application_body(organization),
    }
    return call.answer("verify.answer", body)


def _resend(call: DiditCall) -> Response:
    """Send another code; the one before is worth nothing."""
    claims, accounts = call.claims, call.world.records.accounts
    values = framework.read_json_fields(call, call.body, (_EMAIL,))
    account = accounts.find(values["email"])
    if account is not None and account.organization is None:
        wait = claims["resend.wait_s"] - (call.now - account.code_at).total_seconds()
        if wait > 0:
            _refuse_for_a_while(wait, call, "resend.throttled")
        code = _new_code(call)
        changed = attrs.evolve(account, code_at=call.now, code=_hash_secret(call, code))
        if accounts.change(account.email, lambda x: changed if x is account else x) is changed:
            call.world.records.mails.append(Mail(at=call.now, to=account.email, code=code))
    return call.answer("resend.answer")


def _refuse_for_a_while(seconds: float, call: DiditCall, key: str) -> None:
    wait = str(max(1, math.ceil(seconds)))
    call.refuse(key, headers=(("Retry-After", wait),), wait=wait)


def _login(call: DiditCall) -> Response:
    accounts = call.world.records.accounts
    values = framework.read_json_fields(call, call.body, _LOGIN)
    account = accounts.find(values["email"])
    if account is None:
        call.refuse("login.wrong")
    if account.locked_until is not None and call.now < account.locked_until:
        wait = (account.locked_until - call.now).total_seconds()
        _refuse_for_a_while(wait, call, "login.locked")
    if not _matches_digest(call, values["password"], account.password):

        def count(account: Account) -> Account:
            failures = account.failures + 1
            seconds, until = lock_seconds(failures), account.locked_until
            until = call.now + dt.timedelta(seconds=seconds) if seconds else until
            return attrs.evolve(account, failures=failures, locked_until=until)

        accounts.change(account.email, count)
        call.refuse("login.wrong")
    if account.organization is None:
        call.refuse("login.unverified")
    accounts.change(account.email, lambda x: attrs.evolve(x, failures=0, locked_until=None))
    return call.answer("login.answer", _new_tokens(call, account))


def lock_seconds(failures: int) -> int:
    """For how many seconds an account is locked by its nth failure in a row; 0 for not."""
    # Didit skills repository, 2026; each failure beyond the last row locks as that does.
    return {5: 900, 10: 3600, 20: 86_400}.get(min(failures, 20), 0)


def _new_tokens(call: DiditCall, account: Account) -> dict[str, Any]:
    life: int = call.claims["token.lifetime_s"]
    access, refresh = _new_secret(call), _new_secret(call)
    call.world.records.accounts.let_in(access, account, call.now + dt.timedelta(seconds=life))
    return {"access_token": access, "refresh_token": refresh, "expires_in": life}


def _new_secret(call: DiditCall) -> str:
    """A token or a key; the same seed repeats it."""
    return "".join(call.world.account.ids.uuid().replace("-", "") for _ in range(2))


# The organization: no source shows a body, nor the names, so these are ours


def _organization_body(organization: Organization) -> dict[str, str]:
    return {"uuid": organization.uuid, "name": "My organization"}


def _application_body(organization: Organization) -> dict[str, str]:
    return {
        "uuid": organization.application,
        "name": "My application",
        "client_id": organization.client_id,
        "api_key": organization.key,
    }


def _read_token(call: DiditCall) -> tuple[Account, Organization]:
    token = base.bearer_token(call.request)
    account: Account | None = None
    if token is not None:
        account = call.world.records.accounts.find_by_token(token, call.now)
    if account is None or account.organization is None:
        call.refuse("bearer.wrong")
    return account, account.organization


def _list_organizations(call: DiditCall) -> Response:
    account, organization = _read_token(call)
    rows = [{**_organization_body(organization), "contact_email": account.email}]
    return call.answer("organizations.answer", rows)


def _show_application(call: DiditCall) -> Response:
    _, organization = _read_token(call)
    if call.words != (organization.uuid, organization.application):
        call.refuse("application.unknown")
    return call.answer("application.answer", _application_body(organization))


_route = partial(json_route, credentials=())

ROUTES = (
    _route(
        "/auth/v2/programmatic/register/",
        {"POST": _register},
        endpoint=Endpoint(extra_scope="register"),
        shown=("email",),
    ),
    _route("/auth/v2/programmatic/verify-email/", {"POST": _verify}),
    _route("/auth/v2/programmatic/resend-otp/", {"POST": _resend}),
    _route(
        "/auth/v2/programmatic/login/",
        {"POST": _login},
        shown=("email",),
        own={401: "login.wrong", 403: "login.unverified"},
    ),
    _route(
        "/auth/v2/organizations/me/",
        {"GET": _list_organizations},
        credentials=("authorization",),
        own={401: "bearer.wrong"},
    ),
    _route(
        "/auth/v2/organizations/me/{organization}/applications/{application}/",
        {"GET": _show_application},
        credentials=("authorization",),
        own={401: "bearer.wrong", 404: "application.unknown"},
    ),
)
