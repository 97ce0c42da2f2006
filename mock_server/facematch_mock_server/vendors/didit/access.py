"""The checks before Didit's endpoints: rate limit, session, key and method."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NoReturn

import attrs

from facematch_mock_server.base.masking import describe_fields
from facematch_mock_server.base.messages import MULTIPART, URLENCODED, Response, media_type
from facematch_mock_server.base.state import UNSET
from facematch_mock_server.vendors.base import Call, Route
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import expire_if_due
from facematch_mock_server.world.rates import ExceededLimit

from .fields import read_json


@lru_cache(maxsize=64)
def allow_of(methods: tuple[str, ...]) -> tuple[str, str]:
    """Return the Allow header for an endpoint's methods; GET implies HEAD."""
    heads = ["HEAD"] if "GET" in methods else []
    return "Allow", ", ".join([*methods, *heads, "OPTIONS"])


def refuse_method(call: Call, methods: Iterable[str]) -> NoReturn:
    """Refuse OPTIONS, or a method that the endpoint does not have."""
    if call.request.method == "OPTIONS":
        call.refuse("method.options")
    call.refuse("method.refused", headers=(allow_of((*methods,)),), method=call.request.method)


# Access control


#: The vendor's hosts; one port serves both, and the path or the Host header selects one.
HOSTS = frozenset({"verification.didit.me", "apx.didit.me", "verify.didit.me"})
PAGE_HOST = "verify.didit.me"
#: The rate limit scope of each method.
_SCOPES = {"GET": "get", "POST": "write", "PATCH": "write", "DELETE": "write"}


@attrs.define(kw_only=True)
class DiditCall(Call):
    """The state of one request to Didit.

    Attributes:
        endpoint: The route; for an unknown path, a route without handlers.
        session: The session in the path; None if the path has none, or if it is unknown.
    """

    session: Any = None
    endpoint: Route = attrs.field(init=False)
    _body: Any = UNSET

    def __attrs_post_init__(self) -> None:
        self.endpoint = self.route or _UNKNOWN_ROUTE

    @property
    def body(self) -> Any:
        """The parsed JSON body, None for null. Read on first use; refuses the call if invalid."""
        if self._body is UNSET:
            self._body = read_json(self)
            if isinstance(self._body, dict) and self.route is not None:
                fields = describe_fields(self._body.items(), self.route.shown_fields)
                self.journal_fields |= fields
        return self._body


# The checks, in order: rate limit, session, key, method, content type, body. The OpenAPI documents
# only that the session is looked up before the key is checked; the rest is our choice.


def check_rate(call: DiditCall, scope: str | None = None, *, client: str | None = None) -> None:
    """Count a client's request in a rate limit scope; above the limit, refuse it instead.

    The default client is the key, else the address. The default scope is the endpoint's if that has
    a limit, else the method's.
    """
    if scope is None:
        scope = call.endpoint.rate_scope
        if scope is None or call.world.rates.limits[scope] is None:
            scope = _SCOPES.get(call.request.method)
    if scope is None:
        return
    head = call.request
    key = head.header("x-api-key")
    if client is None and key:
        client = f"key {key}"
    elif client is None:
        forwarded_for, _, _ = head.header("x-forwarded-for", "").partition(",")
        client = f"address {forwarded_for.strip() or head.peer}"
    windows = {scope: call.claims.get(window_of(scope))}
    exceeded = call.count_request(windows, client)
    if exceeded is not None:
        refuse_rate(call, exceeded)


def window_of(scope: str) -> str:
    """Return the key of the claim with a rate limit's window in seconds."""
    return "rate.sandbox_session.window_s" if scope == "sandbox_session" else "rate.window_s"


def refuse_rate(call: DiditCall, exceeded: ExceededLimit) -> NoReturn:
    """Refuse the call with a limit's 429, the only response with limit headers (rate page)."""
    scope = exceeded.scope
    headers = [("Retry-After", str(exceeded.retry_after_s))]
    # The sandbox quota is per application, independent of the endpoints' limits.
    if scope != "sandbox_session":
        if call.endpoint.rate_scope not in (None, scope):
            # The endpoint's own limit is not set.
            call.claims.cite(f"rate.{call.endpoint.rate_scope}.limit")
        headers = [
            ("X-RateLimit-Limit", str(exceeded.limit)),
            ("X-RateLimit-Remaining", "0"),
            ("X-RateLimit-Reset", str(exceeded.reset)),
            *headers,
        ]
    call.claims.cite(f"rate.{scope}.limit", window_of(scope))
    call.refuse(
        f"rate.{scope}.refused",
        headers=tuple(headers),
        limit=exceeded.limit,
        wait=exceeded.retry_after_s,
    )


def check_key(call: DiditCall) -> None:
    """Check the key, if the endpoint needs one."""
    if "x-api-key" not in call.endpoint.credentials:
        return
    sent_key = call.request.header("x-api-key")
    claim_of_403 = call.endpoint.error_claims.get(403, "auth.words.403")
    if not call.authenticate(sent_key) or call.key is None:
        if not sent_key:
            problem = "missing"
        else:
            key = call.world.keys.find(sent_key)
            problem = "wrong" if key is None or key.revoked else "expired"
        status = call.claims[f"auth.{problem}"]
        call.refuse("auth.words.401" if status == 401 else claim_of_403)
    if not call.key.allowed:
        call.key = None
        call.key_label = "wrong"
        call.refuse(claim_of_403)


def _check_access_to_session(call: DiditCall) -> None:
    """Check the key, and whether it grants access to the session in the path."""
    check_key(call)
    if call.session is None:
        call.refuse("auth.other_owner")
    hosted = call.session.hosted
    is_live_session = hosted is None or hosted.is_live
    if call.is_live != is_live_session:
        # The session belongs to the other application (live or sandbox).
        call.refuse("session.out_of_reach")


def _find_session(call: DiditCall) -> None:
    session_id = call.path_value
    session = call.world.sessions.find(session_id)
    if session is not None:
        call.session = expire_if_due(call.world, session)
    # Didit looks up the session before it checks the owner.
    elif world_of(call.world, session_id) is None:
        call.refuse("session.unknown")


def world_of(world: World, session_id: str) -> World | None:
    """Return the world of any account that has this session; None if no account has it."""
    for other_world in world.of_all_accounts():
        if other_world.sessions.find(session_id):
            return other_world
    return None


def check_method(call: DiditCall) -> None:
    """Check the method and, for a form with a body, the content type."""
    endpoint = call.endpoint
    request = call.request
    # HEAD is handled like GET.
    method = "GET" if request.method == "HEAD" else request.method
    if method not in endpoint.handlers:
        refuse_method(call, endpoint.handlers)
    content_type = request.header("content-type", "")
    is_form = media_type(content_type) in (URLENCODED, MULTIPART)
    if endpoint.is_form and request.body and not is_form:
        call.refuse("media.refused", media=content_type)


#: The checks that run before an endpoint reads its own fields.
CHECKS: Mapping[str, Callable[[Any], None]] = {
    "rate": check_rate,
    "key": check_key,
    "method": check_method,
}
#: The checks of an endpoint with a session in its path, which is looked up before the key.
_SESSION_CHECKS: Mapping[str, Callable[[Any], None]] = {
    "rate": check_rate,
    "session": _find_session,
    "key": _check_access_to_session,
    "method": check_method,
}
_SESSION_ERRORS: Mapping[int, str] = {403: "auth.words.session", 404: "session.unknown"}

_UNKNOWN_ROUTE = Route(pattern="", handlers={}, checks=CHECKS)


def make_route(
    pattern: str, handlers: Mapping[str, Callable[[Any], Response]], **options: Any
) -> Route:
    """Make the route of an endpoint that accepts JSON or no body; for `options` see `Route`.

    A ``{uuid}`` in the pattern is the id of a session, which the key must give access to.
    """
    if "{uuid}" in pattern:
        usual = {"checks": _SESSION_CHECKS, "error_claims": _SESSION_ERRORS}
    else:
        usual = {"checks": CHECKS}
    return Route(pattern=pattern, handlers=handlers, **{**usual, **options})
