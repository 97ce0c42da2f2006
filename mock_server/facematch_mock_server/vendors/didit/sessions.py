"""Saved calls: read, listed, updated, deleted."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_mock_server.claims import Citations
from facematch_mock_server.messages import Response
from facematch_mock_server.services import Review, Session

from . import decisions, framework, webhooks
from .access import DiditCall, Door, json_route
from .decisions import feature_of, node_of, stamp
from .framework import Given, Invalid, paged

#: What nothing is known of without a document or a form.
_UNKNOWN = (
    "session_url",
    "portrait_image",
    "document_type",
    "full_name",
    "country",
    "phone_number",
    "email_address",
)
_AGAIN = "Resubmitted"


# GET /v3/sessions/


def _sessions(call: DiditCall) -> Response:
    """List the saved calls, the newest first."""
    claims = call.claims
    tests, errors = _tests(claims, call.query)
    if errors:
        call.refuse("list.refused", errors)
    claims.cite("list.newest_first", "list.own_only")
    if not call.is_live:
        claims.cite("list.sandbox")
        tests.append(_nothing)
    own = call.world.sessions.all()
    rows = [one for one in own if all(test(one) for test in tests)][::-1]
    return paged(call, call.origin, "list.answer", rows, lambda one: _row(claims, one))


def _row(claims: Citations, session: Session) -> dict[str, Any]:
    name, score = claims["list.details"][session.service], session.result["score"]
    claims.cite("list.score_unit")
    if name == "liveness" and score is None:
        # A number is documented here, and a session without a face has none.
        score = claims["list.no_score"]
    known = {
        **dict.fromkeys(_UNKNOWN, claims["list.absent"]),
        "session_id": session.id,
        "session_kind": claims["session.kind"],
        "session_number": session.number,
        "status": session.status,
        "vendor_data": session.vendor_data,
        "didit_internal_id": session.internal_id,
        "created_at": stamp(claims, session.created_at),
        "features": [{"feature": feature_of(claims, session), "status": session.result["status"]}],
        "additional_details": {name: {"score": score}},
    }
    return {key: known[key] for key in claims["list.row_keys"]}


# Its filters: what each lets through, or the words that it is refused in

Test = Callable[[Session], bool]

#: What the documents name and no filter below reads; paging reads the last four.
_OTHERS = frozenset({"session_kind", "limit", "offset", "page", "page_size"})


def _tests(claims: Citations, query: Mapping[str, str]) -> tuple[list[Test], dict[str, Any]]:
    """What a session must pass to be listed, and the words for refused filters, by name."""
    kind = query.get("session_kind") or claims["list.kind"]
    kinds: Mapping[str, bool] = claims["list.kinds"]
    if kind not in kinds:
        claims.cite("list.kind_alone")
        return [], {"session_kind": claims["list.kind_words"]}
    tests: list[Test] = [] if kinds[kind] else [_nothing]
    errors: dict[str, Any] = {}
    for name, read in _FILTERS.items():
        value = query.get(name, "")
        value = value.strip() if name in _TRIMMED else value
        try:
            if value:
                tests.append(read(claims, value))
        except Invalid as invalid:
            errors[name] = invalid.words
    for name, value in query.items():
        if not value:
            claims.cite("list.empty_filter")
        elif name in _FILTERS:
            continue
        elif name in claims["list.foreign"]:
            tests.append(_nothing)
        elif name not in _OTHERS:
            claims.cite("list.unknown_ignored")
    return tests, errors


def _nothing(_: Session) -> bool:
    return False


def _status(claims: Citations, value: str) -> Test:
    claims.cite("list.status_case", "list.unknown_status")
    wanted = set(value.split(","))
    return lambda session: session.status in wanted


def _vendor_data(claims: Citations, value: str) -> Test:
    claims.cite("list.vendor_data")
    if "\x00" in value:
        raise Invalid(claims["text.null_characters"])
    return lambda session: session.vendor_data == value


def _search(claims: Citations, value: str) -> Test:
    where, needle = claims["list.search"], value.casefold()
    return lambda session: any(
        needle in str(getattr(session, name) or "").casefold() for name in where
    )


def _day(claims: Citations, value: str) -> dt.date:
    claims.cite("list.days")
    try:
        return dt.datetime.strptime(value.strip(), "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise Invalid(claims["list.date_words"]) from None


def _from(claims: Citations, value: str) -> Test:
    day = _day(claims, value)
    return lambda session: day <= session.created_at.date()


def _to(claims: Citations, value: str) -> Test:
    day = _day(claims, value)
    return lambda session: session.created_at.date() <= day


def _type(claims: Citations, value: str) -> Test:
    types: Mapping[str, bool] = claims["list.types"]
    if value not in types:
        claims.cite("list.type_strict")
        raise Invalid(claims["list.choice_words"].format(value=value))
    return lambda _: types[value]


def _service(claims: Citations, value: str) -> Test:
    if value not in claims["list.services"]:
        raise Invalid(claims["list.choice_words"].format(value=value))
    return lambda session: session.service == value


def _internal_id(claims: Citations, value: str) -> Test:
    try:
        bare = uuid.UUID(value).hex
    except ValueError:
        raise Invalid(claims["list.uuid_words"]) from None
    return lambda session: session.internal_id.replace("-", "") == bare


def _warning(claims: Citations, value: str) -> Test:
    claims.cite("list.warning")
    wanted = set(value.split(","))
    return lambda session: any(one["risk"] in wanted for one in session.result["warnings"])


#: Texts lose the white space around them; choices and days of white space alone are wrong.
_TRIMMED = ("vendor_data", "search", "didit_internal_id")
#: In the order in which errors are reported.
_FILTERS: dict[str, Callable[[Citations, str], Test]] = {
    "status": _status,
    "vendor_data": _vendor_data,
    "search": _search,
    "date_from": _from,
    "date_to": _to,
    "session_type": _type,
    "api_service": _service,
    "warning": _warning,
    "didit_internal_id": _internal_id,
}


# PATCH /v3/session/{id}/update-status/


def _target(claims: Citations, value: Any) -> str:
    status: str = framework.choice("session.statuses")(claims, value)
    if status not in claims["update.targets"]:
        raise Invalid(claims["update.target_words"])
    return status


_EMAIL = framework.email("update.bad_email")

_UPDATE = (
    Given(name="new_status", required=True, read=_target),
    Given(name="comment", read=framework.text, nullable=True),
    Given(name="nodes_to_resubmit", read=framework.items),
    Given(name="send_email", read=framework.boolean),
    Given(
        name="email_address",
        read=lambda claims, value: (
            "" if isinstance(value, str) and not value.strip() else _EMAIL(claims, value)
        ),
        nullable=True,
    ),
    Given(name="email_language", read=framework.text, nullable=True),
)


def _update(call: DiditCall) -> Response:
    """Change the decision of a saved call by hand."""
    claims, session = call.claims, call.found
    claims.cite("update.state_first")
    if session.status not in claims["update.open"]:
        open_ = ", ".join(claims["update.open"])
        call.refuse("update.closed", open=open_, status=session.status)
    values, errors = framework.checked(call, call.body, _UPDATE)
    if not errors and values.get("send_email") and not values.get("email_address"):
        errors["email_address"] = [claims["update.email_words"]]
    if errors:
        call.refuse("fields.refused", errors)
    status, result = values["new_status"], session.result
    if status == session.status:
        call.refuse("update.same")
    if status == _AGAIN:
        if not _is_named(claims, session, values.get("nodes_to_resubmit") or ()):
            call.refuse("update.nothing")
        result = {**result, "status": claims["update.resubmitted"]}
    claims.cite("update.reviewed")
    review = Review(
        user=claims["update.user"],
        new_status=status,
        comment=values.get("comment"),
        created_at=call.now,
    )
    reviews = (*session.reviews, review)[-claims["review.most"] :]
    updated = attrs.evolve(session, status=status, reviews=reviews, result=result)
    kept = call.world.sessions.change(session.id, lambda one: updated if one is session else one)
    if kept is None:
        call.refuse("session.unknown")
    if kept is not updated:
        # Somebody else was faster: asked again, of the session as it is now.
        call.session = kept
        return _update(call)
    webhooks.announce(call.world, claims, updated, call.origin)
    return call.answer("update.answer", {"session_id": session.id})


def _is_named(claims: Citations, session: Session, nodes: Any) -> bool:
    """Whether the one feature of the session is to be asked for again."""
    if not nodes:
        return bool(session.result["status"] != claims["match.approved"])
    claims.cite("update.named_nodes")
    ours = {"node_id": node_of(claims, session), "feature": feature_of(claims, session)}
    return any(
        isinstance(node, dict) and any(node.get(name) == value for name, value in ours.items())
        for node in nodes
    )


# DELETE /v3/session/{id}/delete/: it vanishes from every read, and nothing is paid back

_RETENTION = (
    Given(name="retain_face_embeddings", read=framework.boolean),
    Given(
        name="face_retention_days",
        read=lambda claims, value: framework.whole(
            claims, value, lowest=1, highest=claims["delete.longest"]
        ),
    ),
)


def _delete(call: DiditCall) -> Response:
    """Delete a saved call."""
    claims, session = call.claims, call.found
    with_body = claims["delete.answer"].body is None
    values: dict[str, Any] = {}
    if with_body:
        values = framework.read_json_fields(call, call.body, _RETENTION)
    claims.cite("delete.gone")
    # Of two who try at once one does it.
    if call.world.sessions.remove(session.id) is None:
        call.refuse("session.unknown")
    # Its pictures go unless another session has the same ones.
    call.records.pictures.forget(session.id)
    if not with_body:
        return attrs.evolve(call.answer("delete.answer"), headers=call.headers, body=b"")
    outcome = "none"
    if session.service == claims["delete.faces"]:
        retained = values.get("retain_face_embeddings")
        outcome = claims["delete.retain"] if retained else "deleted"
    known = {
        "session_id": session.id,
        "session_number": session.number,
        "face_retention_outcome": outcome,
        "biometric_template_uuid": claims["delete.template"],
    }
    return call.answer("delete.answer", {key: known[key] for key in claims["delete.body_keys"]})


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
