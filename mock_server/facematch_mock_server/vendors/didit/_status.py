"""PATCH /v3/session/{id}/update-status/: a decision changed by hand."""

from __future__ import annotations

import re
from typing import Any

import attrs

from facematch_mock_server._messages import Response
from facematch_mock_server._sessions import Review, Session
from facematch_mock_server.claims import Told

from . import _given
from ._decision import feature_of, node_of
from ._seams import status_updated
from ._visit import Door, Route, Visit

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_AGAIN = "Resubmitted"


@attrs.frozen(kw_only=True)
class _Asked:
    """What a body asks for, once it was read.

    Attributes:
        new_status: One of the three.
        comment: As sent; None without one.
        nodes: What nodes_to_resubmit names; empty without it.
    """

    new_status: str
    comment: str | None = None
    nodes: tuple[Any, ...] = ()


def update(visit: Visit) -> Response:
    """The answer."""
    asked = _asked(visit)
    return _carried_out(visit, asked) if isinstance(asked, _Asked) else asked


def _asked(visit: Visit) -> _Asked | Response:
    """What is asked for, or why it cannot be asked."""
    told, closed = visit.told, _closed(visit, visit.found)
    if closed is not None and told["update.state_first"]:
        return closed
    if not isinstance(visit.body, dict):
        return visit.answer("given.object", kind=type(visit.body).__name__)
    values, errors = _given.read(told, visit.body, _FIELDS, required=("new_status",))
    if values.get("send_email") and not visit.body.get("email_address"):
        errors["email_address"] = [told["update.email_words"]]
    if errors:
        return visit.answer("fields.refused", errors)
    return closed or _Asked(
        new_status=values["new_status"],
        comment=values.get("comment"),
        nodes=tuple(values.get("nodes_to_resubmit", ())),
    )


def _carried_out(visit: Visit, asked: _Asked) -> Response:
    told, session = visit.told, visit.found
    if asked.new_status == session.status:
        return visit.answer("update.same")
    again = asked.new_status == _AGAIN
    if again and not _is_named(told, session, asked.nodes):
        return visit.answer("update.nothing")
    updated = _updated(visit, session, asked, again=again)
    kept = visit.world.sessions.change(
        session.id, lambda there: updated if there is session else there
    )
    if kept is None:
        return visit.answer("session.unknown")
    if kept is not updated:
        # Somebody else was faster: asked again, of the session as it is now.
        visit.session = kept
        return update(visit)
    status_updated(visit.world, told, visit.request, updated)
    return visit.answer("update.answer", {"session_id": session.id})


def _closed(visit: Visit, session: Session) -> Response | None:
    open_ = visit.told["update.open"]
    if session.status in open_:
        return None
    return visit.answer("update.closed", open=", ".join(open_), status=session.status)


def _target(told: Told, value: Any) -> str:
    status = _given.choice(told, value, told["session.statuses"])
    if status not in told["update.targets"]:
        raise _given.Refused(told["update.target_words"])
    return status


def _email(told: Told, value: Any) -> str:
    address = _given.text(told, value)
    if address and _EMAIL.fullmatch(address) is None:
        raise _given.Refused(told["update.bad_email"])
    return address


_FIELDS: dict[str, _given.Reader] = {
    "new_status": _target,
    "comment": _given.or_none(_given.text),
    "nodes_to_resubmit": _given.items,
    "send_email": _given.boolean,
    "email_address": _given.or_none(_email),
    "email_language": _given.or_none(_given.text),
}


def _is_named(told: Told, session: Session, nodes: tuple[Any, ...]) -> bool:
    """Whether the one feature of the session is to be asked for again."""
    if not nodes or not told["update.named_nodes"]:
        return bool(session.result["status"] != told["match.approved"])
    ours = {"node_id": node_of(told, session), "feature": feature_of(told, session)}
    return any(
        isinstance(node, dict) and any(node.get(name) == value for name, value in ours.items())
        for node in nodes
    )


def _updated(visit: Visit, session: Session, asked: _Asked, *, again: bool) -> Session:
    told, result = visit.told, session.result
    reviews = session.reviews
    if told["update.reviewed"]:
        review = Review(
            user=told["update.user"],
            new_status=asked.new_status,
            comment=asked.comment,
            created_at=visit.now,
        )
        reviews = (*reviews, review)[-told["review.most"] :]
    if again:
        result = {**result, "status": told["update.resubmitted"]}
    return attrs.evolve(session, status=asked.new_status, reviews=reviews, result=result)


ROUTES = (
    Route(
        pattern="/v3/session/{uuid}/update-status/",
        door=Door.SESSION,
        methods={"PATCH": update},
        shown=("new_status", "send_email", "email_language"),
    ),
)
