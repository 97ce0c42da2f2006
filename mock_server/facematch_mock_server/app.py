"""A whole request in, a whole answer out, without I/O: whose it is, and what the journal says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs

from facematch_core import __version__

from .claims import Citations
from .control_http import ControlApi
from .faults import Fault, Faults, Kind
from .http.exchange import struck
from .journal import noted, presentable, short
from .messages import CLAIMS_HEADER, MOCK_HEADER, Head, Request, Response
from .vendors.base import Routed, Vendor
from .world import ServerState, World

#: Many times what a vendor takes: until then a file that is too large is refused by its field.
MAX_BODY_BYTES = 64 * 1024 * 1024
#: A change through the control API is no longer than this.
MAX_CONTROL_BYTES = 1024 * 1024


class Console(Protocol):
    """A page of the mock's own, which looks at what is answered. Safe across threads."""

    def handle(self, request: Request, answer: Callable[[Request], Response]) -> Response:
        """The console's own answer, or that of `answer`."""
        ...


class App:
    """Answers for the vendors of one server, whatever the transport. Safe across threads.

    Args:
        state: What they share; the worlds that are in it are answered for.

    Attributes:
        state: It.
        console: The page at ``/``; None for none.
        slow: Whether an answer takes so long that a server should not wait for it on its loop.
    """

    slow = False

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self._vendors = tuple(_routed(world) for world in state.worlds)
        self._control = ControlApi(state)
        self.console: Console | None = None

    @property
    def world(self) -> World:
        """The first vendor's."""
        return self.state.worlds[0]

    @property
    def faults(self) -> Faults:
        """The rules as they are now; a reset gives others."""
        return self.state.faults

    def handle(self, request: Request) -> Response:
        """The whole answer to a whole request.

        An exception of the recognizer is handed on; nothing else is raised.
        """
        if self.console is None:
            return self._handle(request)
        return self.console.handle(request, self._handle)

    def _handle(self, request: Request) -> Response:
        # No webhook leaves before its request is over, and none of one that failed.
        with self.state.together():
            if self._control.owns(request):
                if request.fault is not None:
                    self.note(request, request.fault)
                return _marked(self._control.handle(request))
            vendor = self._of(request)
            return _marked(self._elsewhere(request) if vendor is None else vendor.handle(request))

    def latency_s(self, head: Head) -> float:
        """How many seconds later than it could the answer to this request leaves."""
        if not self.state.latency.all():
            return 0.0
        vendor = self._of(head)
        return 0.0 if vendor is None else self.state.latency.draw(vendor.operation(head))

    def refuse_early(self, head: Head) -> Response | None:
        """The 413 for a declared length over the limit, noted in the journal, or None."""
        declared = head.header("content-length") or ""
        if not (declared.isascii() and declared.isdigit()):
            return None
        # So many digits are never a length, and turning them into a number costs time.
        if len(declared) < 19 and int(declared) <= self.max_body_bytes(head):
            return None
        return self.too_large(head)

    def max_body_bytes(self, head: Head) -> int:
        """How many bytes of a body are taken before the answer is 413."""
        return MAX_CONTROL_BYTES if self._control.owns(head) else MAX_BODY_BYTES

    def too_large(self, head: Head) -> Response:
        """The 413 for a body over the limit, noted in the journal."""
        claims = self.world.claims.citations()
        key = "limit.control" if self._control.owns(head) else "limit.body"
        return _marked(self._logged(head, claims, claims.answer(key), "the body is too large"))

    def answer_of(self, fault: Fault, request: Request) -> Response:
        """The answer of a fault at `Stage.ANSWER`.

        The call itself is not carried out: that is `handle`, for a fault that was executed. If it
        was, `handle` has written it down; else it is noted here, with what is known of it.
        """
        vendor = self._of(request)
        claims = (self.world if vendor is None else vendor.world).claims.citations()
        response = None
        if fault.kind is Kind.HTML:
            response = claims.answer("fault.html", status=fault.status)
        elif fault.kind is Kind.WRONG_JSON:
            response = claims.answer("fault.wrong_json")
        elif fault.kind is Kind.JSON:
            response = claims.answer("fault.own", fault.body)
        elif vendor is not None:
            response = vendor.vendor_error(fault.status, request)
        if response is None:
            key = "fault.server" if fault.status >= 500 else "fault.other"
            response = claims.answer(key, status=fault.status)
        response = attrs.evolve(response, status=fault.status)
        response = response if response.claims else claims.sealed(response)
        if not fault.executed:
            call = struck(request, fault)
            if vendor is None:
                self._logged(call, claims, response)
            else:
                vendor.log(vendor.glimpse(call), response)
        return _marked(response)

    def note(self, head: Head, what: str) -> None:
        """Write into the journal what a transport did by itself."""
        self.world.log(method=short(head.method), path=short(head.path, 200), note=short(what, 200))

    def _of(self, head: Head) -> Routed | None:
        """Whose request it is: by the host, if that is a vendor's own, else by the path."""
        if len(self._vendors) > 1:
            host = (head.header("host") or "").partition(":")[0].lower()
            for vendor in self._vendors:
                if host in vendor.world.kind.hosts:
                    return vendor
        for vendor in self._vendors:
            if vendor.owns(head):
                return vendor
        return None

    def _elsewhere(self, request: Request) -> Response:
        from difflib import get_close_matches  # not above: few requests need a hint

        known = [path for vendor in self._vendors for path in vendor.known_paths()]
        known += self._control.known_paths()
        close = get_close_matches(request.path, known, n=1, cutoff=0.4)
        first = self._vendors[0]
        hint = f"Did you mean {close[0]}?" if close else f"{first.title} begins at {first.begins}."
        claims = self.world.claims.citations()
        response = claims.answer("elsewhere", path=short(request.path, 200), hint=hint)
        return self._logged(request, claims, response, hint)

    def _logged(
        self, head: Head, claims: Citations, response: Response, note: str | None = None
    ) -> Response:
        if not response.claims:
            response = claims.sealed(response)
        self.world.log(
            method=short(head.method),
            path=short(head.path, 200),
            status=response.status,
            fields=presentable(head.query),
            claims=response.claims,
            note=noted(head, note),
        )
        return response


def _routed(world: World) -> Routed:
    kind = world.kind
    if not isinstance(kind, Vendor):
        raise TypeError(f"{kind.name} has no behaviour: it is not a Vendor")
    return kind.behaviour(world)


def _marked(response: Response) -> Response:
    claims = ((CLAIMS_HEADER, ", ".join(response.claims)),) if response.claims else ()
    every = (*response.headers, (MOCK_HEADER, __version__), *claims)
    return Response(
        status=response.status, headers=every, body=response.body, claims=response.claims
    )
