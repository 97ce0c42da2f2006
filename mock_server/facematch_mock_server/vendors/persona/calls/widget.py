"""The page that Persona's web SDK shows in a frame, and the one of a hosted link.

Sources of the paths and their parameters: npm persona 5.9.0, `setupIframe` in dist/persona.mjs;
docs.withpersona.com, hosted-flow-parameters.
"""

from __future__ import annotations

import hmac

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.persona.access import PersonaCall
from facematch_mock_server.vendors.persona.wire import CREATED, session_token
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import (
    expire_if_due,
    page_path,
    web_sdk_path,
    with_hosted,
)
from facematch_mock_server.world.sessions import Session


def open_widget(call: PersonaCall) -> Response:
    """Redirect a frame to the page of its inquiry, which may be a page that reports an error."""
    world, session = _find_inquiry(call)
    if session is None or not _may_open(call, session):
        # OURS: An inquiry that is unknown, needs another session token or is over is the web SDK's
        # error 409, unauthenticated. A start without an inquiry is 400, invalid_config: at Persona
        # a template's id may start one.
        path = web_sdk_path(world, None)
    else:
        # OURS: An inquiry that the web SDK opens begins with the person's first action, which is
        # the event start. After it, complete tells of an approved or completed inquiry, and fail of
        # a declined or failed one; the fields are the inquiry's.
        path = web_sdk_path(world, session)
    # The page reads the query, too: it says to which page the messages go.
    _, _, query = call.request.target.partition("?")
    return call.answer("web.opened", headers=(("Location", f"{path}?{query}"),))


def open_hosted_flow(call: PersonaCall) -> Response:
    """Redirect a browser to the person's page of the inquiry that a program's own link names."""
    world, session = _find_inquiry(call)
    if session is None or not _may_open(call, session):
        # OURS: A link with a template alone starts no inquiry here.
        call.hint = "the link needs an inquiry-id, and a session-token once the person has begun"
        path = web_sdk_path(world, None)
    else:
        redirect_uri = call.query.get("redirect-uri")
        if redirect_uri is not None:
            world.sessions.change(
                session.id, lambda stored: with_hosted(stored, callback=redirect_uri)
            )
        path = page_path(world, session)
    return call.answer("hosted.opened", headers=(("Location", path),))


def _find_inquiry(call: PersonaCall) -> tuple[World, Session | None]:
    """Return the inquiry that the query names, of any account: a frame has no key."""
    inquiry_id = call.query.get("inquiry-id", "")
    for world in call.world.of_all_accounts():
        session = world.sessions.find(inquiry_id)
        if session is not None:
            return world, expire_if_due(world, session)
    return call.world, None


def _may_open(call: PersonaCall, session: Session) -> bool:
    """Return whether the query has what opens an inquiry: a new one needs no session token."""
    # The web SDK opens a created inquiry by its id alone, and any other one by its session token,
    # too. (docs.withpersona.com, inquiries-lifecycle, resuming-inquiries)
    token = call.query.get("session-token", "")
    is_allowed = hmac.compare_digest(token.encode(), session_token(session).encode())
    return is_allowed or session.status == CREATED
