"""What is before Didit's endpoints: rate limit, session, key, method, body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_mock_server.base.masking import describe_fields
from facematch_mock_server.base.messages import (
    MULTIPART,
    URLENCODED,
    Request,
    Response,
    host_in,
    media_type,
)
from facematch_mock_server.vendors.base import Call, Route
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import current
from facematch_mock_server.world.services import KeyKind, Window

from . import framework

#: Hosts of the vendor; one port serves both, chosen by path or by the Host header.
HOSTS = frozenset({"verification.didit.me", "apx.didit.me"})
#: The rate limit that counts requests of a method.
_SCOPES = {"GET": "get", "POST": "write", "PATCH": "write", "DELETE": "write"}


@attrs.frozen(kw_only=True)
class Endpoint:
    """An endpoint's own rules: who may enter it, and how often."""

    #: Whether its path names a session, which is looked up before the key.
    session: bool = False
    #: The rate limit that counts it in place of that of its method, if it is set.
    scope: str | None = None


_PLAIN = Endpoint()


@attrs.define(kw_only=True)
class DiditCall(Call):
    #: The session of the path, where that names one; else None.
    session: Any = None
    endpoint: Any = attrs.field(init=False)
    _body: tuple[Any] | None = None

    def __attrs_post_init__(self) -> None:
        self.endpoint = _PLAIN if self.route is None else self.route.more

    @property
    def body(self) -> Any:
        """The JSON of the body, read when it is first asked for, or a refusal; None for null."""
        if self._body is None:
            self._body = (framework.read_json(self),)
            if isinstance(self._body[0], dict) and self.route is not None:
                self.shown |= describe_fields(self._body[0].items(), self.route.shown)
        return self._body[0]

    @property
    def is_live(self) -> bool:
        return self.key is not None and self.key.kind is KeyKind.LIVE

    @property
    def origin(self) -> str:
        return origin_of(self.world, self.request)


def origin_of(world: World, head: Request | None) -> str:
    """Return the beginning of this server's addresses, with the host that the client named."""
    address = world.account.shared.address or "http://127.0.0.1"
    host = head and head.header("host")
    if not host:
        return address
    # The vendor's own address is https.
    scheme = "https" if host_in(host) in HOSTS else address.partition(":")[0]
    return f"{scheme}://{host}"


# The checks. That the rate limit comes first, then the key, then method, content type and body, is
# ours; that the session of a path is looked up before the key is the OpenAPI's.


def check_rate(call: DiditCall, scope: str | None = None, *, client: str | None = None) -> None:
    """Count the request of a client (by default the key, else the address) in a scope (by default
    the endpoint's, else the method's); refuse it above the limit."""
    if scope is None:
        scope = call.endpoint.scope
        if scope is None or call.world.rates.limits[scope] is None:
            scope = _SCOPES.get(call.request.method)
    if scope is None:
        return
    head = call.request
    if client is None and (key := head.header("x-api-key")):
        client = f"key {key}"
    if client is None:
        forwarded = (head.header("x-forwarded-for") or "").partition(",")[0].strip()
        client = f"address {forwarded or head.peer}"
    windows = {scope: call.claims.get(window_of(scope))}
    refusal = call.world.rates.take(windows, client, now=call.now.timestamp())
    if refusal is not None:
        refuse_rate(call, *refusal)


def window_of(scope: str) -> str:
    """The claim that says how long the window of a rate limit is."""
    return "rate.sandbox_session.window_s" if scope == "sandbox_session" else "rate.window_s"


def refuse_rate(call: DiditCall, scope: str, window: Window) -> None:
    """Refuse the call with the 429 of a scope; no other answer speaks of limits (its rate page)."""
    lines = {"Retry-After": window.retry_after}
    # The quota of the sandbox is the application's, whatever the limits of its endpoints are.
    if scope != "sandbox_session":
        if call.endpoint.scope not in (None, scope):
            # The endpoint's own limit, which is not set.
            call.claims.cite(f"rate.{call.endpoint.scope}.limit")
        facts = {"Limit": window.limit, "Remaining": 0, "Reset": window.reset}
        lines = {**{f"X-RateLimit-{name}": fact for name, fact in facts.items()}, **lines}
    headers = tuple((name, str(number)) for name, number in lines.items())
    call.claims.cite(f"rate.{scope}.limit", window_of(scope))
    words = {"limit": window.limit, "wait": window.retry_after}
    call.refuse(f"rate.{scope}.refused", headers=headers, **words)


def check_key(call: DiditCall) -> None:
    """The key, and whether the session of the path is its to see."""
    if call.route is not None and "x-api-key" not in call.route.credentials:
        return
    sent = call.request.header("x-api-key")
    if not call.let_in(sent) or call.key is None:
        key = call.world.keys.find(sent or "")
        problem = "wrong" if key is None or key.revoked else "expired"
        status = call.claims[f"auth.{problem if sent else 'missing'}"]
        call.refuse("auth.words.401" if status == 401 else claim_of_403(call))
    if not call.key.allowed:
        call.key, call.key_word = None, "wrong"
        call.refuse(claim_of_403(call))
    if call.endpoint.session and call.session is None:
        call.refuse("auth.other_owner")
    hosted = None if call.session is None else call.session.hosted
    if call.endpoint.session and call.is_live != (hosted is None or hosted.is_live):
        # The path belongs to the other application.
        call.refuse("session.out_of_reach")


def claim_of_403(call: DiditCall) -> str:
    return "auth.words.session" if call.endpoint.session else "auth.words.403"


def _find_session(call: DiditCall) -> None:
    if call.endpoint.session:
        session = call.world.sessions.find(call.words[0])
        call.session = session and current(call.world, session)
        # The vendor looks for it before it asks whose it is.
        if call.session is None and world_of(call.world, call.words[0]) is None:
            call.refuse("session.unknown")


def world_of(world: World, session_id: str) -> World | None:
    worlds = (account.find_world(world.vendor) for account in world.account.shared.all)
    return next((world for world in worlds if world and world.sessions.find(session_id)), None)


def check_method(call: DiditCall) -> None:
    """The method; and where a form is taken the content type, unless there is no body."""
    route: Any = call.route
    request = call.request
    if ("GET" if request.method == "HEAD" else request.method) not in route.answers:
        framework.refuse_method(call, route.answers)
    kind = request.header("content-type") or ""
    if route.is_form and request.body and media_type(kind) not in (URLENCODED, MULTIPART):
        call.refuse("media.refused", media=kind)


def json_route(
    pattern: str,
    answers: Mapping[str, Callable[[Any], Response]],
    *,
    endpoint: Endpoint = _PLAIN,
    **more: Any,
) -> Route:
    """The route of an endpoint that takes JSON or nothing; `more` as for `Route`."""
    checks: dict[str, Callable[[Any], None]] = {
        "limit": check_rate,
        "session": _find_session,
        "key": check_key,
        "method": check_method,
    }
    return Route(pattern=pattern, answers=answers, checks=checks, more=endpoint, **more)
