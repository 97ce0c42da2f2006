"""The application, which handles complete requests without I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeAlias

from facematch_core import __version__
from facematch_core.base.addresses import MOCK_HEADER, is_loopback
from facematch_mock_server.base.masking import mask_and_shorten, shorten
from facematch_mock_server.base.messages import (
    CLAIMS_HEADER,
    HEALTH,
    PERSON,
    Headers,
    Request,
    Response,
    host_in,
)
from facematch_mock_server.claims import response as build_response
from facematch_mock_server.control.api import ControlApi, reply_json, reply_words
from facematch_mock_server.vendors.base import MockVendor
from facematch_mock_server.world.accounts import (
    ACCOUNT_HEADER,
    NO_ACCOUNT,
    Account,
    Accounts,
    World,
)
from facematch_mock_server.world.faults import Fault, Stage
from facematch_mock_server.world.journal import Entry, compose_note
from facematch_mock_server.world.latency import Latencies
from facematch_mock_server.world.vendor import Vendor

#: Answers whether a vendor's mock is an owner of a request.
_IsOwner: TypeAlias = Callable[[MockVendor, Request], bool]
_ACCOUNT = ACCOUNT_HEADER.lower()
_CLAIMS = CLAIMS_HEADER.lower()
#: The header of every response from a mock.
_MARK: Headers = ((MOCK_HEADER, __version__),)
#: Maximum body size: many times a vendor's limit, so that the vendor's own rules apply first.
MAX_BODY_BYTES = 64 * 1024 * 1024
#: Processing a new picture of this size or more takes tens of milliseconds.
LONG_BODY_BYTES = 1024 * 1024
#: Maximum bytes in the body of a request to the control API.
MAX_CONTROL_BYTES = 1024 * 1024


class App:
    """The handler of all requests to one server. Thread-safe."""

    def __init__(self, accounts: Accounts) -> None:
        """Prepare the handler; a server and a door set the attributes that are None or empty."""
        self.accounts = accounts
        self._control = ControlApi(accounts)
        #: The console and the person's page, if enabled.
        self.console: Any = None
        #: Forwards the calls to the real vendors; None if the mock answers them. See `Recorder`.
        self.recorder: Any = None
        self.person: Any = None
        #: Whether the health check succeeds; False until a door that is to come listens.
        self.is_ready = True
        #: The files with the authority of an open door, by path.
        self.authority_files: Mapping[str, bytes] = {}

    @property
    def account(self) -> Account:
        """The first account; a reset replaces it."""
        return self.accounts.main

    @property
    def world(self) -> World:
        """The first account's state at the first vendor."""
        return next(iter(self.account.worlds.values()))

    def at_connection(self) -> Fault | None:
        """Remove and return the fault for a new connection, or return None."""
        return self.account.faults.at_connection()

    def begin(self, head: Request) -> Response | None:
        """Return a 404 if the account is unknown, a 413 if the body is too large, else None.

        Also set `head.vendor`, unless the body may contain the key, and an upload's `head.fault`.
        """
        name = head.header(_ACCOUNT)
        if name is not None and self.accounts.find(name) is None:
            return self._mark(reply_words(404, NO_ACCOUNT))
        if int(head.header("content-length") or 0) > self.max_body_bytes(head):
            return self.too_large(head)
        # The mock imitates nothing of a call that is recorded.
        vendor = None if self.recorder is not None else self.mock_vendor_of(head)
        if vendor is None:
            return None
        route, path_values = vendor.find(head)
        # On a path without credentials, the key may be in the body, and so may the call's name.
        if route is None or route.credentials:
            head.routed = (route, path_values)
            # Set now, so that a later reset does not affect this request.
            head.vendor = vendor
            if vendor.world.account.faults:
                head.fault = vendor.take_fault(head, route, Stage.MID_UPLOAD)
        return None

    def handle(self, request: Request) -> Response:
        """Return the complete response to a complete request."""
        # DNS rebinding: a site can point its own host name to the loopback and send requests to it.
        # A server that other machines can reach may have any name.
        host = host_in(request.header("host") or "127.0.0.1")
        is_own_host = host is not None and self.is_own_host(host)
        if not is_own_host:
            vendors = self.accounts.vendors.values()
            if host is None or request.is_control or not any(x.has_host(host) for x in vendors):
                claims = self.world.claims.cited()
                return self._mark(claims.with_citations(claims.answer("host")))
        # At a vendor's host, the path / is the vendor's.
        if request.is_for_mock and is_own_host:
            response = self._answer_own_path(request)
            if response is not None:
                return response
        if self.recorder is not None:
            return self._forward(request)
        return self._imitate(request)

    def is_own_host(self, host: str) -> bool:
        """Return whether a host leads to the mock's own paths, such as the control API."""
        return host == "127.0.0.1" or self.accounts.is_open or is_loopback(host)

    def _imitate(self, request: Request) -> Response:
        """Return the response of the mock of the request's vendor, or of the mock itself."""
        start = time.perf_counter()
        vendor = self.mock_vendor_of(request)
        if vendor is not None:
            response = vendor.handle(request)
            if response.entry is not None:
                response.entry.ms = (time.perf_counter() - start) * 1000
                self.see_entry(vendor.world.vendor, response.entry)
                response.entry = None  # avoid a reference cycle: the entry refers to the response
            return self._mark(response, vendor.world, request)
        mock_vendors: list[MockVendor] = [world.behaviour for world in self.account.worlds.values()]
        paths = [path for vendor in mock_vendors for path in vendor.known_paths()]
        # A misspelt /__mock__/: the path of a vendor's client is never one of the control API.
        if "mock" in request.path:
            paths += self._control.known_paths()
        close = get_close_matches(request.path, paths, n=1, cutoff=0.4)
        if close:
            hint = f"Did you mean {close[0]}?"
        else:
            first_vendor = mock_vendors[0]
            hint = f"{first_vendor.title} begins at {first_vendor.common_prefix}."
        return self._answer(request, "elsewhere", hint, path=shorten(request.path, 200), hint=hint)

    def _forward(self, request: Request) -> Response:
        """Return what the recorder brings for a vendor's host, or else for the only vendor."""
        first_vendor, *_ = vendors = self.accounts.vendors.values()
        host = request.header("host")
        vendor = next((vendor for vendor in vendors if vendor.has_host(host)), first_vendor)
        response: Response = self.recorder.forward(vendor.name, request)
        return response

    def see_entry(self, vendor: Vendor, entry: Entry) -> None:
        """Look at the entry of a vendor's answer in the journal; here, do nothing."""

    def _answer_own_path(self, request: Request) -> Response | None:
        """Serve the mock's pages, its health and the control API. Return None for other paths."""
        if request.path.startswith(PERSON) and self.person is not None:
            return self._mark(self.person.handle(request))
        is_health = request.path == HEALTH and request.method in ("GET", "HEAD")
        # Browsers get the console at /, the URL that was printed. Other programs wait for it.
        wants_console = self.console is not None and "text/html" in request.header("accept", "")
        if is_health or (request.path == "/" and not wants_console):
            return self._mark(reply_json(200 if self.is_ready else 503, self._describe()))
        if request.path in self.authority_files:
            file = self.authority_files[request.path]
            return self._mark(build_response(200, "application/octet-stream", file))
        response: Response | None = None if self.console is None else self.console.handle(request)
        if response is None and request.is_control:
            response = self._mark(self._control.handle(request))
        return response

    def _describe(self) -> dict[str, Any]:
        """Return the body of the health check: only facts that every client may know."""
        status = "ok" if self.is_ready else "the door does not listen yet"
        return {"status": status, "version": __version__, "vendors": list(self.accounts.vendors)}

    def is_slow(self, request: Request) -> bool:
        """Return whether a thread should handle the request, to keep the event loop responsive."""
        if self.recorder is not None:
            return True
        # An engine takes about 30 ms per picture.
        has_engine = self.accounts.recognizer.engine is not None
        if has_engine or len(request.body) > LONG_BODY_BYTES or request.is_for_mock:
            return True
        vendor = request.vendor or self.mock_vendor_of(request)
        # A link may lead to this server, which could not answer while it waits for itself.
        if vendor is None or not vendor.takes_links:
            return False
        return b"http" in request.body.lower() or "http" in request.target.lower()

    def latency_s(self, head: Request) -> float:
        """Return the seconds by which the response to this request is delayed."""
        vendor = head.vendor or self.mock_vendor_of(head)
        if vendor is None:
            return 0.0
        vendor_latencies: Latencies = vendor.world.latency
        shared: Latencies = vendor.world.account.latency
        # Most accounts have no latency, so the operation is not looked for.
        if not vendor_latencies.by_operation and not shared.by_operation:
            return 0.0
        operation = vendor.operation(head) or ""
        seconds = vendor_latencies.next_s(operation)
        if seconds is None:
            seconds = shared.next_s(operation)
        return seconds or 0.0

    def max_body_bytes(self, head: Request) -> int:
        # The person's page accepts pictures.
        is_small = head.is_control and not head.path.startswith(PERSON)
        return MAX_CONTROL_BYTES if is_small else MAX_BODY_BYTES

    def too_large(self, head: Request) -> Response:
        """Return the 413 for a body over the limit, and record it in the journal."""
        key = "limit.control" if self.max_body_bytes(head) == MAX_CONTROL_BYTES else "limit.body"
        return self._answer(head, key, "the body is too large")

    def note(self, head: Request, what: str) -> None:
        """Record a transport event in the journal."""
        self._world_of(head).log(head, note=shorten(what, 200))

    def mock_vendor_of(self, head: Request) -> Any:
        """Return the vendor that has the host or else the path, in the key's account, or None."""
        if head.vendor is not None or head.is_control:
            return head.vendor
        if head.is_for_mock and not self._is_at_a_vendors_host(head):
            return None
        vendor = self._find_vendor(head)
        if vendor is None:
            return None
        account = self.accounts.account_of(vendor, head) or self.accounts.main
        return account.worlds[vendor.name].behaviour

    def _is_at_a_vendors_host(self, head: Request) -> bool:
        host = head.header("host")
        return any(vendor.has_host(host) for vendor in self.accounts.vendors.values())

    def _find_vendor(self, head: Request) -> Vendor | None:
        """Return the vendor that has the request's host, else its path, else the path's prefix.

        A call that a vendor's documents have, though not its mock, goes before a path with other
        methods and before a prefix. Where no vendor has a route, an own reply names the vendor.
        """
        vendors = self.accounts.vendors.values()
        if len(vendors) > 1:
            host = head.header("host")
            for vendor in vendors:
                if vendor.has_host(host):
                    return vendor
        owner = self._first_vendor(head, _has_call)
        if owner is not None:
            return owner
        for is_owner in (_documents_call, _has_path, _owns_without_route):
            owner = owner or self._first_vendor(head, is_owner)
        return self._find_vendor_of_own_reply(head, owner)

    def _first_vendor(self, head: Request, is_owner: _IsOwner) -> Vendor | None:
        """Return the first vendor whose mock is an owner of the request, or None."""
        # The paths are the same in every account.
        worlds = self.accounts.main.worlds
        for vendor in self.accounts.vendors.values():
            if is_owner(worlds[vendor.name].behaviour, head):
                return vendor
        return None

    def _find_vendor_of_own_reply(self, head: Request, owner: Vendor | None) -> Vendor | None:
        """Return the vendor that answers if a reply of the user's fits the method and path.

        It is the one that the reply names; else, and without a reply, `owner`, the vendor to whom
        the path belongs. If neither is known, the first one answers: the reply needs none.
        """
        replies = self._account_by_any_key(head).replies
        own_reply = replies.find_by_path(head) if replies.all else None
        if own_reply is None:
            return owner
        vendors = self.accounts.vendors
        if own_reply.vendor is not None:
            return vendors.get(own_reply.vendor, owner)
        return owner or next(iter(vendors.values()))

    def _account_by_any_key(self, head: Request) -> Account:
        """Return the account of a request whose vendor is unknown, by default the first."""
        for vendor in self.accounts.vendors.values():
            account = self.accounts.account_of(vendor, head)
            if account is not None:
                return account
        return self.accounts.main

    def _world_of(self, head: Request) -> World:
        vendor = self.mock_vendor_of(head)
        return self.world if vendor is None else vendor.world

    def _answer(self, head: Request, key: str, note: str, **filled: Any) -> Response:
        """Return one of the mock's own responses, and record it in the journal."""
        claims = self.world.claims.cited()
        response = claims.with_citations(claims.answer(key, **filled))
        self._world_of(head).log(
            head,
            status=response.status,
            fields=mask_and_shorten(head.query),
            claims=response.claims,
            note=compose_note(head, note),
        )
        return self._mark(response, request=head)

    def _mark(
        self, response: Response, world: World | None = None, request: Request | None = None
    ) -> Response:
        mark: Headers = _MARK
        if request is not None and request.header(_CLAIMS) is not None:
            mark = (*_MARK, (CLAIMS_HEADER, ", ".join(response.claims)))
        response.headers = response.headers + mark
        response.date = response.date or (world or self.world).clock.now()
        return response


# Whether a vendor's mock is an owner of a request, from the surest to the least sure.


def _has_call(mock_vendor: MockVendor, head: Request) -> bool:
    """Return whether it has a route for the path and the method."""
    route, _ = mock_vendor.find(head)
    return route is not None and head.method in route.handlers


def _documents_call(mock_vendor: MockVendor, head: Request) -> bool:
    """Return whether the vendor's documents have the call, though the mock lacks it."""
    return mock_vendor.find_missing(head) is not None


def _has_path(mock_vendor: MockVendor, head: Request) -> bool:
    """Return whether it has a route for the path, with other methods."""
    route, _ = mock_vendor.find(head)
    return route is not None


def _owns_without_route(mock_vendor: MockVendor, head: Request) -> bool:
    """Return whether the path, without a route, is the vendor's by its prefix or host."""
    return mock_vendor.owns_without_route(head)
