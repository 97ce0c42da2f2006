"""Inquiries: create, read, list, tag, link and resume.

Source of the names: Persona's OpenAPI, version 2025-12-08.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.base.file_types import media_type_of_picture
from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.persona import webhooks, wire
from facematch_mock_server.vendors.persona.access import FILES_HOST, PersonaCall, new_id
from facematch_mock_server.vendors.persona.wire import (
    CREATED,
    EXPIRED,
    GOVERNMENT_ID,
    OPEN,
    PENDING,
    Inquiry,
    Verification,
    inquiry_of,
    with_inquiry,
)
from facematch_mock_server.world import hosted
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.webhooks import announce

from . import accounts
from .pages import answer_page

#: The attributes of a new inquiry with a template's id, by the prefix of the id.
_TEMPLATE_NAMES = {
    "itmpl_": "inquiry-template-id",
    "itmplv_": "inquiry-template-version-id",
    "tmpl_": "template-id",
}
_ATTRIBUTE_NAMES = frozenset({
    *_TEMPLATE_NAMES.values(),
    "reference-id",
    "account-id",
    "creator-email-address",
    "theme-id",
    "theme-set-id",
    "redirect-uri",
    "note",
    "fields",
    "tags",
    "initial-step-name",
})  # fmt: skip
_META_NAMES = frozenset({
    "auto-create-account",
    "auto-create-account-type-id",
    "auto-create-account-reference-id",
    "auto-create-inquiry-session",
    "auto-create-one-time-link",
    "expiration-after-create-interval-seconds",
    "expiration-after-start-interval-seconds",
    "expiration-after-resume-interval-seconds",
    "one-time-link-expiration-seconds",
})  # fmt: skip


# Create


def create(call: PersonaCall) -> Response:
    """Create an inquiry, with a link and a session token if they are asked for."""
    attributes = call.read_part(
        "data", "attributes", known=_ATTRIBUTE_NAMES, is_open=call.is_before_lean
    )
    meta = call.read_part("meta", known=_META_NAMES)
    reference_id = _read_reference_id(call, attributes, meta)
    # OURS: An account id that is unknown is taken.
    account_id = call.read_value(attributes, "account-id", str, "a string")
    account = None
    if account_id is not None:
        account = call.world.records.accounts.find(account_id)
    elif reference_id is not None:
        account = accounts.find_account(call, reference_id)
    creates_account = account_id is None and account is None and _may_create_account(call, meta)
    if creates_account:
        call.claims.cite("account.created")
        account = accounts.add_account(call, reference_id)
    if account is not None:
        account_id = account.id
        reference_id = account.reference_id
    lifetime_s = call.claims["inquiry.lifetime_s"]
    lasts_s = _read_seconds(call, meta, "expiration-after-create-interval-seconds", lifetime_s)
    inquiry = Inquiry(
        template_id=_read_template(call, attributes),
        note=call.read_value(attributes, "note", str, "a string"),
        tags=tuple(call.read_value(attributes, "tags", list, "an array") or ()),
        fields=call.read_value(attributes, "fields", dict, "an object") or {},
        reference_id=reference_id,
        account_id=account_id,
        after_start_s=_read_seconds(
            call, meta, "expiration-after-start-interval-seconds", lifetime_s
        ),
        after_resume_s=_read_seconds(
            call, meta, "expiration-after-resume-interval-seconds", lifetime_s
        ),
        files_origin=hosted.page_origin(call.world, call.origin, FILES_HOST),
    )
    # OURS: A live inquiry is charged when it is finished; Persona documents only that verifications
    # in production count.
    # The fields sent at the start are those of the inquiry until the person's document fills them.
    # That a field has the type of its value, and each name is taken, is ours. (Persona, OpenAPI
    # version 2025-12-08 (GitHub persona-id/persona-openapi a1526b5, 2026-08-21))
    call.claims.cite("credit.price", "credit.start")
    session = hosted.start(
        call.world,
        call.now,
        lasts_s,
        {"status": CREATED, "result": {"inquiry": inquiry}},
        session_id=new_id("inq", call.world.ids.uuid()),
        kind="kyc",
        requested_name=hosted.read_name(inquiry.fields, "name-first", "name-last"),
        workflow=inquiry.template_id,
        callback=call.read_value(attributes, "redirect-uri", str, "a string"),
        is_live=call.is_live,
    )
    shown: dict[str, Any] = dict.fromkeys(("session-token", "one-time-link", "one-time-link-short"))
    if call.read_value(meta, "auto-create-inquiry-session", bool, "a boolean"):
        shown["session-token"] = wire.session_token(session)
        session = _count_session(call, session)
    asks_for_link = call.read_value(meta, "auto-create-one-time-link", bool, "a boolean")
    if asks_for_link or call.claims["inquiry.one_time_link"] == "always":
        shown |= _link_of(call, session)
        session = _count_session(call, session)
    else:
        call.note = "no link was asked for; of a template that makes one: one_time_link=always"
    # A webhook may arrive before this answer does.
    if creates_account:
        announce(call.world, session, event=webhooks.ACCOUNT_CREATION)
    announce(call.world, session, event=webhooks.CREATION)
    body = wire.show_inquiry_document(session, with_verifications=False)
    if call.is_before_lean:
        # What was not asked for is missing. (two answers of version 2023-01-05, read 2026-11-30)
        shown = {name: value for name, value in shown.items() if value is not None}
    if shown:
        body["meta"] = shown
    return call.answer("inquiry.created", body)


def _read_template(call: PersonaCall, attributes: Mapping[str, Any]) -> str:
    """Return the template's id; refuse a call without one, or with one of another kind."""
    for prefix, name in _TEMPLATE_NAMES.items():
        template_id = call.read_value(attributes, name, str, "a string")
        if template_id is None:
            continue
        if not template_id.startswith(prefix):
            field = name.replace("-", "_")
            call.refuse("template.unknown", field=field, prefix=prefix[:-1], sent=template_id)
        # OURS: Each template has one version, whose id is made from the template's. A version's
        # template is unknown to the mock.
        return template_id
    return call.refuse("template.missing")


def _read_reference_id(
    call: PersonaCall, attributes: Mapping[str, Any], meta: Mapping[str, Any]
) -> str | None:
    """Return the reference id of the inquiry's account, or None.

    Refuse one for an account that must not be created.
    """
    name = "auto-create-account-reference-id"
    reference_id = call.read_value(meta, name, str, "a string")
    type_name = "auto-create-account-type-id"
    type_id = call.read_value(meta, type_name, str, "a string")
    if type_id is not None and not _may_create_account(call, meta):
        call.refuse("account.contradiction", name=type_name)
    if reference_id is None:
        return call.read_value(attributes, "reference-id", str, "a string")
    if not _may_create_account(call, meta):
        call.refuse("account.contradiction", name=name)
    return reference_id


def _may_create_account(call: PersonaCall, meta: Mapping[str, Any]) -> bool:
    return call.read_value(meta, "auto-create-account", bool, "a boolean") is not False


def _read_seconds(call: PersonaCall, meta: Mapping[str, Any], name: str, default: int) -> int:
    """Return a number of seconds above 0 from `meta`, or the default."""
    seconds = call.read_value(meta, name, int, "an integer")
    if seconds is None:
        return default
    if seconds <= 0:
        call.refuse("body.wrong", name=name, kind="greater than 0")
    return seconds


def _link_of(call: PersonaCall, session: Session) -> dict[str, str]:
    """Return the link to an inquiry as `meta` of an answer shows it."""
    # OURS: A link leads to the mock's own page; a new link ends the one before, and works more than
    # once, unlike Persona's.
    link = hosted.page_url(call.world, session, call.origin)
    return {"one-time-link": link, "one-time-link-short": link}


def _count_session(call: PersonaCall, session: Session) -> Session:
    """Count one more session of an inquiry; refuse the call above the limit."""

    def count(session: Session) -> Session:
        return with_inquiry(session, links=inquiry_of(session).links + 1)

    if inquiry_of(session).links >= call.claims.get("link.most"):
        call.refuse("link.too_many", "link.most")
    return call.world.sessions.change(session.id, count) or session


# Read and list


def read(call: PersonaCall) -> Response:
    """Return an inquiry, with its verifications if the query asks for them."""
    session = call.find_session_and_expire_if_due()
    wire.cite_verifications(call.claims, session)
    facts = hosted.hosted_of(session)
    call.hint_at_name(facts.card_fields, facts.requested_name)
    # OURS: An inquiry that the person leaves stays pending until it expires.
    # An inquiry is pending as soon as the person has begun. (docs.withpersona.com,
    # inquiries-lifecycle, resuming-inquiries)
    call.claims.cite("inquiry.workflow")
    by_default = "verifications" if call.is_before_lean else ""
    includes = list(filter(None, call.query.get("include", by_default).split(",")))
    if set(includes) - {"verifications"}:
        call.hint = "this mock includes verifications alone"
    body = wire.show_inquiry_document(session, with_verifications="verifications" in includes)
    return call.answer("inquiry.shown", body)


_NOTE = "filter[note]"
_REFERENCE = "filter[reference-id]"
#: What Persona has besides, and no known program sends.
_IGNORED = frozenset({
    "filter[account-id]",
    "filter[created-at-end]",
    "filter[created-at-start]",
    "filter[inquiry-id]",
    "filter[inquiry-template-id]",
    "filter[status]",
    "filter[template-id]",
    "page[before]",
})  # fmt: skip
_LIST_NAMES = _IGNORED | {_NOTE, _REFERENCE, "page[after]", "page[size]"}


def _read_filters(call: PersonaCall) -> dict[str, str]:
    """Return the filters in the query; refuse a name in ``page`` or ``filter`` that is unknown."""
    filters = {}
    for name, text in call.query.items():
        if name.startswith(("filter[", "page[")) and name not in _LIST_NAMES:
            call.refuse("list.unknown", name=name)
        # OURS: A filter without a text chooses nothing.
        if name.startswith("filter[") and text:
            filters[name] = text
    if _NOTE in filters and len(filters) > 1:
        call.refuse("list.filter")
    ignored = sorted(_IGNORED.intersection(call.query))
    if ignored:
        call.hint = f"this mock ignores {', '.join(ignored)}"
    return filters


def list_inquiries(call: PersonaCall) -> Response:
    """List the inquiries of the key's environment, newest first."""
    filters = _read_filters(call)
    note = filters.get(_NOTE)
    references = filters[_REFERENCE].split(",") if _REFERENCE in filters else None
    found = []
    for stored in hosted.sessions_of_mode(call.world, is_live=call.is_live)[::-1]:
        session = hosted.expire_if_due(call.world, stored)
        inquiry = inquiry_of(session)
        has_reference = references is None or inquiry.reference_id in references
        if note in (None, inquiry.note) and has_reference:
            found.append(session)
    return answer_page(call, found, filters)


def _find_document(call: PersonaCall) -> tuple[Session, Verification]:
    """Return the verification of the document in the path, with its inquiry."""
    for session in hosted.sessions_of_mode(call.world, is_live=call.is_live):
        for verification in inquiry_of(session).verifications:
            is_document = verification.kind == GOVERNMENT_ID
            if is_document and wire.document_id(verification) == call.path_value:
                wire.cite_verifications(call.claims, session)
                return session, verification
    return call.refuse("inquiry.unknown")


def read_document(call: PersonaCall) -> Response:
    """Return a document of the person."""
    session, verification = _find_document(call)
    body = {"data": wire.show_document(call.world, session, verification)}
    return call.answer("document.shown", body)


def send_picture(call: PersonaCall) -> Response:
    """Send a picture of an inquiry of any account: its URL has a token in place of a key."""
    session_id, name = call.path_values
    token = call.query.get("access_token", "")
    for world in call.world.of_all_accounts():
        session = world.sessions.find(session_id)
        if session is None:
            continue
        content = world.pictures.find(session.pictures.get(name))
        is_allowed = hmac.compare_digest(token.encode(), hosted.hosted_of(session).token.encode())
        if is_allowed and content is not None:
            media_type = media_type_of_picture(content)
            return call.answer_file("verification.pictures", media_type, content)
    return call.refuse("inquiry.unknown")


def add_tag(call: PersonaCall) -> Response:
    """Add a tag to an inquiry, unless it has the tag; refuse a redacted inquiry."""
    meta = call.read_part("meta", known=frozenset({"tag-name", "tag-id"}))
    tag = call.read_value(meta, "tag-name", str, "a string")
    if tag is None:
        call.refuse("body.wrong", name="tag-name", kind="a string")
    session = call.find_session_and_expire_if_due()
    if inquiry_of(session).is_redacted:
        call.refuse("inquiry.redacted")

    def change_session(stored: Session) -> Session:
        return with_inquiry(stored, tags=tuple(dict.fromkeys((*inquiry_of(stored).tags, tag))))

    session = call.world.sessions.change(session.id, change_session) or session
    # The name in meta.tag-name is a new tag if it is unknown. That meta.tag-id is refused is ours:
    # the mock's tags have no ids. A redacted inquiry has none. (Persona, OpenAPI version 2025-12-08
    # (GitHub persona-id/persona-openapi a1526b5, 2026-08-21))
    body = wire.show_inquiry_document(session, with_verifications=False)
    return call.answer("inquiry.shown", body)


# Links, and resuming


def generate_link(call: PersonaCall) -> Response:
    """Return a new link to an inquiry that is not finished."""
    meta = call.read_part("meta", known=frozenset({"expires-in-seconds"}))
    _read_seconds(call, meta, "expires-in-seconds", call.claims["link.lasts_s"])
    session = call.find_session_and_expire_if_due()
    if session.status not in OPEN:
        call.refuse("inquiry.not_open", status=session.status)
    session = _count_session(call, session)

    token = hosted.new_token(call.world)
    renewed = call.world.sessions.change(
        session.id, lambda stored: hosted.with_hosted(stored, token=token)
    )
    session = renewed or session
    body = wire.show_inquiry_document(session, with_verifications=False)
    return call.answer("inquiry.shown", {**body, "meta": _link_of(call, session)})


def resume(call: PersonaCall) -> Response:
    """Return a session token of an inquiry that is not finished; one that has expired goes on."""
    session = call.find_session_and_expire_if_due()
    if inquiry_of(session).is_redacted:
        call.refuse("inquiry.redacted")
    if session.status not in (*OPEN, EXPIRED):
        call.refuse("inquiry.not_open", status=session.status)
    session = _count_session(call, session)

    def reopen(session: Session) -> Session:
        lasts = dt.timedelta(seconds=inquiry_of(session).after_resume_s)
        times = {**inquiry_of(session).times}
        times.pop("expired-at", None)
        reopened = hosted.with_hosted(session, expires_at=call.now + lasts)
        status = PENDING if session.status == EXPIRED else session.status
        return with_inquiry(attrs.evolve(reopened, status=status), times=times)

    session = call.world.sessions.change(session.id, reopen) or session
    # Resuming an inquiry returns a session token, and makes an expired one pending. A created one
    # can be resumed, says the earlier state of the guide; the later one says that only a pending or
    # expired one should be. That a created one stays created is ours. (docs.withpersona.com,
    # api-reference/inquiries/resume-an-inquiry, and two states of
    # docs/inquiries-resuming-inquiries)
    # OURS: A session token is made up.
    body = wire.show_inquiry_document(session, with_verifications=False)
    meta = {"session-token": wire.session_token(session)}
    return call.answer("inquiry.shown", {**body, "meta": meta})
