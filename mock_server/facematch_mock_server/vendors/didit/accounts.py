"""Accounts: registration by a program, a mailbox proved, logging in, and the organization."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import math
import string
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_mock_server.claims import Citations
from facematch_mock_server.messages import Response
from facematch_mock_server.services import Key, KeyKind
from facematch_mock_server.vendors.base import Route

from . import framework
from .access import DiditCall, Door, json_route, rate
from .framework import Given, Invalid
from .records import Account, Mail, Opened


def _sealed(call: DiditCall, text: str) -> str:
    """What is kept of a password or a code. It guards nothing: whoever has the memory has all."""
    sent = text.encode(errors="surrogatepass")
    return hmac.new(call.world.account.ids.secret, sent, hashlib.sha256).hexdigest()


def _is(call: DiditCall, text: str, kept: str | None) -> bool:
    return kept is not None and hmac.compare_digest(_sealed(call, text), kept)


# The fields

_EMAIL = Given(name="email", required=True, read=framework.email)

#: Whether a text breaks each rule of a password (Didit skills repository, 2026), in the order in
#: which they are reported.
_BREAKS: Mapping[str, Callable[[str], bool]] = {
    "short": lambda text: len(text) < 8,
    "upper": lambda text: not any(one.isupper() for one in text),
    "lower": lambda text: not any(one.islower() for one in text),
    "digit": lambda text: not any(one.isdigit() for one in text),
    "special": lambda text: all(one.isalnum() for one in text),
}


def _password(claims: Citations, value: Any) -> str:
    """A password that keeps the rules; of several that it breaks only the first is reported."""
    sent = framework.long_text(claims, value)
    if len(sent) > claims.get("text.longest"):
        raise Invalid(framework.too_long(claims["text.longest"]))
    for name, breaks in _BREAKS.items():
        if breaks(sent):
            raise Invalid(claims["register.password"][name])
    return sent


_REGISTER = (_EMAIL, Given(name="password", required=True, read=_password))
_LOGIN = (_EMAIL, Given(name="password", required=True, read=framework.long_text))
_VERIFY = (_EMAIL, Given(name="code", required=True, read=framework.text))


# Registration, and the code to the mailbox


def _register(call: DiditCall) -> Response:
    """Register an account; it can do nothing until its code was shown."""
    rate(call, "register", by_address=True)
    values = framework.read_json_fields(call, call.body, _REGISTER)
    email: str = values["email"]
    domain = "." + email.rpartition("@")[2].lower()
    if any(domain.endswith("." + one) for one in call.claims["register.reserved"]):
        call.refuse("register.broken")
    code = _new_code(call)
    account = Account(
        email=email,
        password=_sealed(call, values["password"]),
        code=_sealed(call, code),
        code_at=call.now,
    )
    if not call.records.accounts.add(account):
        call.refuse("register.taken")
    call.records.mails.append(Mail(at=call.now, to=email, code=code))
    return call.answer("register.answer", email=email)


def _new_code(call: DiditCall) -> str:
    """Six letters and digits (Didit skills repository, 2026), by the ids of the world: the same
    seed repeats them."""
    alphabet = string.digits + string.ascii_uppercase
    number = int(call.world.account.ids.uuid().replace("-", ""), 16)
    return "".join(alphabet[number // len(alphabet) ** n % len(alphabet)] for n in range(6))


def _verify(call: DiditCall) -> Response:
    """Open an organization, an application and its key, for whoever has the code."""
    accounts, ids = call.records.accounts, call.world.account.ids
    values = framework.read_json_fields(call, call.body, _VERIFY)
    account = accounts.find(values["email"])
    if account is None or not _is(call, values["code"], account.code):
        call.refuse("verify.wrong")
    if (call.now - account.code_at).total_seconds() > call.claims["code.lifetime_s"]:
        call.refuse("verify.expired")
    opened = Opened(
        organization=ids.uuid(), application=ids.uuid(), client_id=ids.uuid(), key=_secret(call)
    )
    proved = attrs.evolve(account, opened=opened, code=None)
    # Of two who show the code at once, one is the first.
    kept = accounts.change(account.email, lambda one: proved if one is account else one)
    if kept is not proved:
        call.refuse("verify.wrong")
    # A full-access key.
    keys = {call.world.vendor: {opened.key: Key(kind=KeyKind.LIVE)}}
    here = call.world.account
    here.shared.open(opened.organization, keys=keys, parent=here)
    body = {
        **_new_tokens(call, proved),
        "organization": _organization(opened),
        "application": _application_of(opened),
    }
    return call.answer("verify.answer", body)


def _resend(call: DiditCall) -> Response:
    """Send another code; the one before is worth nothing."""
    claims, accounts = call.claims, call.records.accounts
    values = framework.read_json_fields(call, call.body, (_EMAIL,))
    account = accounts.find(values["email"])
    if account is not None and account.opened is None:
        wait = claims["resend.wait_s"] - (call.now - account.code_at).total_seconds()
        if wait > 0:
            _wait(call, "resend.throttled", wait)
        code = _new_code(call)
        again = attrs.evolve(account, code_at=call.now, code=_sealed(call, code))
        if accounts.change(account.email, lambda one: again if one is account else one) is again:
            call.records.mails.append(Mail(at=call.now, to=account.email, code=code))
    return call.answer("resend.answer")


def _wait(call: DiditCall, key: str, seconds: float) -> None:
    wait = str(max(1, math.ceil(seconds)))
    call.refuse(key, headers=(("Retry-After", wait),), wait=wait)


# Logging in, with patience for wrong passwords


def _login(call: DiditCall) -> Response:
    """Log in a person who proved a mailbox."""
    accounts = call.records.accounts
    values = framework.read_json_fields(call, call.body, _LOGIN)
    account = accounts.find(values["email"])
    if account is None:
        call.refuse("login.wrong")
    if account.locked_until is not None and call.now < account.locked_until:
        _wait(call, "login.locked", (account.locked_until - call.now).total_seconds())
    if not _is(call, values["password"], account.password):

        def failed(one: Account) -> Account:
            failures = one.failures + 1
            locked = locked_s(failures)
            until = call.now + dt.timedelta(seconds=locked) if locked else one.locked_until
            return attrs.evolve(one, failures=failures, locked_until=until)

        accounts.change(account.email, failed)
        call.refuse("login.wrong")
    if account.opened is None:
        call.refuse("login.unverified")
    accounts.change(account.email, lambda one: attrs.evolve(one, failures=0, locked_until=None))
    return call.answer("login.answer", _new_tokens(call, account))


#: Failures in a row, and for how many seconds the last of them locks the account (Didit skills
#: repository, 2026).
_LOCKOUTS = {5: 900, 10: 3600, 20: 86_400}


def locked_s(failures: int) -> int:
    """For how many seconds an account is locked by its nth failure in a row; 0 for not. Each one
    beyond the last row locks as that does."""
    return _LOCKOUTS.get(min(failures, max(_LOCKOUTS)), 0)


def _new_tokens(call: DiditCall, account: Account) -> dict[str, Any]:
    """A pair of tokens, and for how many seconds the first is good."""
    life: int = call.claims["token.lifetime_s"]
    access, refresh = _secret(call), _secret(call)
    call.records.accounts.let_in(access, account, call.now + dt.timedelta(seconds=life))
    return {"access_token": access, "refresh_token": refresh, "expires_in": life}


def _secret(call: DiditCall) -> str:
    """A token or a key, by the ids of the world: the same seed repeats it."""
    return "".join(call.world.account.ids.uuid().replace("-", "") for _ in range(2))


# The organization: no source shows a body, nor the names, so these are ours


def _organization(opened: Opened) -> dict[str, str]:
    return {"uuid": opened.organization, "name": "My organization"}


def _application_of(opened: Opened) -> dict[str, str]:
    return {
        "uuid": opened.application,
        "name": "My application",
        "client_id": opened.client_id,
        "api_key": opened.key,
    }


def _opened(call: DiditCall) -> tuple[Account, Opened]:
    """Who shows a token in the Authorization header, and what was opened for that person."""
    scheme, _, token = (call.request.header("authorization") or "").partition(" ")
    account = None
    if scheme.lower() == "bearer":
        account = call.records.accounts.who(token.strip(), call.now)
    if account is None or account.opened is None:
        call.refuse("bearer.wrong")
    return account, account.opened


def _organizations(call: DiditCall) -> Response:
    """List the organizations of whoever shows a token."""
    account, opened = _opened(call)
    rows = [{**_organization(opened), "contact_email": account.email}]
    return call.answer("organizations.answer", rows)


def _application(call: DiditCall) -> Response:
    """Tell one application, with its key."""
    _, opened = _opened(call)
    if call.words != (opened.organization, opened.application):
        call.refuse("application.unknown")
    return call.answer("application.answer", _application_of(opened))


def _route(
    path: str, answers: Mapping[str, Any], credentials: tuple[str, ...] = (), **more: Any
) -> Route:
    return json_route(f"/auth/v2/{path}", answers, credentials=credentials, **more)


_TOKEN = ("authorization",)

ROUTES = (
    _route(
        "programmatic/register/",
        {"POST": _register},
        door=Door(throttle="register"),
        shown=("email",),
    ),
    _route("programmatic/verify-email/", {"POST": _verify}),
    _route("programmatic/resend-otp/", {"POST": _resend}),
    _route(
        "programmatic/login/",
        {"POST": _login},
        shown=("email",),
        own={401: "login.wrong", 403: "login.unverified"},
    ),
    _route("organizations/me/", {"GET": _organizations}, _TOKEN, own={401: "bearer.wrong"}),
    _route(
        "organizations/me/{organization}/applications/{application}/",
        {"GET": _application},
        _TOKEN,
        own={401: "bearer.wrong", 404: "application.unknown"},
    ),
)
