"""The control API: the verbs of `Control` over HTTP, under ``/__mock__/``."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ._hosts import host_in
from ._messages import Head, Request, Response
from .claims import JSON, encode, response
from .forms import media_type
from .world import World

if TYPE_CHECKING:
    from .control import Control

PREFIX = "/__mock__/"
TOKEN_HEADER = "X-Mock-Token"  # noqa: S105 - the name of a header, no secret

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


#: A verb by method and name below the prefix.
Verbs = Mapping[tuple[str, str], Callable[..., Any]]


def _verbs(world: World) -> Verbs:
    # Loaded late: it brings what every area of the vendor has to say, and most worlds are only
    # asked as a vendor.
    from ._control_verbs import verbs_of

    return verbs_of(world.kind)


class ControlApi:
    """Serves the control API of the worlds of one server, below the prefix for the first vendor and
    below ``/__mock__/deepvue/`` for one by name; guarded, because a browser can reach a loopback
    port.

    GET reads, POST changes. A change must be ``application/json``, which no page of another origin
    can send without being allowed to, and nothing here allows it. The host must be a loopback one,
    so that no name that points here is of use; with a token, the token is asked for instead.

    Args:
        world: The first vendor's.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._controls: dict[str, Control] = {}

    def _control(self, world: World) -> Control:
        from .control import Control  # not above: as the verbs

        return self._controls.setdefault(world.vendor, Control(world))

    def owns(self, head: Head) -> bool:
        """Whether this request is for the control API."""
        return head.path.startswith(PREFIX) or head.path == PREFIX.rstrip("/")

    def known_paths(self) -> tuple[str, ...]:
        """Its paths; none where it is switched off."""
        if not self._world.ground.control:
            return ()
        return tuple(dict.fromkeys(PREFIX + name for _, name in _verbs(self._world)))

    def handle(self, request: Request) -> Response:
        """The answer; nothing of it is written into the journal."""
        refusal = self._refuse(request)
        if refusal is not None:
            return refusal
        asked = request.path[len(PREFIX) :].strip("/")
        world, name = self._whose(asked)
        verbs = _verbs(world)
        verb, words = _verb(verbs, request.method, name)
        if verb is None:
            methods = [method for method, known in verbs if known == name]
            if methods:
                return _said(405, f"{PREFIX}{asked} takes {' and '.join(methods)}.")
            return _said(404, f"There is no {PREFIX}{asked}; GET {PREFIX} lists what there is.")
        try:
            body = _object(request) if request.method == "POST" else {}
            return _json(200, verb(self._control(world), words, body))
        except (ValueError, TypeError, LookupError) as error:
            status = 404 if isinstance(error, LookupError) else 400
            return _said(status, str(error.args[0] if error.args else error))

    def _refuse(self, request: Request) -> Response | None:
        ground = self._world.ground
        if not ground.control:
            return _said(404, "The control API is switched off.")
        if ground.control_token is not None:
            token = request.header(TOKEN_HEADER.lower()) or ""
            if not hmac.compare_digest(token.encode(), ground.control_token.encode()):
                return _said(403, f"The control API needs its token in {TOKEN_HEADER}.")
        # What is no host ("[::1]evil.com", "127.0.0.1:80@evil") is not this machine.
        elif host_in(request.header("host") or "") not in _LOOPBACK:
            return _said(403, "The control API answers only under a loopback host name.")
        json_body = media_type(request.header("content-type") or "") == "application/json"
        if request.method == "POST" and not json_body:
            return _said(415, "A change is sent as application/json.")
        return None

    def _whose(self, asked: str) -> tuple[World, str]:
        """The world that is meant, and the name of the verb."""
        vendor, _, name = asked.partition("/")
        for world in self._world.ground.worlds:
            if world.vendor == vendor:
                return world, name
        return self._world, asked


def _verb(verbs: Verbs, method: str, name: str) -> tuple[Callable[..., Any] | None, str]:
    verb = verbs.get((method, name))
    if verb is not None:
        return verb, ""
    # One claim: its id is the rest of the path.
    first, _, rest = name.partition("/")
    return verbs.get((method, f"{first}/{{}}")) if rest else None, rest


def _object(request: Request) -> dict[str, Any]:
    try:
        # Fractions stay as they were written, so that amounts of money are exact.
        body = json.loads(request.body or b"{}", parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        raise ValueError("the body is no JSON") from None
    if not isinstance(body, dict):
        raise ValueError("the body is no JSON object")  # noqa: TRY004 - one error for bad bodies
    return body


def _json(status: int, body: Any) -> Response:
    # With an end of line, for whoever reads it in a terminal.
    return response(status, JSON, encode(body) + b"\n")


def _said(status: int, sentence: str) -> Response:
    return _json(status, {"mock": sentence})
