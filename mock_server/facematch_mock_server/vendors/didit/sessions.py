"""Saved calls: read, listed, updated, deleted.

Source of keys and words: Didit OpenAPI, 2026-07-18.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import attrs

from facematch_mock_server.claims import Citations
from facematch_mock_server.messages import Response
from facematch_mock_server.services import Review, Session

from . import decisions, framework, webhooks
from .access import DiditCall, Door, json_route
from .decisions import FEATURES
from .framework import Given, Invalid, paged
from .records import APPROVED, DECLINED, IN_REVIEW, KEPT_REVIEWS, STATUSES, stamp

_AGAIN = "Resubmitted"


# GET /v3/sessions/


def _sessions(call: DiditCall) -> Response:
    """List the saved calls, the newest first."""
    tests, errors = _tests(call.claims, call.query)
    if errors:
        call.refuse("list.refused", errors)
    if not call.is_live:
        call.claims.cite("list.sandbox")
        tests.append(_nothing)
    call.claims.cite("list.saved")
    own = call.world.sessions.all()
    rows = [one for one in own if all(test(one) for test in tests)][::-1]
    return paged(call, call.origin, "list.answer", rows, _row)


#: What is not known of a person in a saved call.
_UNKNOWN = ("session_url", "portrait_image", "document_type", "full_name", "country")


def _row(session: Session) -> dict[str, Any]:
    name = "face_match" if session.service == "FACE_MATCH" else "liveness"
    score, status = session.result["score"], session.result["status"]
    return {
        "session_id": session.id,
        "session_kind": "user",
        "session_number": session.number,
        **dict.fromkeys(_UNKNOWN),
        "status": session.status,
        "vendor_data": session.vendor_data,
        "didit_internal_id": session.internal_id,
        "created_at": stamp(session.created_at),
        "features": [{"feature": FEATURES[session.service].name, "status": status}],
        "phone_number": None,
        "email_address": None,
        # A number where it is there. The scale is ours, as in all answers: an example shows 0-1.
        "additional_details": {name: {} if score is None else {"score": score}},
    }


# Its filters

Test = Callable[[Session], bool]

#: Whether saved calls are of this kind, and of this type.
_KINDS = {"user": True, "business": False, "all": True}
_TYPES = {"API": True, "HOSTED": False, "MIGRATED": False, "ALL": True}
_SERVICES = (
    *("ID_VERIFICATION", "FACE_MATCH", "AGE_ESTIMATION", "FACE_SEARCH", "POA", "AML"),
    *("KYB_REGISTRY", "PASSIVE_LIVENESS", "DATABASE_VALIDATION", "PHONE_VERIFICATION"),
    "EMAIL_VERIFICATION",
)
#: What no saved call has.
_FOREIGN = ("workflow_id", "country", "document_type")


def _tests(claims: Citations, query: Mapping[str, str]) -> tuple[list[Test], dict[str, Any]]:
    """What a session must pass to be listed, and the words for refused filters, by name. A filter
    without a value is none, and one that is not known is ignored."""
    kind = query.get("session_kind") or "user"
    if kind not in _KINDS:
        # A text and no array; that it comes before the other filters is ours.
        return [], {"session_kind": 'Must be "user", "business", or "all".'}
    tests: list[Test] = [] if _KINDS[kind] else [_nothing]
    errors: dict[str, Any] = {}
    for name, (read, fits) in _FILTERS.items():
        value = query.get(name, "")
        value = value.strip() if name in _TRIMMED else value
        try:
            if value:
                tests.append(partial(fits, read(value)))
        except Invalid as invalid:
            errors[name] = invalid.words
    if any(query.get(name) for name in _FOREIGN):
        claims.cite("list.foreign")
        tests.append(_nothing)
    return tests, errors


def _nothing(_: Session) -> bool:
    return False


def _words(value: str) -> set[str]:
    """Several words; their case matters, and one that there is not gives no rows."""
    return set(value.split(","))


def _text(value: str) -> str:
    if "\x00" in value:
        raise Invalid(framework.NULL_CHARACTERS)
    return value


def _day(value: str) -> dt.date:
    """A whole day, UTC."""
    try:
        return dt.datetime.strptime(value.strip(), "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise Invalid("Enter a valid date.") from None


def _choice(choices: Collection[str], value: str) -> str:
    if value not in choices:
        raise Invalid(f"Select a valid choice. {value} is not one of the available choices.")
    return value


def _uuid(value: str) -> str:
    try:
        return uuid.UUID(value).hex
    except ValueError:
        raise Invalid("Enter a valid UUID.") from None


def _has(needle: str, one: Session) -> bool:
    known = (one.id, one.number, one.vendor_data)
    return any(needle in str(text or "").casefold() for text in known)


#: Texts lose the white space around them; choices and days of white space alone are wrong.
_TRIMMED = ("vendor_data", "search", "didit_internal_id")
#: How each is read, and what it lets through; in the order in which errors are reported.
_FILTERS: dict[str, tuple[Callable[[str], Any], Callable[[Any, Session], bool]]] = {
    "status": (_words, lambda wanted, one: one.status in wanted),
    "vendor_data": (_text, lambda wanted, one: one.vendor_data == wanted),
    "search": (str.casefold, _has),
    "date_from": (_day, lambda day, one: day <= one.created_at.date()),
    "date_to": (_day, lambda day, one: one.created_at.date() <= day),
    "session_type": (partial(_choice, _TYPES), lambda name, _: _TYPES[name]),
    "api_service": (partial(_choice, _SERVICES), lambda name, one: one.service == name),
    # One of several risks is enough.
    "warning": (
        _words,
        lambda wanted, one: any(found["risk"] in wanted for found in one.result["warnings"]),
    ),
    "didit_internal_id": (_uuid, lambda bare, one: one.internal_id.replace("-", "") == bare),
}


# PATCH /v3/session/{id}/update-status/

_OPEN = (APPROVED, DECLINED, IN_REVIEW, "Kyc Expired", "Abandoned", _AGAIN)


def _target(_: Citations, value: Any) -> str:
    if value not in STATUSES:
        raise Invalid(f'"{value}" is not a valid choice.')
    if value not in (APPROVED, DECLINED, _AGAIN):
        raise Invalid("You can only update the status to 'Approved', 'Declined', or 'Resubmitted'.")
    return str(value)


def _email(claims: Citations, value: Any) -> str:
    is_empty = isinstance(value, str) and not value.strip()
    return "" if is_empty else framework.email(claims, value)


_UPDATE = (
    Given(name="new_status", required=True, read=_target),
    Given(name="comment", read=framework.text, nullable=True),
    Given(name="nodes_to_resubmit", read=framework.items),
    Given(name="send_email", read=framework.boolean),
    Given(name="email_address", read=_email, nullable=True),
    Given(name="email_language", read=framework.text, nullable=True),
)


def _update(call: DiditCall) -> Response:
    """Change the decision of a saved call by hand."""
    session = call.found
    if session.status not in _OPEN:
        call.refuse("update.closed", status=session.status)
    values, errors = framework.checked(call, call.body, _UPDATE)
    if not errors and values.get("send_email") and not values.get("email_address"):
        errors["email_address"] = ["Email address is required when send_email is true."]
    if errors:
        call.refuse("fields.refused", errors)
    status, result = values["new_status"], session.result
    if status == session.status:
        call.refuse("update.same")
    if status == _AGAIN:
        if not _is_named(session, values.get("nodes_to_resubmit") or ()):
            call.refuse("update.nothing")
        call.claims.cite("update.resubmitted")
        result = {**result, "status": "Resub Requested"}
    review = Review(
        user="API Client", new_status=status, comment=values.get("comment"), created_at=call.now
    )
    reviews = (*session.reviews, review)[-KEPT_REVIEWS:]
    updated = attrs.evolve(session, status=status, reviews=reviews, result=result)
    kept = call.world.sessions.change(session.id, lambda one: updated if one is session else one)
    if kept is None:
        call.refuse("session.unknown")
    if kept is not updated:
        # Somebody else was faster: asked again, of the session as it is now.
        call.session = kept
        return _update(call)
    webhooks.announce(call.world, updated, call.request)
    return call.answer("update.answer", session_id=session.id)


def _is_named(session: Session, nodes: Any) -> bool:
    """Whether the one feature of the session is to be asked for again."""
    if not nodes:
        return bool(session.result["status"] != APPROVED)
    feature = FEATURES[session.service]
    return any(
        isinstance(node, dict)
        and (node.get("node_id") == feature.node or node.get("feature") == feature.name)
        for node in nodes
    )


# DELETE /v3/session/{id}/delete/: it vanishes from every read, and nothing is paid back

#: Days from 1 to 3650: the page of the deletion, as `claims` names it.
_RETENTION = (
    Given(name="retain_face_embeddings", read=framework.boolean),
    Given(name="face_retention_days", read=partial(framework.whole, lowest=1, highest=3650)),
)


def _delete(call: DiditCall) -> Response:
    """Delete a saved call."""
    claims, session = call.claims, call.found
    with_body = claims.get("delete.answer").status == 200
    values = framework.read_json_fields(call, call.body, _RETENTION) if with_body else {}
    # Of two who try at once one does it.
    if call.world.sessions.remove(session.id) is None:
        call.refuse("session.unknown")
    # Its pictures go unless another session has the same ones.
    call.world.account.shared.kept.forget(call.world.account, session.id)
    if not with_body:
        claims.cite("delete.answer")
        return Response(status=204, headers=call.headers)
    claims.cite("delete.faces")
    outcome = "none"
    if session.service == "PASSIVE_LIVENESS":
        retained = values.get("retain_face_embeddings")
        outcome = "ineligible_no_vendor_user" if retained else "deleted"
    body = {
        "session_id": session.id,
        "session_number": session.number,
        "face_retention_outcome": outcome,
        "biometric_template_uuid": None,
        "biometric_template_expires_at": None,
        "deleted_child_verifications": 0,
    }
    return call.answer("delete.answer", body)


ROUTES = (
    json_route(
        "/v3/session/{uuid}/decision/",
        {"GET": decisions.decision},
        door=Door(session=True, scope="decision"),
    ),
    json_route("/v3/sessions/", {"GET": _sessions}),
    json_route(
        "/v3/session/{uuid}/delete/",
        {"DELETE": _delete},
        shown=("retain_face_embeddings", "face_retention_days", "face_retention_deadline"),
        door=Door(session=True),
    ),
    json_route(
        "/v3/session/{uuid}/update-status/",
        {"PATCH": _update},
        shown=("new_status", "send_email", "email_language"),
        door=Door(session=True),
    ),
)
