"""The engine: a whole request in, a whole answer out, without I/O."""

from __future__ import annotations

import attrs

from facematch_core import __version__

from ._messages import Head, Request, Response
from .claims import Told
from .control_http import ControlApi
from .faults import Fault, Faults, Kind
from .journal import presentable, short
from .vendors import VendorBehaviour
from .world import MAX_BODY_BYTES, World

#: As `facematch_core.http.MOCK_HEADER`, which would bring requests along.
MOCK_HEADER = "X-Facematch-Mock"
CLAIMS_HEADER = "X-Facematch-Claims"
#: A change through the control API is no longer than this.
MAX_CONTROL_BYTES = 1024 * 1024


@attrs.frozen
class _Served:
    world: World
    vendor: VendorBehaviour


class Engine:
    """Answers for the worlds of one server, whatever the front. Safe across threads.

    Args:
        world: Its state and behaviour; the worlds that were made beside it are answered for, too.

    Attributes:
        world: The first vendor's.
        slow: Whether an answer takes so long that a front should not wait for it on its loop.
    """

    slow = False

    def __init__(self, world: World) -> None:
        self.world = world
        self._served = tuple(_Served(one, one.kind.make(one)) for one in world.ground.worlds)
        self._several = len(self._served) > 1
        self._control = ControlApi(world)

    @property
    def faults(self) -> Faults:
        """The rules of the world as it is now; a reset gives it others."""
        return self.world.faults

    def handle(self, request: Request) -> Response:
        """The whole answer to a whole request.

        An exception of the world's decider is handed on; nothing else is raised.
        """
        # What is answered is written down, whole, before anybody hears of it.
        with self.world.together():
            return _marked(self._answer(request))

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
        told = self.world.behaviours.told()
        key = "limit.control" if self._control.owns(head) else "limit.body"
        return self._logged(head, told, told.answer(key), "the body is too large")

    def answer_of(self, fault: Fault, request: Request) -> Response:
        """The answer of a fault at `Stage.ANSWER`, noted in the journal.

        The call itself is not carried out: that is `handle`, for a fault that was executed.
        """
        served = self._of(request)
        told = (self.world if served is None else served.world).behaviours.told()
        response = self._fault(fault, request, told, served)
        response = attrs.evolve(response, status=fault.status)
        return self._logged(request, told, response, f"fault: {fault.stage} {fault.kind}")

    def note(self, head: Head, what: str) -> None:
        """Write into the journal what a front did by itself."""
        self.world.log(method=short(head.method), path=short(head.path, 200), note=short(what, 200))

    def _answer(self, request: Request) -> Response:
        if self._control.owns(request):
            return self._control.handle(request)
        served = self._of(request)
        return self._elsewhere(request) if served is None else served.vendor.handle(request)

    def _of(self, head: Head) -> _Served | None:
        """Whose request it is: by the host, if that is a vendor's own, else by the path."""
        if self._several:
            host = (head.header("host") or "").partition(":")[0].lower()
            for served in self._served:
                if host in served.world.kind.hosts:
                    return served
        for served in self._served:
            if served.vendor.owns(head):
                return served
        return None

    def _fault(
        self, fault: Fault, request: Request, told: Told, served: _Served | None
    ) -> Response:
        if fault.kind is Kind.HTML:
            return told.answer("fault.html", status=fault.status)
        if fault.kind is Kind.WRONG_JSON:
            return told.answer("fault.wrong_json")
        if fault.kind is Kind.JSON:
            return told.answer("fault.own", fault.body)
        words = None
        if served is not None:
            words = served.vendor.in_own_words(fault.status, request, told)
        if words is not None:
            return words
        key = "fault.server" if fault.status >= 500 else "fault.other"
        return told.answer(key, status=fault.status)

    def _elsewhere(self, request: Request) -> Response:
        from difflib import get_close_matches  # not above: few requests need a hint

        known = [path for served in self._served for path in served.vendor.known_paths()]
        known += self._control.known_paths()
        close = get_close_matches(request.path, known, n=1, cutoff=0.4)
        first = self._served[0].vendor
        hint = f"Did you mean {close[0]}?" if close else f"{first.title} begins at {first.begins}."
        told = self.world.behaviours.told()
        response = told.answer("elsewhere", path=short(request.path, 200), hint=hint)
        return self._logged(request, told, response, hint, mark=False)

    def _logged(
        self, head: Head, told: Told, response: Response, note: str, *, mark: bool = True
    ) -> Response:
        response = told.sealed(response)
        self.world.log(
            method=short(head.method),
            path=short(head.path, 200),
            status=response.status,
            fields=presentable(head.query),
            claims=response.claims,
            note=note,
        )
        return _marked(response) if mark else response


def _marked(response: Response) -> Response:
    claims = ((CLAIMS_HEADER, ", ".join(response.claims)),) if response.claims else ()
    every = (*response.headers, (MOCK_HEADER, __version__), *claims)
    return Response(
        status=response.status, headers=every, body=response.body, claims=response.claims
    )
