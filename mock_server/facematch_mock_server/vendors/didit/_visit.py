"""One request to an endpoint that takes JSON or nothing, while it is answered."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import attrs

from facematch_mock_server._hosts import host_in, is_loopback
from facematch_mock_server._keys import Key
from facematch_mock_server._messages import Headers, Request, Response
from facematch_mock_server._sessions import Session
from facematch_mock_server.claims import Told
from facematch_mock_server.world import World

from ._paths import HOSTS

#: Levels of a body: Python reads deeper ones than it writes, and a store keeps what was read.
DEEPEST = 100


class Door(enum.Enum):
    """What stands before an endpoint."""

    #: The session of the path is looked up, then the key is.
    SESSION = enum.auto()
    #: The key.
    KEY = enum.auto()
    #: Nothing, or what the endpoint itself asks for.
    OPEN = enum.auto()


@attrs.frozen(kw_only=True)
class Route:
    """A path, and who answers there.

    Attributes:
        pattern: The path; ``{uuid}`` is one segment that must be a UUID, or else no route of the
            vendor's has the path, and ``{word}`` is any one segment.
        door: What stands before it.
        methods: Who answers which method.
        scope: The rate limit that counts it in place of that of its method; None for that, and
            that counts, too, where this one is not set.
        throttle: A rate limit that the endpoint itself asks for, beside those; None for none.
        served: The behaviour that says whether the vendor has this path at all; None if it has.
        shown: The fields of a body whose values the journal may hold; of others it has type and
            length.
        own: The behaviour that has the words of a status, where this path has words of its own.
    """

    pattern: str
    door: Door
    methods: Mapping[str, Callable[[Visit], Response]]
    scope: str | None = None
    throttle: str | None = None
    served: str | None = None
    shown: tuple[str, ...] = ()
    own: Mapping[int, str] = attrs.field(factory=dict)
    _expression: re.Pattern[str] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        text = re.sub(r"\\\{(\w+)\\\}", "([^/]+)", re.escape(self.pattern))
        object.__setattr__(self, "_expression", re.compile(text))

    def words(self, path: str) -> tuple[str, ...] | None:
        """What stands for the placeholders of a path, in order; None if it is not for this one."""
        found = self._expression.fullmatch(path)
        return None if found is None else found.groups()


@attrs.define(kw_only=True)
class Visit:
    """One request to a route.

    Attributes:
        world, request, told: What it is answered with.
        route: Whom it is for.
        words: What stands for the placeholders of its path.
        now: When it is answered.
        headers: That every answer to it carries.
        key: The key, once it was found good; None before, and where none is asked for.
        key_word: For the journal.
        session: The session of the path, once it was found; None before, and for other paths.
        body: The decoded JSON body, once it was read; None before, and without one.
    """

    world: World
    request: Request
    told: Told
    route: Route
    words: tuple[str, ...]
    now: dt.datetime
    headers: Headers = ()
    key: Key | None = None
    key_word: str = "none"
    session: Session | None = None
    body: Any = None

    @property
    def owner(self) -> str:
        """Whose the key is; only behind a door that asks for one."""
        if self.key is None:
            raise LookupError("nobody has shown a key")
        return self.key.owner

    @property
    def found(self) -> Session:
        """The session of the path; only behind the door of a session."""
        if self.session is None:
            raise LookupError("there is no session in this path")
        return self.session

    @property
    def fields(self) -> Mapping[str, Any]:
        """The body, if it is an object; else one without keys."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def query(self) -> dict[str, str]:
        """The query; of a name that stands twice the last value counts, as for the framework."""
        return dict(self.request.query)

    @property
    def origin(self) -> str:
        """How the caller reaches this server, for addresses in answers."""
        return origin_of(self.world, self.request)

    def answer(self, key: str, body: Any = None, **words: object) -> Response:
        """The answer that the claim of `key` gives, with the headers of this visit."""
        return self.told.answer(key, body, self.headers, **words)


def origin_of(world: World, request: Request) -> str:
    """Scheme and host under which the caller reached this server, or its own if that is no name
    of it: an address that is told, and sent in webhooks, must not lead elsewhere."""
    if not is_ours(world, request):
        return world.address or "http://127.0.0.1"
    host = request.header("host") or "127.0.0.1"
    # In process the address is the vendor's own, and that is https.
    scheme = "https" if host_in(host) in HOSTS else "http"
    return f"{scheme}://{host}"


def is_ours(world: World, request: Request) -> bool:
    """Whether the Host header is a name of this server.

    A page in a browser can have its own name point to the loopback; then it asks under that name.
    Beyond the loopback, and within the process, a server may have any name.
    """
    host = host_in(request.header("host") or "127.0.0.1")
    if host is None:
        return False
    return world.is_open or request.is_inside or host in HOSTS or is_loopback(host)


def read_json(body: bytes) -> Any:
    """The decoded body; every number in it is finite, and it has at most 100 levels.

    Raises:
        ValueError: it is no such JSON; the message is the framework's reason.
    """
    try:
        value = decoded(body.decode())
    except UnicodeDecodeError:
        raise ValueError("'utf-8' codec can't decode byte") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if is_too_deep(value, DEEPEST):
        raise ValueError("nested too deeply")
    return value


def decoded(text: str) -> Any:
    """The value of JSON; every number in it is finite.

    Raises:
        ValueError: it is no such JSON.
        RecursionError: it is nested more deeply than Python reads.
    """
    return json.loads(text, parse_constant=_no_constant, parse_float=_finite)


def is_too_deep(value: Any, deepest: int) -> bool:
    """Whether decoded JSON has more levels of arrays and objects than `deepest`."""
    level, depth = [value] if isinstance(value, (dict, list)) else [], 0
    while level and depth <= deepest:
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for many in inner for one in many if isinstance(one, (dict, list))]
        depth += 1
    return depth > deepest


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"Out of range float values are not JSON compliant: {text!r}")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("Out of range float values are not JSON compliant")
    return value
