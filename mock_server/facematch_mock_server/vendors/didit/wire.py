"""The decision of a session, for its endpoint and for webhooks.

Source of the keys and texts: Didit OpenAPI, 2026-07-18.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import document_fields, gender_letter, is_open, page_url
from facematch_mock_server.world.identities import alpha_3, name_of_country
from facematch_mock_server.world.sessions import Review, Session

from .fields import stamp

#: The prefix of picture paths, which are not part of Didit's API or the control API.
MEDIA = "/__media__/"


@attrs.frozen
class Feature:
    """A feature in a decision, with its block and node; the node's id is our choice."""

    name: str
    block: str
    node: str


_DOCUMENT = Feature("ID_VERIFICATION", "id_verifications", "feature_ocr_1")
FEATURES: Mapping[str, Feature] = {
    "FACE_MATCH": Feature("FACE_MATCH", "face_matches", "feature_face_match_1"),
    "PASSIVE_LIVENESS": Feature("LIVENESS", "liveness_checks", "feature_liveness_1"),
    "FACE_SEARCH": Feature("FACE_SEARCH", "liveness_checks", "feature_liveness_1"),
    "ID_VERIFICATION": _DOCUMENT,
}
_FEATURES_BY_KIND: Mapping[str, tuple[Feature, ...]] = {
    "biometric": (FEATURES["PASSIVE_LIVENESS"], FEATURES["FACE_MATCH"]),
    "kyc": (_DOCUMENT, FEATURES["PASSIVE_LIVENESS"], FEATURES["FACE_MATCH"]),
}
#: The features of steps that a person can be asked to do again, by the vendor's names for a step.
STEPS: Mapping[str, Feature] = {
    "OCR": _DOCUMENT,
    "LIVENESS": FEATURES["PASSIVE_LIVENESS"],
    "FACE_MATCH": FEATURES["FACE_MATCH"],
}
BLOCKS = (
    "id_verifications",
    "nfc_verifications",
    "liveness_checks",
    "face_matches",
    "phone_verifications",
    "email_verifications",
    "poa_verifications",
    "document_ai_documents",
    "questionnaire_responses",
    "aml_screenings",
    "ip_analyses",
    "database_validations",
)

#: What a start tells of the person, which the decision shows as it was sent.
DETAILS = ("expected_details", "contact_details")

#: Document fields that are empty unless `control.sessions.document` sets them.
DOCUMENT_FIELDS = (
    "document_type",
    "document_subtype",
    "document_number",
    "personal_number",
    "front_video",
    "back_image",
    "back_video",
    "full_front_image",
    "full_back_image",
    "date_of_birth",
    "age",
    "front_image_camera_front",
    "back_image_camera_front",
    "expiration_date",
    "date_of_issue",
    "issuing_state",
    "issuing_state_name",
    "first_name",
    "last_name",
    "full_name",
    "gender",
    "address",
    "formatted_address",
    "place_of_birth",
    "marital_status",
    "nationality",
    "mrz",
    "extra_fields",
    "parsed_address",
    "extra_files",
    "front_image_quality_score",
    "back_image_quality_score",
    "front_image_camera_front_face_match_score",
    "back_image_camera_front_face_match_score",
)


def features_of(session: Session) -> tuple[Feature, ...]:
    """Return a session's features, whether or not they ran."""
    if session.hosted is None:
        return (FEATURES[session.service or ""],)
    return _FEATURES_BY_KIND[session.hosted.kind]


def results_of(session: Session) -> dict[Feature, Mapping[str, Any]]:
    """Return the results of the features that ran."""
    if session.hosted is None:
        return {FEATURES[session.service or ""]: session.result}
    ran = [feature for feature in features_of(session) if feature.name in session.result]
    return {feature: session.result[feature.name] for feature in ran}


def steps_without_result(session: Session) -> list[dict[str, str]]:
    """Return the steps of a session that the person has not done, or must do again."""
    results = results_of(session)
    return [
        {"node_id": feature.node, "feature": step}
        for step, feature in STEPS.items()
        if feature in features_of(session) and feature not in results
    ]


def environment_of(session: Session) -> str:
    return "live" if session.hosted is None or session.hosted.is_live else "sandbox"


def decision_body(
    claims: CitedClaims, world: World, session: Session, origin: str, *, now: float
) -> dict[str, Any]:
    """Return a session's decision, for its endpoint and for webhooks.

    Picture URLs begin with `origin` (scheme and host), and their lifetime begins at `now`, in
    seconds since 1970.
    """
    hosted = session.hosted
    # OURS: The decision of a saved call is not documented. Fields of hosted sessions are null;
    # matches, events and reviews of activity are empty. The text of node_id is ours, and so is
    # age_estimation, the age of the largest face.
    # OURS: A hosted session has a URL until it ends. Each status after its start sends a webhook.
    # An item in review makes the session In Review, a declined item makes it Declined.
    # A card for review causes a review.
    if hosted is not None and hosted.attempts:
        # A score or a quality at or below the review threshold of a workflow makes its check In
        # Review with a warning, at or below the decline threshold Declined with an error. Further
        # faces, quality and luminance have warnings only with the method PASSIVE. The match has 70
        # and 50, Didit's defaults; that no workflow can have others, and what it does with a
        # picture's quality, luminance and further faces, is ours. (docs.didit.me, warnings of
        # liveness and of face match, and the settings in the README of didit-protocol/mcp, 2026)
        claims.cite("session.attempts")
    url = None
    if is_open(world, session):
        url = page_url(world, session, origin)
    pictures = picture_urls(world, claims, session, origin, now)
    blocks = dict.fromkeys(BLOCKS, claims["decision.empty_block"])
    for feature, result in results_of(session).items():
        make_block = _BLOCK_MAKERS[feature.name]
        blocks[feature.block] = [make_block(claims, session, result, pictures)]
    return {
        "session_id": session.id,
        "session_kind": "user",
        "session_number": session.number,
        "session_url": url,
        "status": session.status,
        "environment": environment_of(session),
        "workflow_id": None if hosted is None else hosted.workflow,
        "features": [feature.name for feature in features_of(session)],
        "vendor_data": session.vendor_data,
        "metadata": session.metadata,
        **{name: None if hosted is None else hosted.details.get(name) for name in DETAILS},
        "callback": None if hosted is None else hosted.callback,
        **blocks,
        "reviews": [_review(review) for review in session.reviews],
        "created_at": stamp(session.created_at),
        "expires_at": None if hosted is None else stamp(hosted.expires_at),
    }


def _make_document_block(
    claims: CitedClaims, session: Session, result: Mapping[str, Any], pictures: Mapping[str, str]
) -> dict[str, Any]:
    """Return the result of a document with all its fields.

    In a hosted session they are the person's; a field that the document lacks has the claim's
    value.
    """
    feature = _DOCUMENT
    fields = dict.fromkeys(DOCUMENT_FIELDS, claims["decision.hidden_field"])
    if session.hosted is None:
        values = {name: value for name, value in result.items() if name in fields}
    else:
        values = describe_document(session)
        add_age(values, session.created_at.date())
    # A document's names and number are strings, and its dates are YYYY-MM-DD: those that
    # control.sessions.document has set, else made-up ones of the card's person (ours). (Didit
    # OpenAPI, 2026-07-18)
    return {
        "node_id": feature.node,
        "status": result["status"],
        "portrait_image": pictures["portrait_image"],
        "front_image": pictures["front_image"],
        **fields,
        "full_front_image": pictures["front_image"],
        **values,
        "back_image": pictures.get("back_image"),
        # An empty list. (Didit's changelog, 2026-08-10)
        "barcodes": [],
        "matches": [],
        "warnings": _add_node(result["warnings"], feature),
    }


_ADDRESS = ("street", "postal_code", "city")


def name_as_didit(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a person's document by Didit's names."""
    values: dict[str, Any] = dict(fields)
    country = values.pop("issuing_country", None)
    if country is not None:
        values["issuing_state"] = alpha_3(country)
        values["issuing_state_name"] = name_of_country(country)
    if "nationality" in values:
        values["nationality"] = alpha_3(values["nationality"])
    if "gender" in values:
        values["gender"] = gender_letter(values)
    # OURS: A document that has any value is a passport.
    if values:
        values["document_type"] = "Passport"
    street, postal_code, city = (values.pop(name, None) for name in _ADDRESS)
    address = ", ".join(part for part in (street, postal_code, city) if part is not None)
    if address:
        values["address"] = address
        values["formatted_address"] = address
        parts = {"street_1": street, "city": city, "postal_code": postal_code, "country": country}
        values["parsed_address"] = {name: part for name, part in parts.items() if part is not None}
    return values


def describe_document(session: Session) -> dict[str, Any]:
    """Return the values of the document that was read in a session by Didit's names, if any was."""
    if session.hosted is None or "ID_VERIFICATION" not in session.result:
        return {}
    return name_as_didit(document_fields(session))


def add_age(document: dict[str, Any], day: dt.date) -> None:
    """Add a person's age on a day to the values of the document, if it has a date of birth."""
    if "date_of_birth" in document:
        birthday = dt.date.fromisoformat(document["date_of_birth"])
        is_birthday_ahead = (day.month, day.day) < (birthday.month, birthday.day)
        document["age"] = day.year - birthday.year - is_birthday_ahead


def _make_match_block(
    _: CitedClaims, session: Session, result: Mapping[str, Any], pictures: Mapping[str, str]
) -> dict[str, Any]:
    """Return the result of a comparison.

    It names its own session if a portrait was sent with the start.
    """
    feature = FEATURES["FACE_MATCH"]
    # The session's own folder, which contains the portrait that was sent.
    has_portrait = session.hosted is not None and session.hosted.kind == "biometric"
    return {
        "node_id": feature.node,
        "status": result["status"],
        "score": result["score"],
        "source_image_session_id": session.id if has_portrait else None,
        "source_image": pictures.get("source_image"),
        "target_image": pictures.get("target_image"),
        "warnings": _add_node(result["warnings"], feature),
    }


def _make_liveness_block(
    _: CitedClaims, __: Session, result: Mapping[str, Any], pictures: Mapping[str, str]
) -> dict[str, Any]:
    """Return the result of a liveness check or of a search; its age is that of the largest face."""
    feature = FEATURES["PASSIVE_LIVENESS"]
    largest_face: Mapping[str, Any] = max(
        result["user_image"]["entities"], key=_face_area, default={}
    )
    return {
        "node_id": feature.node,
        "status": result["status"],
        "score": result.get("score"),
        "method": result.get("method", "PASSIVE"),
        "reference_image": pictures.get("reference_image"),
        "video_url": None,
        "age_estimation": largest_face.get("age"),
        # A saved search has matches, and none of the other results.
        "matches": result.get("matches", []),
        "warnings": _add_node(result["warnings"], feature),
        "face_quality": result.get("face_quality"),
        "face_luminance": result.get("face_luminance"),
    }


#: The functions that make a feature's block in a decision.
_BLOCK_MAKERS = {
    "ID_VERIFICATION": _make_document_block,
    "FACE_MATCH": _make_match_block,
    "LIVENESS": _make_liveness_block,
    "FACE_SEARCH": _make_liveness_block,
}


def _face_area(face: Mapping[str, Any]) -> int:
    left, top, right, bottom = face["bbox"]
    return int(abs((right - left) * (bottom - top)))


def _add_node(warnings: Iterable[Mapping[str, Any]], feature: Feature) -> list[dict[str, Any]]:
    return [{**warning, "node_id": feature.node} for warning in warnings]


def _review(review: Review) -> dict[str, Any]:
    # OURS: A review without a comment has an empty string, because the documented type is a
    # string.
    return {
        "user": review.user,
        "new_status": review.new_status,
        "comment": review.comment or "",
        "created_at": stamp(review.created_at),
    }


#: The types of pictures; a document may be a PDF at other vendors.
PICTURE_TYPES = frozenset({"jpeg", "png", "tiff", "webp"})


def picture_urls(
    world: World, claims: CitedClaims, session: Session, origin: str, now: float
) -> dict[str, str]:
    """Return the URLs of a session's pictures, by name; reading them needs no key."""
    expires = int(now) + claims["media.ttl_s"]
    urls = {}
    for name in session.pictures:
        signature = sign_picture(world, session.id, name, expires)
        path = f"{MEDIA}{session.id}/{name}"
        urls[name] = f"{origin}{path}?expires={expires}&signature={signature}"
    return urls


def sign_picture(world: World, session_id: str, name: str, expires: int) -> str:
    # The secret changes with each run, so addresses become invalid together with the pictures.
    message = f"{session_id}/{name}/{expires}"
    return hmac.new(world.ids.secret, message.encode(), hashlib.sha256).hexdigest()
