"""The script and the frame by which a page asks the person: Stripe.js, as far as Identity goes.

Source of the paths of the script: npm @stripe/stripe-js 8.11.0, dist/index.mjs. The frame is ours.
"""

from __future__ import annotations

import functools
import hmac
from importlib import resources

from facematch_mock_server.base.messages import Response
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import expire_if_due, hosted_of, web_sdk_path
from facematch_mock_server.world.sessions import Session

from .access import StripeCall


@functools.cache
def _read_script() -> bytes:
    return resources.files(__package__).joinpath("stripe.js").read_bytes()


def send_script(call: StripeCall) -> Response:
    """Return the mock's own Stripe.js."""
    return call.answer_file("modal.script", "text/javascript", _read_script())


def open_modal(call: StripeCall) -> Response:
    """Redirect a frame to the page of its session, which may be a page that reports an error."""
    world, session = _find_session(call)
    path = web_sdk_path(world, session)
    return call.answer("modal.opened", headers=(("Location", path),))


def _find_session(call: StripeCall) -> tuple[World, Session | None]:
    """Return the session of the client secret, of any account: a frame has no key."""
    session_id, _, secret = call.query.get("client_secret", "").partition("_secret_")
    for world in call.world.of_all_accounts():
        session = world.sessions.find(session_id)
        if session is None:
            continue
        token = hosted_of(session).token
        if hmac.compare_digest(secret[: len(token)].encode(), token.encode()):
            return world, expire_if_due(world, session)
    return call.world, None
