"""What stands before an answer: token, key, limit, body, wallet, pictures."""

from __future__ import annotations

import datetime as dt

from facematch_mock_server._keys import Key
from facematch_mock_server._messages import Response
from facematch_mock_server.claims import Behaviours

from . import _verdicts
from ._call import Call, Route, Step
from ._records import records_of
from ._refusing import refused


def _bearer_of(call: Call) -> str:
    scheme, _, token = (call.request.header("authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == call.told["auth.scheme"] else ""


def bearer(call: Call) -> Response | None:
    """Whether there is a token."""
    return None if _bearer_of(call) else refused(call, "auth.missing")


def token(call: Call) -> Response | None:
    """Whether the token is a good one."""
    text = _bearer_of(call)
    if not text:
        # The step before says so; with claims turned it may come later.
        return None
    tokens = records_of(call.world).tokens
    call.client = tokens.client_of(text, call.now, call.world.ids.secret)
    if call.client is not None:
        return None
    call.key_word = "wrong"
    for key in ("token.life_s", "token.many"):
        call.told.note(key)
    return refused(call, "auth.token")


def key(call: Call) -> Response | None:
    """The client secret."""
    found = _found(call)
    if found is None or not _is_own(call, found):
        return _wrong(call, "auth.key")
    return _let_in(call, found)


def pair(call: Call) -> Response | None:
    """The client secret and its client id, where there is no token."""
    found = _found(call)
    if found is None or found.client != call.request.header("client-id"):
        return _wrong(call, "auth.wallet")
    return _let_in(call, found)


def _found(call: Call) -> Key | None:
    text = call.request.header("x-api-key")
    return call.world.keys.find(text) if text else None


def _is_own(call: Call, found: Key) -> bool:
    if call.client is None or found.client == call.client:
        return True
    return not call.told["auth.own_key"]


def _wrong(call: Call, name: str) -> Response:
    call.key_word = "wrong" if call.request.header("x-api-key") else "none"
    return refused(call, name)


def is_off(found: Key, now: dt.datetime) -> bool:
    """Whether a client was switched off, or is past its last day."""
    return found.revoked or found.expired(now)


def _let_in(call: Call, found: Key) -> Response | None:
    if is_off(found, call.now) or not found.allowed:
        call.key_word = "wrong"
        off = is_off(found, call.now)
        return refused(call, "auth.inactive" if off else "auth.not_allowed")
    call.key, call.key_word = found, str(found.kind)
    return None


def rate(call: Call) -> Response | None:
    """The rate limits; counts the call."""
    told = call.told
    if call.route.name == "wallet" and not told["rate.wallet"]:
        return None
    by_key = told.peek("rate.by_key")
    place = call.world.rates.take_all(
        told.peek("rate.windows"),
        (call.request.header("x-api-key") or "") if by_key else "",
        now=call.now.timestamp(),
        count_refused=told.peek("rate.refused_count"),
    )
    for scope in told.peek("rate.windows"):
        told.note(f"rate.{scope}.limit")
    for name in ("rate.windows", "rate.by_key", "rate.refused_count"):
        told.note(name)
    if place is None:
        return None
    wait = str(place[1].retry_after)
    return refused(call, "rate.refused", tuple((name, wait) for name in told["rate.retry_after"]))


def body(call: Call) -> Response | None:
    """The body."""
    return None if call.route.read is None else call.route.read(call)


def credit(call: Call) -> Response | None:
    """Whether the call can be paid."""
    price = call.told.peek(f"credit.price.{call.route.name}")
    return _verdicts.unpaid(call) if call.ledger.balance < price else None


def picture(call: Call) -> Response | None:
    """What is seen in the pictures."""
    if call.route.decide is None or not call.values:
        return None
    call.outcome = call.route.decide(call)
    return _verdicts.faceless(call)


STEPS: dict[str, Step] = {
    "bearer": bearer,
    "token": token,
    "key": key,
    "pair": pair,
    "rate": rate,
    "body": body,
    "credit": credit,
    "picture": picture,
}
#: The step whose place another one takes.
_IN_PLACE_OF = {"pair": "key"}


def in_order(route: Route, behaviours: Behaviours) -> tuple[str, ...]:
    """The names of the steps of a path as they are taken."""
    return tuple(
        sorted(route.steps, key=lambda name: behaviours[f"order.{_IN_PLACE_OF.get(name, name)}"])
    )
