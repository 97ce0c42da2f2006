"""Didit in one world: which endpoint, in which order of checks, and what the journal says."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from facematch_mock_server._messages import Head, Request, Response
from facematch_mock_server.claims import Behaviours, Told
from facematch_mock_server.journal import SentFile, described, flat, presentable, short
from facematch_mock_server.world import World

from . import _media, _payment_page
from ._age import AGE
from ._call import Call
from ._doors import enter
from ._fields import SHOWN, defaults
from ._liveness import LIVENESS
from ._match import MATCH
from ._own_words import Asked, in_own_words
from ._paths import HEALTHCHECK, HOSTS, LEFT_OUT, is_left_out, lacks_uuid, nearest
from ._search import SEARCH
from ._steps import STEPS, finish, in_order, refused
from ._visit import Visit

if TYPE_CHECKING:
    from ._routes import Found

_ENDPOINTS = {endpoint.path: endpoint for endpoint in (MATCH, LIVENESS, SEARCH, AGE)}


@functools.cache
def _known() -> tuple[str, ...]:
    from ._routes import ROUTES  # not above: a server that only compares needs none of them

    return (*_ENDPOINTS, HEALTHCHECK, *(route.pattern for route in ROUTES), *LEFT_OUT)


_BEGINNINGS = ("/v3/", "/auth/v2/", _media.MEDIA, _payment_page.PATH)


class Didit:
    """Didit's behaviour in one world. Safe across threads.

    Args:
        world: Its state.
    """

    name = "didit"
    title = "Didit"
    begins = "/v3/"

    def __init__(self, world: World) -> None:
        self._world = world
        self._ordered: tuple[Behaviours, tuple[str, ...]] | None = None

    def owns(self, head: Head) -> bool:
        """Whether this request is for Didit: by path, or by the name of one of its hosts."""
        path = head.path
        if path.startswith(_BEGINNINGS) or path == HEALTHCHECK:
            return True
        return (head.header("host") or "").partition(":")[0].lower() in HOSTS

    def known_paths(self) -> tuple[str, ...]:
        """The paths that Didit has."""
        return _known()

    def handle(self, request: Request) -> Response:
        """Didit's answer, written into the journal."""
        behaviours = self._world.behaviours
        told = behaviours.told()
        endpoint = _ENDPOINTS.get(request.path)
        if endpoint is None:
            from . import _routes  # not above, as above

            found = _routes.find(request.path)
            if found is not None and not _is_served(told, found):
                found = None
            if found is not None and found.is_uuid:
                return self._visited(request, told, found)
            return self._elsewhere(request, told, is_uuid=found is None)
        call = Call(
            world=self._world,
            request=request,
            told=told,
            endpoint=endpoint,
            now=self._world.clock.now(),
            values=defaults(told, endpoint.fields),
        )
        response = told.sealed(self._answer(call, self._steps(behaviours)))
        self._log(call, response)
        return response

    def _visited(self, request: Request, told: Told, found: Found) -> Response:
        visit = Visit(
            world=self._world,
            request=request,
            told=told,
            route=found.route,
            words=found.words,
            now=self._world.clock.now(),
        )
        response = told.sealed(enter(visit))
        self._world.log(
            method=request.method,
            path=short(request.path, 200),
            status=response.status,
            vendor=self.name,
            key=visit.key_word,
            fields={
                **presentable(request.query),
                **described(visit.fields.items(), found.route.shown),
            },
            claims=response.claims,
        )
        return response

    def in_own_words(self, status: int, request: Request, told: Told) -> Response | None:
        """An answer of that status as Didit words it; None where the words are not known."""
        from . import _routes  # not above, as above

        found = None if request.path in _ENDPOINTS else _routes.find(request.path)
        route = None if found is None or not _is_served(told, found) else found.route
        return in_own_words(status, Asked(self._world, request, told, route))

    def _steps(self, behaviours: Behaviours) -> tuple[str, ...]:
        # A reset gives the world other behaviours.
        if self._ordered is None or self._ordered[0] is not behaviours:
            self._ordered = (behaviours, in_order(behaviours))
        return self._ordered[1]

    def _answer(self, call: Call, steps: tuple[str, ...]) -> Response:
        for name in steps:
            response = STEPS[name](call)
            if response is not None:
                call.told.note(f"order.{name}")
                if response.status != 200:
                    refused(call)
                return response
        return finish(call)

    def _log(self, call: Call, response: Response) -> None:
        form, request = call.form, call.request
        query = request.query if "?" in request.target else ()
        texts = () if form is None else ((n, v[-1]) for n, v in form.fields.items())
        shown = [field.name for field in call.endpoint.fields if field.kind in SHOWN]
        metadata = call.values.get("metadata")
        flatly = {} if metadata is None else {"metadata": flat(metadata)}
        files = () if form is None else form.files.items()
        self._world.log(
            method=request.method,
            path=request.path,
            status=response.status,
            vendor=self.name,
            key=call.key_word,
            fields={**presentable(query), **described(texts, shown), **flatly},
            files=tuple(
                SentFile(field=field, name=one.name, size=len(one.content), digest=one.digest)
                for field, sent in files
                for one in sent
            ),
            claims=response.claims,
            note=None if form is None or form.problem is None else f"form: {form.problem}",
        )

    def _elsewhere(self, request: Request, told: Told, *, is_uuid: bool) -> Response:
        path, note = request.path, None
        if path == HEALTHCHECK and request.method in ("GET", "HEAD"):
            response = told.answer("path.healthcheck")
        elif path.startswith(_media.MEDIA):
            response = _media.serve(self._world, told, request)
        elif not is_uuid or lacks_uuid(path):
            response = told.answer("path.not_a_uuid")
        elif is_left_out(path):
            response = told.answer("later", vendor=self.title, path=path)
        else:
            meant = nearest(path, _known())
            note = None if meant is None else f"did you mean {meant}?"
            hint = () if note is None else (("X-Facematch-Hint", note),)
            response = told.answer("path.unknown", headers=hint)
        response = told.sealed(response)
        self._world.log(
            method=request.method,
            path=short(path, 200),
            status=response.status,
            vendor=self.name,
            fields=presentable(request.query),
            claims=response.claims,
            note=note,
        )
        return response


def _is_served(told: Told, found: Found) -> bool:
    return found.route.served is None or bool(told[found.route.served])
