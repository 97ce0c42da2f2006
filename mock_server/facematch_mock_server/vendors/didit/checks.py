"""The checks of pictures: face match, passive liveness, face search and documents.

Sources of the facts in this code: Didit API reference, Face Match, June 2026; Didit OpenAPI,
2026-07-18; for passive liveness also Didit's skill page, early 2026.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.recognition.outcomes import (
    LivenessOutcome,
    MatchOutcome,
    SeenFace,
    SeenPicture,
)
from facematch_mock_server.world.identities import make_identity

from . import fields
from .fields import Field
from .records import APPROVED, DECLINED, IN_REVIEW
from .wire import DOCUMENT_FIELDS, name_as_didit

Block = dict[str, Any]
_THRESHOLD = "face_{}_score_decline_threshold"


@attrs.frozen
class Risk:
    """The content of a warning, without its name."""

    #: ``error`` (declines the call), ``warning`` or ``information``.
    type: str
    short: str
    long: str


#: From the Didit OpenAPI, 2026-07-18, except for our inventions. The long text of NO_REFERENCE_IMAGE
#: is from docs.didit.me, warnings reference; NO_FACE_DETECTED for a match is from the skill page.
# fmt: off
RISKS: Mapping[str, Risk] = {
    "LOW_FACE_MATCH_SIMILARITY": Risk("error", "Low face match similarity", "The facial features of the provided image don't closely match the reference image, suggesting a potential identity mismatch."),
    "NO_REFERENCE_IMAGE": Risk("error", "No reference image", "A reference image or face image for facial comparison is missing, preventing the system from completing the face matching process."),  # OURS: some of the words
    "NO_FACE_DETECTED": Risk("error", "No face detected", "No face was detected in a picture."),  # OURS: some of the words
    "LOW_LIVENESS_SCORE": Risk("error", "Low liveness score", "The liveness check resulted in a low score, indicating potential use of non-live facial representations or poor-quality biometric data."),
    "LIVENESS_FACE_ATTACK": Risk("error", "Liveness Face Attack", "The system detected a potential attempt to bypass the liveness check."),
    "FACE_IN_BLOCKLIST": Risk("error", "Face in blocklist", "The system identified a face in the blocklist, which means the face is not allowed to be verified."),
    "POSSIBLE_FACE_IN_BLOCKLIST": Risk("error", "Possible face in blocklist", "The face resembles one in the blocklist."),  # OURS: some of the words
    "DUPLICATED_FACE": Risk("information", "Duplicated face from other approved session", "The system identified a duplicated face from another approved session, requiring further investigation."),
    "POSSIBLE_DUPLICATED_FACE": Risk("information", "Possible duplicated face", "The face resembles one of another approved session."),  # OURS: some of the words
    "LOW_FACE_QUALITY": Risk("warning", "Low face quality", "The quality of the face is low."),  # OURS: some of the words
    "LOW_FACE_LUMINANCE": Risk("information", "Low face luminance", "The face is too dark."),  # OURS: some of the words
    "HIGH_FACE_LUMINANCE": Risk("information", "High face luminance", "The face is too bright."),  # OURS: some of the words
    "MULTIPLE_FACES_DETECTED": Risk("warning", "Multiple faces detected", "More than one face was detected in the picture."),  # OURS: some of the words
}
# fmt: on


def warnings(feature: str, risks: Iterable[str], data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the warnings for these risks, in order; `data` holds each risk's additional data."""
    reports = []
    for name in risks:
        risk = RISKS[name]
        # The risks of a match are LOW_FACE_MATCH_SIMILARITY and the risk of a picture without a
        # face; the risks of passive liveness are NO_FACE_DETECTED, LOW_LIVENESS_SCORE,
        # LIVENESS_FACE_ATTACK, MULTIPLE_FACES_DETECTED, FACE_IN_BLOCKLIST,
        # POSSIBLE_FACE_IN_BLOCKLIST, DUPLICATED_FACE and POSSIBLE_DUPLICATED_FACE. A warning has
        # six keys, all present: risk, feature, additional_data, log_type, short_description,
        # long_description. (Didit OpenAPI, 2026-07-18)
        reports.append(
            {
                "risk": name,
                "feature": feature,
                "additional_data": data.get(name),
                "log_type": risk.type,
                "short_description": risk.short,
                "long_description": risk.long,
            }
        )
    return reports


def judge_match(claims: CitedClaims, outcome: MatchOutcome, values: Mapping[str, Any]) -> Block:
    """Return the result of a comparison for the response; `values` are the form's values."""
    is_saved = values["save_api_request"]
    status = APPROVED
    risks = []
    score: float | None
    if outcome.score is None:
        # No comparison was made: a picture cannot be decoded, or has no face.
        # Without a pair of faces the score is null in a saved call, and 0 in a call that is not
        # saved. If either picture has no face, NO_REFERENCE_IMAGE is the only risk. (Didit OpenAPI,
        # 2026-07-18)
        score = None if is_saved else 0
        status = DECLINED
        risks = ["NO_REFERENCE_IMAGE"]
    else:
        # Didit rounds the scores of saved calls.
        score = round(float(outcome.score), 2) if is_saved else float(outcome.score)
        if outcome.review and claims["match.review"]:
            status = IN_REVIEW
        elif not _passes(claims, "match", score, values):
            status = DECLINED
            risks = ["LOW_FACE_MATCH_SIMILARITY"]
    rotate = values["rotate_image"]
    return {
        "status": status,
        "score": score,
        "user_image": _describe(claims, "match", outcome.probe, rotate=rotate),
        "ref_image": _describe(claims, "match", outcome.reference, rotate=rotate),
        "warnings": warnings("FACEMATCH", risks, {}) if risks else [],
    }


def judge_liveness(
    claims: CitedClaims, outcome: LivenessOutcome, values: Mapping[str, Any]
) -> Block:
    """Return the result of a liveness check for the response; `values` are the form's values."""
    score: float | None = None
    quality = luminance = None
    # Additional data of the risks that have some, by the name of the risk.
    data: dict[str, Any] = {}
    if outcome.probe.faces:
        quality = outcome.quality
        luminance = outcome.luminance
        # OURS: A missing score is treated as 0, as in age estimation: LOW_LIVENESS_SCORE.
        if outcome.score is not None:
            score = round(float(outcome.score), 2)
        data = _describe_known_face(claims, outcome)
        risks = [*_list_liveness_risks(claims, outcome, score, values), *data]
    else:
        risks = ["NO_FACE_DETECTED"]
    # Risks of type warning or information do not decline the call.
    is_declined = any(RISKS[risk].type == "error" for risk in risks)
    return {
        "status": DECLINED if is_declined else APPROVED,
        "method": "PASSIVE",
        "score": score,
        "user_image": _describe(claims, "liveness", outcome.probe, rotate=values["rotate_image"]),
        "warnings": warnings("LIVENESS", risks, data) if risks else [],
        "face_quality": None if quality is None else round(float(quality), 2),
        "face_luminance": None if luminance is None else round(float(luminance), 2),
    }


def judge_search(claims: CitedClaims, outcome: LivenessOutcome, values: Mapping[str, Any]) -> Block:
    """Return the result of a search for a face; `values` also have the matches."""
    data = _describe_known_face(claims, outcome)
    risks = list(data)
    if len(outcome.probe.faces) > 1:
        risks.insert(0, "MULTIPLE_FACES_DETECTED")
    is_declined = any(RISKS[risk].type == "error" for risk in risks)
    return {
        "status": DECLINED if is_declined else APPROVED,
        "total_matches": len(values["matches"]),
        "matches": values["matches"],
        "user_image": _describe_search(claims, outcome.probe, rotate=values["rotate_image"]),
        "warnings": warnings("LIVENESS", risks, data) if risks else [],
    }


def _describe_search(claims: CitedClaims, seen_picture: SeenPicture, *, rotate: bool) -> Block:
    described = _describe(claims, "liveness", seen_picture, rotate=rotate)
    entities = [
        {name: face[name] for name in ("bbox", "confidence")} for face in described["entities"]
    ]
    return {**described, "entities": entities}


#: What a decision has of a document, and the response of the call has not.
_OF_SESSIONS = {"front_video", "back_video", "full_front_image", "full_back_image", "extra_files"}
_EXPIRED = {
    "risk": "DOCUMENT_EXPIRED",
    "feature": "ID_VERIFICATION",
    "additional_data": None,
    "log_type": "error",
    "short_description": "Document expired",
    "long_description": "The document's expiration date has passed, rendering it no longer valid "
    "for use.",
}


def judge_document(_claims: CitedClaims, _: object, values: Mapping[str, Any]) -> Block:
    """Return what is read from a document; `values` also have its fields, and today's date."""
    # OURS: The type is an identity card; fields that the mock's persons lack are null.
    # A document whose expiration date has passed is Declined. That the options of the call are
    # ignored is our choice. (Didit OpenAPI, 2026-07-18)
    document = values["document"]
    expires_on = document.get("expiration_date")
    is_expired = expires_on is not None and expires_on < values["today"]
    names = [name for name in DOCUMENT_FIELDS if name not in _OF_SESSIONS]
    return {
        "status": DECLINED if is_expired else APPROVED,
        **dict.fromkeys(names),
        "document_type": "Identity Card",
        "document_subtype": "ID_CARD_GENERIC",
        "marital_status": "UNKNOWN",
        "mrz": {},
        **document,
        "warnings": [_EXPIRED] if is_expired else [],
        "barcodes": [],
    }


def _describe_known_face(claims: CitedClaims, outcome: LivenessOutcome) -> dict[str, Any]:
    """Return the risks of a face that is known from another session, with that session."""
    data = {}
    if outcome.blocklist is not None:
        risk = "FACE_IN_BLOCKLIST"
        if outcome.blocklist != "certain":
            risk = "POSSIBLE_FACE_IN_BLOCKLIST"
        session_id, number, service = claims["liveness.known_from"]
        data[risk] = {
            "blocklisted_session_id": session_id,
            "blocklisted_session_number": number,
            "api_service": service,
        }
    if outcome.duplicate is not None:
        risk = "DUPLICATED_FACE"
        if outcome.duplicate != "certain":
            risk = "POSSIBLE_DUPLICATED_FACE"
        if outcome.duplicate_of is None:
            session_id, number, service = claims["liveness.known_from"]
        else:
            # A check with a live key is searched for the same face in other approved sessions;
            # faces with the same vendor_data are left out. A kept check and a hosted session enroll
            # their face, a comparison does not. That two cards of a person, or two equal pictures,
            # are the same face is our choice, and so is naming the newest session as
            # DUPLICATED_FACE; only a test causes POSSIBLE_DUPLICATED_FACE. (Didit OpenAPI,
            # 2026-07-18)
            session_id = outcome.duplicate_of.session_id
            number = outcome.duplicate_of.number
            service = outcome.duplicate_of.service
        data[risk] = {
            "duplicated_session_id": session_id,
            "duplicated_session_number": number,
            "api_service": service,
        }
    return data


def _list_liveness_risks(
    claims: CitedClaims, outcome: LivenessOutcome, score: float | None, values: Mapping[str, Any]
) -> list[str]:
    """Return the risks of a picture with a face, without those of a known face."""
    risks = []
    if score is None or not _passes(claims, "liveness", score, values):
        risks.append("LOW_LIVENESS_SCORE")
    if outcome.attack:
        risks.append("LIVENESS_FACE_ATTACK")
    if len(outcome.probe.faces) > 1:
        risks.append("MULTIPLE_FACES_DETECTED")
    return risks + _list_quality_risks(claims, outcome)


def _list_quality_risks(claims: CitedClaims, outcome: LivenessOutcome) -> list[str]:
    """Return the risks of a picture's quality and luminance, if a switch asks for them."""
    limits = claims["liveness.quality_risks"]
    if limits is None:
        return []
    lowest_quality, darkest, brightest = limits
    risks = []
    if outcome.quality is not None and outcome.quality < lowest_quality:
        risks.append("LOW_FACE_QUALITY")
    if outcome.luminance is not None and outcome.luminance < darkest:
        risks.append("LOW_FACE_LUMINANCE")
    if outcome.luminance is not None and outcome.luminance > brightest:
        risks.append("HIGH_FACE_LUMINANCE")
    return risks


def _sandbox_match(claims: CitedClaims) -> Block:
    """Return the result for a sandbox key."""
    fixed = claims["match.sandbox"]
    user_box, reference_box = fixed["boxes"]
    return {
        "status": APPROVED,
        "score": fixed["score"],
        "user_image": _describe(claims, "match", _picture_with_face(user_box)),
        "ref_image": _describe(claims, "match", _picture_with_face(reference_box)),
        "warnings": [],
    }


def _sandbox_liveness(claims: CitedClaims) -> Block:
    """Return the result for a sandbox key."""
    fixed = claims["liveness.sandbox"]
    (user_box,) = fixed["boxes"]
    return {
        "status": APPROVED,
        "score": fixed["score"],
        "user_image": _describe(claims, "liveness", _picture_with_face(user_box)),
        "warnings": [],
        "method": "PASSIVE",
        "face_quality": fixed["quality"],
        "face_luminance": fixed["luminance"],
    }


def _sandbox_search(claims: CitedClaims) -> Block:
    """Return the result for a sandbox key."""
    (user_box,) = claims["liveness.sandbox"]["boxes"]
    outcome = LivenessOutcome(probe=_picture_with_face(user_box), score=None)
    return judge_search(claims, outcome, {"matches": [], "rotate_image": False})


def _sandbox_document(claims: CitedClaims) -> Block:
    """Return the result for a sandbox key."""
    document = name_as_didit(make_identity("sandbox"))
    # On the day of its issue the document has not expired.
    return judge_document(claims, None, {"document": document, "today": document["date_of_issue"]})


def _picture_with_face(box: Iterable[int]) -> SeenPicture:
    left, top, right, bottom = box
    return SeenPicture(faces=(SeenFace(box=(left, top, right, bottom)),))


def _passes(claims: CitedClaims, name: str, score: float, values: Mapping[str, Any]) -> bool:
    """Return whether a score, rounded as in the response, is above the call's threshold."""
    threshold = values[_THRESHOLD.format(name)]
    # OURS: A score is rounded before it is compared, so that status and score agree.
    claims.cite(f"{name}.boundary")
    return bool(score > threshold)


def _describe(
    claims: CitedClaims, name: str, seen_picture: SeenPicture, *, rotate: bool = False
) -> Block:
    """Return the faces in one picture, and its angle if the call requested rotation."""
    if not seen_picture.faces:
        return {"entities": [], "best_angle": claims[f"{name}.faceless"]}
    # OURS: The largest face is reported first; the order of faces is not documented.
    # A face has box, confidence, age, gender and race; race is always null. (Didit OpenAPI,
    # 2026-07-18)
    return _describe_faces(seen_picture, rotate)


# All responses and sessions share a picture's block, which is never modified: copies would slow
# down every garbage collection.
@functools.lru_cache(maxsize=2000)
def _describe_faces(seen_picture: SeenPicture, rotate: bool) -> Block:
    """Return a picture's faces; its angle is 0 unless the call asks to rotate it."""
    entities = [
        {
            # x_min, y_min, x_max, y_max in whole pixels of the processed picture.
            "bbox": list(face.box),
            "confidence": round(face.confidence, 6),
            "age": round(float(face.age), 2),
            "gender": face.gender,
            "race": None,
        }
        for face in seen_picture.faces
    ]
    return {"entities": entities, "best_angle": seen_picture.angle if rotate else 0}


@attrs.frozen(kw_only=True)
class PictureService:
    """What distinguishes the calls with pictures; the `extra` of their routes.

    Attributes:
        operation: The prefix of the call's claims, such as ``match``.
        name: The vendor's name for the service, in sessions and the ledger.
        block: The key of the service's block in the response.
        pictures: The form's picture fields, by the names under which the pictures are saved; the
            probe is last.
        optional_pictures: Those of them that a form may omit.
        read_file: Reads a picture's field.
        options: The form's other fields that not all calls have.
        judge: Returns the block for an outcome.
        judge_sandbox: Returns the block for a sandbox key.
        form: The form's fields, in the order in which errors are reported.
    """

    operation: str
    name: str
    block: str
    pictures: Mapping[str, str]
    judge: Callable[[CitedClaims, Any, Mapping[str, Any]], Block]
    judge_sandbox: Callable[[CitedClaims], Block]
    optional_pictures: tuple[str, ...] = ()
    read_file: Callable[[CitedClaims, Any], Any] = fields.read_file
    options: tuple[Field, ...] = ()
    form: tuple[Field, ...] = attrs.field(init=False)

    @property
    def picture_fields(self) -> tuple[str, ...]:
        """The names of the form's picture fields."""
        return tuple(dict.fromkeys(self.pictures.values()))

    @form.default
    def _make_form(self) -> tuple[Field, ...]:
        """Return the form's fields in the order in which errors are reported."""
        files = []
        for name in self.picture_fields:
            is_required = name not in self.optional_pictures
            files.append(Field(name, self.read_file, required=is_required))
        # Errors are reported in this order: the probe first.
        return (
            *reversed(files),
            *self.options,
            Field("save_api_request", fields.boolean, default=True),
            Field("vendor_data", fields.vendor_data),
            Field("metadata", fields.metadata),
        )


_ROTATE = Field("rotate_image", fields.boolean, default=False)

MATCH = PictureService(
    operation="match",
    name="FACE_MATCH",
    block="face_match",
    pictures={"source_image": "ref_image", "target_image": "user_image"},
    options=(Field(_THRESHOLD.format("match"), fields.threshold, default=30), _ROTATE),
    judge=judge_match,
    judge_sandbox=_sandbox_match,
)
LIVENESS = PictureService(
    operation="liveness",
    name="PASSIVE_LIVENESS",
    block="liveness",
    pictures={"reference_image": "user_image"},
    options=(Field(_THRESHOLD.format("liveness"), fields.threshold, default=30), _ROTATE),
    judge=judge_liveness,
    judge_sandbox=_sandbox_liveness,
)
SEARCH = PictureService(
    operation="face_search",
    name="FACE_SEARCH",
    block="face_search",
    pictures={"reference_image": "user_image"},
    options=(
        Field(
            "search_type",
            functools.partial(fields.choice, ("most_similar", "blocklisted_or_approved")),
            default="most_similar",
        ),
        _ROTATE,
    ),
    judge=judge_search,
    judge_sandbox=_sandbox_search,
)
DOCUMENT = PictureService(
    operation="id_verification",
    name="ID_VERIFICATION",
    block="id_verification",
    pictures={
        "back_image": "back_image",
        "portrait_image": "front_image",
        "front_image": "front_image",
    },
    optional_pictures=("back_image",),
    read_file=fields.read_document_file,
    judge=judge_document,
    judge_sandbox=_sandbox_document,
)
