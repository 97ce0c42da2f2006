"""Accounts: registration by a program, a mailbox proved, and logging in."""

from __future__ import annotations

import hashlib
import hmac
import math
import string
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.claims import Citations
from facematch_mock_server.vendors import base
from facematch_mock_server.world.services import Key, KeyKind

from . import framework
from .access import DiditCall, Endpoint, address_of, check_rate, json_route
from .framework import Field, Invalid
from .records import Account, Mail
from .webhooks import application_id


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
    check_rate(call, "register", client=address_of(call.request))
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
    if not call.world.records.accounts.put_new(email.lower(), account):
        call.refuse("register.taken")
    call.world.records.mails.append(partial(Mail, at=call.now, to=email, code=code))
    return call.answer("register.answer", email=email)


def _new_code(call: DiditCall) -> str:
    """Six letters and digits (Didit skills repository, 2026); the same seed repeats them."""
    alphabet = string.digits + string.ascii_uppercase
    number = int(call.world.account.ids.uuid().replace("-", ""), 16)
    return "".join(alphabet[number // len(alphabet) ** n % len(alphabet)] for n in range(6))


def _verify(call: DiditCall) -> Response:
    """Open an organization, an application and its key, for whoever has the code.

    No source shows their bodies, nor the names: these are ours.
    """
    accounts, ids = call.world.records.accounts, call.world.account.ids
    values = framework.read_json_fields(call, call.body, _VERIFY)
    address = values["email"].lower()
    account = accounts.find(address)
    if account is None or not _matches_digest(call, values["code"], account.code):
        call.refuse("verify.wrong")
    if (call.now - account.code_at).total_seconds() > call.claims["code.lifetime_s"]:
        call.refuse("verify.expired")
    organization, client_id, key = ids.uuid(), ids.uuid(), _new_secret(call)
    verified = attrs.evolve(account, organization=organization, code=None)
    # Of two who show the code at once, the first gets in.
    if accounts.change(address, lambda x: verified if x is account else x) is not verified:
        call.refuse("verify.wrong")
    # A full-access key.
    keys = {call.world.vendor: {key: Key(kind=KeyKind.LIVE)}}
    try:
        call.world.account.shared.open(organization, keys=keys, parent=call.world.account)
    except ValueError as error:
        # There are too many accounts: the code is good for later.
        accounts.change(address, lambda _: account)
        call.refuse("auth.words.403", headers=((base.HINT_HEADER, str(error)),))
    body = {
        **_new_tokens(call),
        "organization": {"uuid": organization, "name": "My organization"},
        "application": {
            "uuid": application_id(organization),
            "name": "My application",
            "client_id": client_id,
            "api_key": key,
        },
    }
    return call.answer("verify.answer", body)


def _resend(call: DiditCall) -> Response:
    """Send another code; the one before is worth nothing."""
    claims, accounts = call.claims, call.world.records.accounts
    values = framework.read_json_fields(call, call.body, (_EMAIL,))
    address = values["email"].lower()
    account = accounts.find(address)
    if account is not None and account.organization is None:
        wait = claims["resend.wait_s"] - (call.now - account.code_at).total_seconds()
        if wait > 0:
            seconds = str(max(1, math.ceil(wait)))
            call.refuse("resend.throttled", headers=(("Retry-After", seconds),), wait=seconds)
        code = _new_code(call)
        changed = attrs.evolve(account, code_at=call.now, code=_hash_secret(call, code))
        if accounts.change(address, lambda x: changed if x is account else x) is changed:
            mail = partial(Mail, at=call.now, to=account.email, code=code)
            call.world.records.mails.append(mail)
    return call.answer("resend.answer")


def _login(call: DiditCall) -> Response:
    values = framework.read_json_fields(call, call.body, _LOGIN)
    account = call.world.records.accounts.find(values["email"].lower())
    if account is None or not _matches_digest(call, values["password"], account.password):
        call.refuse("login.wrong")
    if account.organization is None:
        call.refuse("login.unverified")
    return call.answer("login.answer", _new_tokens(call))


def _new_tokens(call: DiditCall) -> dict[str, Any]:
    tokens = {"access_token": _new_secret(call), "refresh_token": _new_secret(call)}
    return {**tokens, "expires_in": call.claims["token.lifetime_s"]}


def _new_secret(call: DiditCall) -> str:
    """A token or a key; the same seed repeats it."""
    return "".join(call.world.account.ids.uuid().replace("-", "") for _ in range(2))


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
)
