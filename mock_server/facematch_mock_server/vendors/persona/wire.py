"""The JSON of Persona's inquiries, verifications, documents and accounts, and its casing of keys.

Sources: Persona's OpenAPI, version 2025-12-08; docs.withpersona.com/api-key-inflection and
/response-body, read 2026-11-29.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Container, Mapping
from importlib.resources import files
from typing import Any

import attrs

from facematch_mock_server.claims import CitedClaims, fill
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import document_values, gender_letter, hosted_of
from facematch_mock_server.world.sessions import Session


def inflect(value: object, casing: str) -> Any:
    """Return JSON with kebab keys changed to `casing`.

    The casing is ``snake``, ``camel``, or ``kebab``, which leaves them.
    """
    if casing == "camel":
        return _rename_keys(value, _camel_name)
    if casing == "snake":
        return _rename_keys(value, lambda name: name.replace("-", "_"))
    return value


def as_kebab(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of a request with keys in kebab case, but those inside `fields`."""
    kebab: dict[str, Any] = _rename_keys(part, kebab_name)
    if "fields" in part:
        kebab["fields"] = part["fields"]
    return kebab


def kebab_name(name: str) -> str:
    """Return a key that may be in camel or snake case in kebab case."""
    return re.sub("_|(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def select_attributes(resources: Any, names: Mapping[str, Container[str]]) -> Any:
    """Return a resource, or a list of them, with only the attributes that are named for its type.

    A resource of a type that `names` lacks keeps all.
    """
    if isinstance(resources, list):
        return [select_attributes(resource, names) for resource in resources]
    wanted = names.get(resources["type"])
    if wanted is None:
        return resources
    attributes = {n: value for n, value in resources["attributes"].items() if n in wanted}
    return {**resources, "attributes": attributes}


#: Names and fixed values of Persona's answers; the file names their sources.
DATA = json.loads((files(__package__) / "inquiry.json").read_text("utf-8"))
#: The attributes of an inquiry that repeat `fields` before version 2025-10-27.
_REPEATED_FIELDS = (
    "birthdate",
    "name-first",
    "name-middle",
    "name-last",
    "phone-number",
    "email-address",
    "social-security-number",
    "address-street-1",
    "address-street-2",
    "address-city",
    "address-subdivision",
    "address-postal-code",
    "address-subdivision-abbr",
    "address-postal-code-abbr",
    "identification-number",
)


#: The place of each attribute of an account's request in its `fields`.
ACCOUNT_FIELDS: Mapping[str, tuple[str, ...]] = {
    "name-first": ("name", "first"),
    "name-middle": ("name", "middle"),
    "name-last": ("name", "last"),
    "address-street-1": ("address", "street_1"),
    "address-street-2": ("address", "street_2"),
    "address-city": ("address", "city"),
    "address-subdivision": ("address", "subdivision"),
    "address-postal-code": ("address", "postal_code"),
    "country-code": ("address", "country_code"),
    "birthdate": ("birthdate",),
    "phone-number": ("phone_number",),
    "email-address": ("email_address",),
}


def repeat_fields(resources: Any) -> Any:
    """Return a resource, or a list of them, with its fields as attributes, too."""
    if isinstance(resources, list):
        return [repeat_fields(resource) for resource in resources]
    attributes = dict(resources["attributes"])
    fields = attributes.get("fields", {})
    if resources["type"] == "inquiry":
        for name in _REPEATED_FIELDS:
            attributes[name] = fields.get(name, {}).get("value")
    if resources["type"] == "account":
        for name, (outer, *inner) in ACCOUNT_FIELDS.items():
            value = fields[outer]["value"]
            attributes[name] = value[inner[0]]["value"] if inner else value
    return {**resources, "attributes": attributes}


def _camel_name(name: str) -> str:
    return re.sub("-([a-z0-9])", lambda found: found[1].upper(), name)


def _rename_keys(value: object, rename: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_rename_keys(item, rename) for item in value]
    if not isinstance(value, dict):
        return value
    return {rename(name): _rename_keys(item, rename) for name, item in value.items()}


#: The statuses of an inquiry.
CREATED = "created"
PENDING = "pending"
COMPLETED = "completed"
FAILED = "failed"
EXPIRED = "expired"
NEEDS_REVIEW = "needs_review"
APPROVED = "approved"
DECLINED = "declined"
#: The statuses in which a person can act.
OPEN = frozenset({CREATED, PENDING})

SELFIE = "verification/selfie"
GOVERNMENT_ID = "verification/government-id"
#: The document that a verification of a government ID has checked.
DOCUMENT = "document/government-id"
#: The attribute with the time at which an inquiry last got a status.
TIMES: Mapping[str, str] = {
    PENDING: "started-at",
    COMPLETED: "completed-at",
    FAILED: "failed-at",
    EXPIRED: "expired-at",
    NEEDS_REVIEW: "marked-for-review-at",
    APPROVED: "decisioned-at",
    DECLINED: "decisioned-at",
}
#: The kinds of templates: the relationship of an inquiry, by the prefix of the id.
TEMPLATES: Mapping[str, str] = {
    "itmpl_": "inquiry-template",
    "itmplv_": "inquiry-template-version",
    "tmpl_": "template",
}
#: The value of a document, by the attribute of a government ID.
_DOCUMENT_FIELDS = {
    "name-first": "first_name",
    "name-last": "last_name",
    "birthdate": "date_of_birth",
    "nationality": "nationality",
    "document-number": "document_number",
    "identification-number": "document_number",
    "issue-date": "date_of_issue",
    "expiration-date": "expiration_date",
    "address-street-1": "street",
    "address-city": "city",
    "address-postal-code": "postal_code",
}
_NULL_DOCUMENT_FIELDS = ("name-middle", "name-suffix", "native-name-first", "native-name-last")


@attrs.frozen(kw_only=True)
class Verification:
    """A verification in an inquiry.

    Attributes:
        id: Its id, ``ver_...``.
        kind: `SELFIE` or `GOVERNMENT_ID`.
        status: ``passed`` or ``failed``.
        created_at: When it was made, UTC.
        checks: Its checks, as responses show them.
    """

    id: str
    kind: str
    status: str
    created_at: dt.datetime
    checks: tuple[Mapping[str, Any], ...] = ()


@attrs.frozen(kw_only=True)
class Inquiry:
    """What the mock knows of an inquiry beside its session. It is the session's `result`.

    Attributes:
        template_id: The id of the template, as sent.
        note: The note, or None.
        tags: The names of the tags.
        fields: The values that were sent at the start, by their names.
        reference_id: The reference id of the account, or None.
        account_id: The id of the account, or None.
        after_start_s, after_resume_s: Seconds until the inquiry expires after that.
        times: When the inquiry got each status, UTC, by the attribute; and ``redacted-at``.
        verifications: The verifications, oldest first.
        links: The number of sessions (links and session tokens) made so far.
        untold_end: COMPLETED or FAILED if the workflow decided at once, until webhooks have told of
            it; else None.
        has_untold_selfie: Whether webhooks have not told of the newest selfie yet.
        reviewer: The type and id of who decided; None before a decision.
        files_origin: The scheme and host of the URLs of its pictures.
    """

    template_id: str
    note: str | None = attrs.field(default=None, repr=False)
    tags: tuple[str, ...] = ()
    fields: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    reference_id: str | None = attrs.field(default=None, repr=False)
    account_id: str | None = None
    after_start_s: int
    after_resume_s: int
    times: Mapping[str, dt.datetime] = attrs.field(factory=dict)
    verifications: tuple[Verification, ...] = ()
    links: int = 0
    untold_end: str | None = None
    has_untold_selfie: bool = False
    reviewer: Mapping[str, str] | None = None
    files_origin: str

    @property
    def is_redacted(self) -> bool:
        return "redacted-at" in self.times


def inquiry_of(session: Session) -> Inquiry:
    """Return what the mock knows of a session's inquiry."""
    inquiry: Inquiry = session.result["inquiry"]
    return inquiry


def with_inquiry(session: Session, **changes: Any) -> Session:
    """Return the session with some attributes of its inquiry changed."""
    inquiry = attrs.evolve(inquiry_of(session), **changes)
    return attrs.evolve(session, result={"inquiry": inquiry})


def session_token(session: Session) -> str:
    """Return a made-up session token, in the form of a JSON Web Token."""
    return f"eyJhbGciOiJIUzI1NiJ9.{hosted_of(session).token}.mock"


def facts_for_web_sdk(session: Session) -> dict[str, Any]:
    """Return what the web SDK passes to `onComplete` and `onCancel`."""
    return {"sessionToken": session_token(session), "fields": _show_fields(session)}


#: The statuses of a check that was made.
_STATUSES = {True: "passed", False: "failed"}


def selfie_checks(
    *, matches: bool, is_live: bool, is_liveness_required: bool, is_good_picture: bool = True
) -> tuple[Mapping[str, Any], ...]:
    """Return the checks of a selfie; a picture that is not good is neither compared nor live."""
    facts = {
        "comparison": _STATUSES[matches] if is_good_picture else "not_applicable",
        "liveness": _STATUSES[is_live] if is_good_picture else "not_applicable",
        "requirement": "required" if is_liveness_required else "not_required",
        "picture": _STATUSES[is_good_picture],
    }
    checks: list[dict[str, Any]] = fill(DATA["selfie_checks"], facts)
    for check in checks:
        if check["name"] == "selfie_liveness_detection" and check["status"] != "failed":
            check["reasons"] = []
    return tuple(checks)


def has_passed(checks: tuple[Mapping[str, Any], ...]) -> bool:
    """Return whether all required checks passed."""
    for check in checks:
        if check["requirement"] == "required" and check["status"] != "passed":
            return False
    return True


def stamp(at: dt.datetime | None) -> str | None:
    """Write a time as Persona does: UTC, with milliseconds."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


#: The times of an inquiry that it gets after its start, or never.
_LATER_TIMES = (
    "completed-at",
    "failed-at",
    "marked-for-review-at",
    "decisioned-at",
    "expired-at",
    "redacted-at",
)


def show_inquiry(session: Session) -> dict[str, Any]:
    """Return an inquiry as responses and webhooks show it."""
    inquiry = inquiry_of(session)
    times: dict[str, dt.datetime | None] = {
        "created-at": session.created_at,
        "updated-at": max((session.created_at, *inquiry.times.values())),
        "started-at": inquiry.times.get("started-at"),
        "expires-at": hosted_of(session).expires_at,
    }
    for name in _LATER_TIMES:
        times[name] = inquiry.times.get(name)
    return {
        "type": "inquiry",
        "id": session.id,
        "attributes": {
            "status": session.status,
            "reference-id": inquiry.reference_id,
            "note": inquiry.note,
            "behaviors": DATA["behaviors"],
            "tags": list(inquiry.tags),
            "creator": "API",
            "reviewer-comment": None,
            **{name: stamp(time) for name, time in times.items()},
            "previous-step-name": "start" if times["started-at"] else None,
            "next-step-name": "verification_selfie",
            "fields": _show_fields(session),
        },
        "relationships": _show_relationships(session),
    }


def _show_relationships(session: Session) -> dict[str, Any]:
    """Return what an inquiry is related to, each by its type and id."""
    inquiry = inquiry_of(session)
    # OURS: A person has one session.
    person_session = {"type": "inquiry-session", "id": session.id.replace("inq_", "iqse_")}
    account = None
    if inquiry.account_id is not None:
        account = {"type": "account", "id": inquiry.account_id}
    related: dict[str, Any] = {"account": account}
    for prefix, name in TEMPLATES.items():
        is_used = inquiry.template_id.startswith(prefix)
        related[name] = {"type": name, "id": inquiry.template_id} if is_used else None
    if inquiry.template_id.startswith("itmpl_"):
        version_id = inquiry.template_id.replace("itmpl_", "itmplv_")
        version = {"type": "inquiry-template-version", "id": version_id}
        related["inquiry-template-version"] = version
    verifications = [{"type": each.kind, "id": each.id} for each in inquiry.verifications]
    documents = [each for each in inquiry.verifications if each.kind == GOVERNMENT_ID]
    related |= {
        "transaction": None,
        "reviewer": inquiry.reviewer,
        "reports": [],
        "verifications": verifications,
        "sessions": [person_session] if "started-at" in inquiry.times else [],
        "documents": [{"type": DOCUMENT, "id": document_id(each)} for each in documents],
        "selfies": [],
    }
    return {name: {"data": resources} for name, resources in related.items()}


def show_related(world: World, session: Session) -> list[dict[str, Any]]:
    """Return what an event includes beside the verifications of its inquiry.

    That is the template, its version and the person's session, as far as the relationships name
    them, the account and the documents.
    """
    inquiry = inquiry_of(session)
    facts = {
        "template": inquiry.template_id.partition("_")[2],
        "session": session.id.removeprefix("inq_"),
        "at": stamp(session.created_at),
    }
    named = json.dumps(_show_relationships(session))
    related = [each for each in fill(DATA["included"], facts) if f'"{each["id"]}"' in named]
    account = world.records.accounts.find(inquiry.account_id)
    if account is not None:
        related.append(show_account(account))
    for verification in inquiry.verifications:
        if verification.kind == GOVERNMENT_ID:
            related.append(show_document(world, session, verification))
    return related


_FIELD_KINDS: Mapping[type, str] = {bool: "boolean", int: "number", float: "number"}


def _show_fields(session: Session) -> dict[str, Any]:
    """Return the fields of an inquiry: as sent, until the flow fills them from the document."""
    inquiry = inquiry_of(session)
    document: Mapping[str, Any] = {}
    if inquiry.verifications:
        country = document_values(session).get("issuing_country")
        document = {**document_of(session), "address-country-code": country}
    fields = {}
    for name, value in inquiry.fields.items():
        fields[name] = {"type": _FIELD_KINDS.get(type(value), "string"), "value": value}
    for name, field in DATA["fields"].items():
        fields[name] = {**field, "value": document.get(name) or inquiry.fields.get(name)}
    return fields


def document_of(session: Session) -> dict[str, str | None]:
    """Return the values of the person's document by Persona's names; null if it has none."""
    values = document_values(session)
    document: dict[str, str | None] = dict.fromkeys(_NULL_DOCUMENT_FIELDS)
    for name, value_name in _DOCUMENT_FIELDS.items():
        document[name] = values.get(value_name) or None
    document["sex"] = gender_letter(values)
    return document


def show_verification(session: Session, verification: Verification) -> dict[str, Any]:
    """Return a verification of an inquiry."""
    attributes: dict[str, Any] = {
        "status": verification.status,
        "redacted-at": stamp(inquiry_of(session).times.get("redacted-at")),
        "country-code": document_values(session).get("issuing_country"),
        "tags": [],
        "checks": list(verification.checks),
    }
    # The mock takes no time between the steps of a verification.
    for name in ("created-at", "submitted-at", "completed-at"):
        attributes[name] = stamp(verification.created_at)
        attributes[f"{name}-ts"] = int(verification.created_at.timestamp())
    if verification.kind == SELFIE:
        attributes |= _show_selfie(session)
    else:
        attributes |= document_of(session)
        attributes["id-class"] = "pp"
        front_url = _url(session, "front")
        attributes |= {
            "front-photo-url": front_url,
            "back-photo-url": None,
            "selfie-photo-url": None,
            "photo-urls": [{"page": "front", "url": front_url}] if front_url else [],
        }
    owner = {"data": {"type": "inquiry", "id": session.id}}
    return {
        "type": verification.kind,
        "id": verification.id,
        "attributes": attributes,
        "relationships": {"inquiry": owner},
    }


def _show_selfie(session: Session) -> dict[str, Any]:
    """Return the attributes that only a selfie has."""
    # OURS: The pictures from the left and the right are the one from the front.
    photo_url = _url(session, "center")
    return {
        "capture-method": "photo",
        "document-similarity-score": None,
        "selfie-similarity-score-left": None,
        "selfie-similarity-score-right": None,
        "center-photo-url": photo_url,
        "left-photo-url": photo_url,
        "right-photo-url": photo_url,
        "photo-urls": [{"page": "center_photo", "url": photo_url}] if photo_url else [],
        "video-url": None,
    }


def document_id(verification: Verification) -> str:
    """Return the id of the document of a verification; our choice."""
    return verification.id.replace("ver_", "doc_")


def show_document(world: World, session: Session, verification: Verification) -> dict[str, Any]:
    """Return the document of a verification; without a photo, if its picture was forgotten."""
    photo = None
    picture = world.pictures.find(session.pictures.get("front"))
    if picture is not None:
        url = _url(session, "front")
        photo = {"filename": "id-front.jpg", "url": url, "byte-size": len(picture)}
    attributes: dict[str, Any] = {
        "status": "processed",
        "created-at": stamp(verification.created_at),
        "processed-at": stamp(verification.created_at),
        "processed-at-ts": int(verification.created_at.timestamp()),
        "front-photo": photo,
        "back-photo": None,
        "selfie-photo": None,
        "id-class": "pp",
        **document_of(session),
    }
    owner = {"data": {"type": "inquiry", "id": session.id}}
    return {
        "type": DOCUMENT,
        "id": document_id(verification),
        "attributes": attributes,
        "relationships": {"inquiry": owner},
    }


@attrs.frozen(kw_only=True)
class Account:
    """An account of a person, whom its inquiries share.

    Attributes:
        id: Its id, ``act_...``.
        is_live: Whether it is one of production.
        reference_id: The reference id, which no other account of its environment has, or None.
        created_at: When it was created, UTC.
        values: The values of `ACCOUNT_FIELDS` that were sent, by their names.
        fields: The further fields that were sent, by their names.
        tags: The names of its tags.
    """

    id: str
    is_live: bool
    reference_id: str | None = attrs.field(default=None, repr=False)
    created_at: dt.datetime
    values: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    fields: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    tags: tuple[str, ...] = ()


def show_account(account: Account) -> dict[str, Any]:
    """Return an account as responses and webhooks show it."""
    fields: dict[str, Any] = {}
    for name, (outer, *inner) in ACCOUNT_FIELDS.items():
        kind = "date" if name == "birthdate" else "string"
        field = {"type": kind, "value": account.values.get(name)}
        if inner:
            group = fields.setdefault(outer, {"type": "hash", "value": {}})
            group["value"][inner[0]] = field
        else:
            fields[outer] = field
    for name, value in account.fields.items():
        fields[name] = {"type": _FIELD_KINDS.get(type(value), "string"), "value": value}
    attributes: dict[str, Any] = {
        "reference-id": account.reference_id,
        "account-type-name": "User",
        "created-at": stamp(account.created_at),
        "updated-at": stamp(account.created_at),
        "redacted-at": None,
        "fields": fields,
        "tags": list(account.tags),
    }
    # OURS: Every account has one type.
    account_type = {"data": {"type": "account-type", "id": "acttp_mock"}}
    return {
        "type": "account",
        "id": account.id,
        "attributes": attributes,
        "relationships": {"account-type": account_type},
    }


def _url(session: Session, name: str) -> str | None:
    """Return the URL of a picture of an inquiry, by its name in the session; None if redacted."""
    if inquiry_of(session).is_redacted:
        return None
    token = hosted_of(session).token
    return f"{inquiry_of(session).files_origin}/files/{session.id}/{name}?access_token={token}"


def show_inquiry_document(session: Session, *, with_verifications: bool) -> dict[str, Any]:
    """Return an inquiry as the body of a response or the payload of an event."""
    body: dict[str, Any] = {"data": show_inquiry(session)}
    if with_verifications:
        verifications = inquiry_of(session).verifications
        body["included"] = [show_verification(session, each) for each in verifications]
    return body


def cite_verifications(claims: CitedClaims, session: Session) -> None:
    """Cite the claims behind an inquiry's verifications, if it has some."""
    if inquiry_of(session).verifications:
        # OURS: A check of the person makes a government ID verification and a selfie verification;
        # a failed attempt makes a failed selfie. The newest is last.
        # A selfie has checks by name: selfie_id_comparison with the ID's portrait,
        # selfie_liveness_detection, and others, which pass here. (a list of Persona's selfie checks
        # in a public client, with their meanings)
        claims.cite("session.attempts")
        # A selfie passes although a check failed that is not required: here a glare check always
        # does, as in Persona's example. (Persona, OpenAPI version 2025-12-08 (GitHub
        # persona-id/persona-openapi a1526b5, 2026-08-21))
        claims.cite("verification.liveness", "session.match_from", "session.live_from")
        # OURS: A government ID has the values that a test sets, else the made-up ones of the card's
        # person; of another picture they are null. A full name is split at its last space. It fails
        # if its picture shows no face.
        # document-similarity-score is null in every example of Persona's; the two other scores are
        # null here, too. (Persona, OpenAPI version 2025-12-08 (GitHub persona-id/persona-openapi
        # a1526b5, 2026-08-21))
        claims.cite("verification.pictures")
