"""Deepvue in one world: which path, in which order of checks, and what the journal says."""

from __future__ import annotations

import attrs

from facematch_mock_server._messages import Head, Request, Response
from facematch_mock_server.claims import Behaviours, Told
from facematch_mock_server.journal import presentable, short
from facematch_mock_server.world import World

from ._call import Call, Route
from ._refusing import refused
from ._routes import ROUTES
from ._steps import STEPS, in_order
from ._verdicts import charge

#: The production host. No other one is known to serve the face calls.
HOSTS = frozenset({"production.deepvue.tech"})
#: The client id of the key that works at once.
CLIENT_ID = "mock-client"
_BEGINNINGS = ("/v1/", "/v2/")

#: The claim whose words stand for a status that a test asks for.
_OWN_WORDS = {
    400: "error.400",
    401: "auth.key",
    402: "credit.refused",
    403: "auth.token",
    404: "path.unknown",
    405: "path.method",
    429: "rate.refused",
    500: "error.500",
    503: "error.503",
}
#: Stands for a path that is not there.
_NOWHERE = Route(
    path="", name="", version="", steps=(), finish=lambda call: refused(call, "path.unknown")
)


class Deepvue:
    """Deepvue's behaviour in one world. Safe across threads.

    Args:
        world: Its state.
    """

    name = "deepvue"
    title = "Deepvue"
    begins = "/v1/"

    def __init__(self, world: World) -> None:
        self._world = world
        self._ordered: tuple[Behaviours, dict[str, tuple[str, ...]]] | None = None

    def owns(self, head: Head) -> bool:
        """Whether this request is for Deepvue: by path, or by the name of its host."""
        if head.path.startswith(_BEGINNINGS):
            return True
        return (head.header("host") or "").partition(":")[0].lower() in HOSTS

    def known_paths(self) -> tuple[str, ...]:
        """The paths that Deepvue has here."""
        return tuple(ROUTES)

    def handle(self, request: Request) -> Response:
        """Deepvue's answer, written into the journal."""
        behaviours = self._world.behaviours
        route = ROUTES.get(request.path, _NOWHERE)
        call = self._call(request, behaviours.told(), route)
        note, response = None, None
        if route is _NOWHERE:
            note, response = self._nowhere(call)
        elif request.method != route.method:
            allow = (call.told["path.allow"], route.method)
            response = refused(call, "path.method", (allow,))
        else:
            response = self._answer(call, self._steps(behaviours)[route.path])
        response = call.told.sealed(response)
        self._log(call, response, note)
        return response

    def in_own_words(self, status: int, request: Request, told: Told) -> Response | None:
        """An answer of that status as Deepvue words it; None where the words are not known."""
        key = _OWN_WORDS.get(status)
        if key is None:
            return None
        # A switch may have given the claim another status; the words are the same.
        words = refused(self._call(request, told, _NOWHERE), key)
        return attrs.evolve(words, status=status)

    def _call(self, request: Request, told: Told, route: Route) -> Call:
        now = self._world.clock.now()
        return Call(world=self._world, request=request, told=told, route=route, now=now)

    def _steps(self, behaviours: Behaviours) -> dict[str, tuple[str, ...]]:
        # A reset gives the world other behaviours.
        if self._ordered is None or self._ordered[0] is not behaviours:
            orders = {path: in_order(route, behaviours) for path, route in ROUTES.items()}
            self._ordered = (behaviours, orders)
        return self._ordered[1]

    def _answer(self, call: Call, steps: tuple[str, ...]) -> Response:
        for name in steps:
            response = STEPS[name](call)
            if response is not None:
                place = f"order.{name}"
                if place in self._world.behaviours:
                    call.told.note(place)
                self._settle(call, response)
                return response
        return call.route.finish(call)

    def _settle(self, call: Call, response: Response) -> None:
        """What a refusal costs."""
        if response.status == 200 or call.key is None or call.route.decide is None:
            return
        if call.told["credit.other_status"]:
            charge(call)

    def _nowhere(self, call: Call) -> tuple[str | None, Response]:
        from difflib import get_close_matches  # not above: few requests need a hint

        close = get_close_matches(call.request.path, ROUTES, n=1)
        if not close:
            return None, refused(call, "path.unknown")
        note = f"did you mean {close[0]}?"
        return note, refused(call, "path.unknown", (("X-Facematch-Hint", note),))

    def _log(self, call: Call, response: Response, note: str | None) -> None:
        request = call.request
        self._world.log(
            method=short(request.method),
            path=short(request.path, 200),
            status=response.status,
            vendor=self.name,
            key=call.key_word,
            fields=presentable((*request.query, *call.texts)),
            files=tuple(call.sent),
            claims=response.claims,
            note=note,
        )
