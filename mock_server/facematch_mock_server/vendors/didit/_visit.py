"""One request to an endpoint that takes JSON or nothing, while it is answered."""

from __future__ import annotations

import datetime as dt
import enum
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_mock_server._keys import Key
from facematch_mock_server._messages import Headers, Request, Response
from facematch_mock_server._sessions import Session
from facematch_mock_server.claims import Told
from facematch_mock_server.world import World

from ._paths import HOSTS


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
        served: The behaviour that says whether the vendor has this path at all; None if it has.
    """

    pattern: str
    door: Door
    methods: Mapping[str, Callable[[Visit], Response]]
    scope: str | None = None
    served: str | None = None
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
        return origin_of(self.request)

    def answer(self, key: str, body: Any = None, **words: object) -> Response:
        """The answer that the claim of `key` gives, with the headers of this visit."""
        return self.told.answer(key, body, self.headers, **words)


def origin_of(request: Request) -> str:
    """Scheme and host under which the caller reached this server."""
    host = request.header("host") or "127.0.0.1"
    # In process the address is the vendor's own, and that is https.
    scheme = "https" if host.partition(":")[0].lower() in HOSTS else "http"
    return f"{scheme}://{host}"


def read_json(body: bytes) -> Any:
    """The decoded body.

    Raises:
        ValueError: it is no JSON; the message is the framework's reason.
    """
    try:
        return json.loads(body.decode())
    except UnicodeDecodeError:
        raise ValueError("'utf-8' codec can't decode byte") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
