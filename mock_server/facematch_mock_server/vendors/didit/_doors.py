"""What stands before an endpoint that takes JSON or nothing: limit, session, key, body."""

from __future__ import annotations

from collections.abc import Callable

from facematch_mock_server._keys import KeyKind
from facematch_mock_server._messages import Response
from facematch_mock_server.forms import media_type

from . import _access
from ._visit import Door, Visit, read_json

_BODILESS = frozenset({"GET", "HEAD", "DELETE"})


def enter(visit: Visit) -> Response:
    """The answer of the route, or the refusal of the first check that fails."""
    told = visit.told
    for name, check in sorted(_CHECKS.items(), key=lambda item: told.peek(f"door.{item[0]}")):
        refusal = check(visit)
        if refusal is not None:
            told.note(f"door.{name}")
            return refusal
    return visit.route.methods[_asked(visit)](visit)


def _asked(visit: Visit) -> str:
    # HEAD is answered as GET; whoever sends the answer leaves its body away.
    method = visit.request.method
    return "GET" if method == "HEAD" else method


def _limit(visit: Visit) -> Response | None:
    scope = visit.route.scope
    if scope is not None and visit.world.rates.limits[scope] is None:
        visit.told.note(f"rate.{scope}.limit")
        scope = None
    return _access.rate(visit, scope=scope)


def _session(visit: Visit) -> Response | None:
    """The session of the path, before anybody asks for a key."""
    if visit.route.door is not Door.SESSION:
        return None
    visit.session = visit.world.sessions.find(visit.words[0].lower())
    return visit.answer("session.unknown") if visit.session is None else None


def _key(visit: Visit) -> Response | None:
    """The key, and whether the session is its to see."""
    door = visit.route.door
    if door is Door.OPEN:
        return None
    words = "auth.words.session" if door is Door.SESSION else "auth.words.403"
    refusal = _access.access(visit, words=words)
    if refusal is not None or visit.session is None or visit.key is None:
        return refusal
    if visit.key.owner != visit.session.owner:
        return visit.answer("auth.other_owner", {"detail": visit.told["auth.words.other_owner"]})
    if visit.key.kind is KeyKind.SANDBOX:
        # It belongs to the live application beside it.
        return visit.answer("session.out_of_reach")
    return None


def _method(visit: Visit) -> Response | None:
    if _asked(visit) in visit.route.methods:
        return None
    allowed = _access.methods_of(visit.route.methods)
    return _access.other_method(visit.told, visit.request, allowed, visit.headers)


def _body(visit: Visit) -> Response | None:
    """The JSON of the body, where the method has one."""
    request = visit.request
    if request.method in _BODILESS and not request.body:
        return None
    if not request.body:
        if visit.told["json.empty"]:
            visit.body = {}
            return None
        return visit.answer("json.refused", problem="nothing")
    kind = request.header("content-type") or ""
    if media_type(kind) != "application/json":
        return visit.answer("media.refused", media=kind)
    try:
        visit.body = read_json(request.body)
    except ValueError as error:
        return visit.answer("json.refused", problem=str(error))
    return None


_CHECKS: dict[str, Callable[[Visit], Response | None]] = {
    "limit": _limit,
    "session": _session,
    "key": _key,
    "method": _method,
    "body": _body,
}
