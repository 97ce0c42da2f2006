"""What is asked of Didit around a match: arguments into one `Ask` each. Pure.

Passwords, codes and addresses come as `_arguments.hidden` gives them.

Sources: Didit face-match skill page, early 2026 (registration); Didit OpenAPI, 2026-07-18 (the
rest); all read on 2026-11-20.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from facematch_core import InvalidRequest

from . import _arguments as given
from . import _asks
from ._asks import Ask
from ._words import NEW_STATUSES, STATUS_WORDS, SessionStatus

Id = str | uuid.UUID

SESSIONS = "/v3/sessions/"


@attrs.frozen(kw_only=True)
class Node:
    """One step of a session, to be done again.

    Attributes:
        node_id: As a decision tells it.
        feature: Didit's word for the step.
    """

    node_id: str
    feature: str


def register(email: str, password: object) -> Ask:
    """A new account."""
    body = {
        "email": given.a_text("email", email),
        "password": given.a_secret("password", password),
    }
    return _registering("register", _asks.REGISTER, body)


def verify_email(email: str, code: object) -> Ask:
    """The code from the mailbox."""
    body = {"email": given.a_text("email", email), "code": given.a_secret("code", code)}
    return _registering("verify-email", _asks.VERIFY_EMAIL, body)


def login(email: str, password: object) -> Ask:
    """New tokens."""
    body = {
        "email": given.a_text("email", email),
        "password": given.a_secret("password", password),
    }
    return _registering("login", _asks.LOGIN, body)


def resend_code(email: str) -> Ask:
    """A new code into the mailbox."""
    body = {"email": given.a_text("email", email)}
    return _registering("resend-otp", _asks.RESEND_CODE, body)


def _registering(name: str, purpose: _asks.Purpose, body: Mapping[str, Any]) -> Ask:
    return Ask(method="POST", path=f"/programmatic/{name}/", purpose=purpose, json=body)


def balance() -> Ask:
    """The credit."""
    return Ask(path="/v3/billing/balance/", purpose=_asks.LOOK)


def top_up(amount: Decimal | int, success_url: object, cancel_url: object) -> Ask:
    """A payment page."""
    body: dict[str, Any] = {"amount_in_dollars": given.dollars(amount)}
    for name, url in (("success_url", success_url), ("cancel_url", cancel_url)):
        if url is not None:
            body[name] = given.a_web_address(name, url)
    return Ask(method="POST", path="/v3/billing/top-up/", purpose=_asks.TOP_UP, json=body)


def sessions(params: Mapping[str, str]) -> Ask:
    """A page of the list; `params` as `_filters.filters` makes them."""
    return Ask(path=SESSIONS, params=params, purpose=_asks.LOOK)


def decision(session_id: Id) -> Ask:
    """A session as it stands."""
    return Ask(path=_session(session_id, "decision"), purpose=_asks.LOOK_AT_SESSION)


def delete(session_id: Id) -> Ask:
    """One session, for good."""
    return Ask(method="DELETE", path=_session(session_id, "delete"), purpose=_asks.DELETE)


def delete_many(session_numbers: Iterable[int]) -> Ask:
    """Several sessions, for good, and never all of them."""
    body = {
        "session_numbers": given.numbers("session_numbers", session_numbers),
        "delete_all": False,
    }
    return Ask(method="POST", path=f"{SESSIONS}delete/", purpose=_asks.DELETE_MANY, json=body)


def update_status(
    session_id: Id,
    new_status: SessionStatus,
    *,
    comment: str | None,
    nodes_to_resubmit: Iterable[Node],
    send_email: bool,
    email_address: str | None,
    email_language: str | None,
) -> Ask:
    """A person's word about a session."""
    if new_status not in NEW_STATUSES:
        raise InvalidRequest(
            "new_status must be SessionStatus.APPROVED, SessionStatus.DECLINED or "
            "SessionStatus.RESUBMITTED: Didit sets no other."
        )
    if given.a_flag("send_email", send_email) and email_address is None:
        raise InvalidRequest("send_email needs an email_address to send to.")
    body: dict[str, Any] = {"new_status": STATUS_WORDS[SessionStatus(new_status)]}
    nodes = [_node(node) for node in given.several("nodes_to_resubmit", nodes_to_resubmit, "nodes")]
    if nodes:
        body["nodes_to_resubmit"] = nodes
    if send_email:
        body["send_email"] = True
    body |= _texts(comment=comment, email_address=email_address, email_language=email_language)
    return Ask(
        method="PATCH",
        path=_session(session_id, "update-status"),
        purpose=_asks.UPDATE_STATUS,
        json=body,
        # Documented, and the one thing that tells this answer from a gateway's.
        confirmed={"session_id": given.an_id("session_id", session_id)},
    )


def _node(node: object) -> dict[str, str]:
    if not isinstance(node, Node):
        raise InvalidRequest(
            f"Each of nodes_to_resubmit must be a Node, not {type(node).__name__}."
        )
    return {
        "node_id": given.a_text("node_id", node.node_id),
        "feature": given.a_text("feature", node.feature),
    }


def reviews(session_id: Id, params: Mapping[str, str]) -> Ask:
    """A page of the notes about a session."""
    return Ask(path=_reviews(session_id), params=params, purpose=_asks.LOOK_AT_SESSION)


def add_review(session_id: Id, comment: str | None, new_status: SessionStatus | None) -> Ask:
    """A note about a session."""
    body = _texts(comment=comment)
    if new_status is not None:
        if new_status not in tuple(STATUS_WORDS):
            raise InvalidRequest("new_status must be a SessionStatus that Didit has a word for.")
        body["new_status"] = STATUS_WORDS[SessionStatus(new_status)]
    if not body:
        raise InvalidRequest("A review needs a comment or a new_status.")
    path = _reviews(session_id)
    return Ask(method="POST", path=path, purpose=_asks.ADD_REVIEW, json=body)


def _texts(**values: str | None) -> dict[str, Any]:
    return {name: given.a_text(name, text) for name, text in values.items() if text is not None}


def _session(session_id: Id, what: str) -> str:
    return f"/v3/session/{given.an_id('session_id', session_id)}/{what}/"


def _reviews(session_id: Id) -> str:
    return f"{SESSIONS}{given.an_id('session_id', session_id)}/reviews/"
