"""A whole request in, a whole answer out, without I/O: whose it is, and what the journal says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from facematch_core import __version__
from facematch_core.base.addresses import MOCK_HEADER, is_loopback
from facematch_mock_server.base.masking import presentable, shorten
from facematch_mock_server.base.messages import (
    CLAIMS_HEADER,
    PERSON,
    Request,
    Response,
    host_in,
)
from facematch_mock_server.vendors.base import Routed, is_keyless
from facematch_mock_server.world.accounts import (
    ACCOUNT_HEADER,
    NO_ACCOUNT,
    Account,
    Accounts,
    World,
)
from facematch_mock_server.world.faults import Fault
from facematch_mock_server.world.journal import compose_note

from .control import ControlApi, reply_words

_ACCOUNT = ACCOUNT_HEADER.lower()
#: Many times what a vendor takes: until then a file that is too large is refused by its field.
MAX_BODY_BYTES = 64 * 1024 * 1024
#: A body from which on a picture that nobody has seen takes tens of milliseconds.
LONG_BODY_BYTES = 1024 * 1024
#: A change through the control API is no longer than this.
MAX_CONTROL_BYTES = 1024 * 1024


class Console(Protocol):
    """A page of the mock's own: it answers itself, or hands on the answer. Safe across threads."""

    def handle(self, request: Request, answer: Callable[[Request], Response]) -> Response: ...


class Person(Protocol):
    """The page on which somebody plays the person of a hosted session. Safe across threads."""

    def handle(self, request: Request) -> Response: ...


class App:
    """Answers for the accounts of one server, whatever the transport. Safe across threads."""

    #: Whether pictures are really compared, which takes its time.
    has_engine = False

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self._control = ControlApi(accounts)
        self.console: Console | None = None
        self.person: Person | None = None

    @property
    def account(self) -> Account:
        """The first one, as it is now: a reset puts another in its place."""
        return self.accounts.main

    @property
    def world(self) -> World:
        """The first vendor's in the first account."""
        return self.account.world(next(iter(self.accounts.kinds)))

    def at_connection(self) -> Fault | None:
        """The fault for a connection that was just made, counted; None for none."""
        return self.account.faults.at_connection()

    def begin(self, head: Request) -> Response | None:
        """404 for an account that is none, 413 for a declared length over the limit, or None: then
        the head has its vendor, unless its body alone says whose it is, and the upload's fault.
        """
        name = head.header(_ACCOUNT)
        if name is not None and self.accounts.find(name) is None:
            return self._mark(reply_words(404, NO_ACCOUNT))
        declared = head.header("content-length") or ""
        # So many digits are never a length, and turning them into a number costs time.
        if (
            declared.isascii()
            and declared.isdigit()
            and (len(declared) > 18 or int(declared) > self.max_body_bytes(head))
        ):
            return self.too_large(head)
        vendor = self.vendor_of(head)
        if vendor is None:
            return None
        route, _ = head.routed = vendor.find(head)
        if not is_keyless(route):
            # It belongs to the account as it is now.
            head.vendor = vendor
            if vendor.world.account.faults:
                head.fault = vendor.fault_at_head(head)
        return None

    def handle(self, request: Request) -> Response:
        """The whole answer to a whole request; raises nothing but what the recognizer raises."""
        # A page in a browser can have its own name point to the loopback; then it asks under that
        # name. Beyond the loopback a server may have any name.
        host = host_in(request.header("host") or "127.0.0.1")
        if host is None or not (self.accounts.is_open or is_loopback(host)):
            kinds = self.accounts.kinds.values()
            if host is None or request.is_for_mock or not any(k.has_host(host) for k in kinds):
                claims = self.world.claims.citations()
                return self._mark(claims.sealed(claims.answer("host")))
        if request.path.startswith(PERSON):
            if self.person is None:
                return self._mark(reply_words(404, "There is no page of a person here."))
            return self._mark(self.person.handle(request))
        if self.console is None:
            return self._handle(request)
        return self.console.handle(request, self._handle)

    def _handle(self, request: Request) -> Response:
        if request.is_control:
            return self._mark(self._control.handle(request))
        vendor = self.vendor_of(request)
        if vendor is not None:
            return self._mark(vendor.handle(request), vendor.world)
        from difflib import get_close_matches  # not above: few requests need a hint

        vendors: list[Routed] = [world.behaviour for world in self.account.worlds]
        paths = [path for vendor in vendors for path in vendor.known_paths()]
        paths += self._control.known_paths()
        close = get_close_matches(request.path, paths, n=1, cutoff=0.4)
        first = vendors[0]
        hint = f"Did you mean {close[0]}?" if close else f"{first.title} begins at {first.begins}."
        return self._answer(request, "elsewhere", hint, path=shorten(request.path, 200), hint=hint)

    def is_slow(self, request: Request) -> bool:
        """Whether others should not wait for this answer."""
        # A list or a reset of ours may be long, a large picture takes long to decode.
        return self.has_engine or len(request.body) > LONG_BODY_BYTES or request.is_for_mock

    def latency_s(self, head: Request) -> float:
        """How many seconds later than it could the answer to this request leaves."""
        vendor = self.vendor_of(head)
        latency = None if vendor is None else vendor.world.account.latency
        return latency.draw(vendor.operation(head)) if latency and latency.spans else 0.0

    def max_body_bytes(self, head: Request) -> int:
        # The page of a person takes pictures.
        is_small = head.is_control and not head.path.startswith(PERSON)
        return MAX_CONTROL_BYTES if is_small else MAX_BODY_BYTES

    def too_large(self, head: Request) -> Response:
        """The 413 for a body over the limit, noted in the journal."""
        key = "limit.control" if self.max_body_bytes(head) == MAX_CONTROL_BYTES else "limit.body"
        return self._answer(head, key, "the body is too large")

    def note(self, head: Request, what: str) -> None:
        """Write into the journal what a transport did by itself."""
        self._world_of(head).log(head, note=shorten(what, 200))

    def vendor_of(self, head: Request) -> Any:
        """The `Routed` that answers: by its own host, else by the path, in the key's account; None
        for none."""
        if head.vendor is not None or head.is_control:
            return head.vendor
        # The paths are the same in every account.
        accounts, kind = self.accounts, None
        kinds, main = accounts.kinds.values(), accounts.main
        if len(kinds) > 1:
            host = head.header("host")
            kind = next((kind for kind in kinds if kind.has_host(host)), None)
        if kind is None:
            for kind in kinds:
                if main.world(kind.name).behaviour.owns(head):
                    break
            else:
                return None
        return (accounts.owner_of(kind, head) or main).world(kind.name).behaviour

    def _world_of(self, head: Request) -> World:
        vendor = self.vendor_of(head)
        return self.world if vendor is None else vendor.world

    def _answer(self, head: Request, key: str, note: str, **filled: Any) -> Response:
        """An answer in the mock's own words, noted in the journal."""
        claims = self.world.claims.citations()
        response = claims.sealed(claims.answer(key, **filled))
        self._world_of(head).log(
            head,
            status=response.status,
            fields=presentable(head.query),
            claims=response.claims,
            note=compose_note(head, note),
        )
        return self._mark(response)

    def _mark(self, response: Response, world: World | None = None) -> Response:
        claims = ((CLAIMS_HEADER, ", ".join(response.claims)),) if response.claims else ()
        response.headers = (*response.headers, (MOCK_HEADER, __version__), *claims)
        response.date = (world or self.world).clock.now()
        return response
