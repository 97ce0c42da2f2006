"""The two calls about pictures: face match and passive liveness.

One way for both: the form, the sandbox's short cut, credit, what is seen in the pictures, the
verdict, the charge, the session. What differs is in an `Endpoint`.

Sources of what has no choice: Didit API reference, Face Match, June 2026; Didit OpenAPI,
2026-07-18; of passive liveness also Didit's skill page, early 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_mock_server.claims import Citations
from facematch_mock_server.http.forms import Form, FormError, TooManyParts, Upload
from facematch_mock_server.journal import described, flat
from facematch_mock_server.messages import Response
from facematch_mock_server.recognition.outcomes import SeenFace, SeenPicture
from facematch_mock_server.vendors.base import Refused, Route

from . import framework, webhooks
from .access import DiditCall, access, method_and_media, rate
from .framework import Given
from .records import APPROVED, DECLINED, IN_REVIEW, kept_as, stamp
from .risks import declines, warnings

#: What the journal may hold as it was sent: no file, and nothing that is nested.
_SHOWN = frozenset({"number", "boolean", "text"})

Block = dict[str, Any]


@attrs.frozen(kw_only=True)
class Endpoint:
    """What sets one of the two calls apart.

    Attributes:
        name: Prefix of its claims, ``match`` say.
        block: The key of its part of the answer.
        service: Of its sessions.
        pictures: The fields of its pictures, by the names under which they are kept.
        judge: Makes the answer's part from what was seen.
        canned: Makes the answer's part for a sandbox key.
        fields: Of its form.
    """

    name: str
    block: str
    service: str
    pictures: Mapping[str, str]
    judge: Callable[[DiditCall], Block]
    canned: Callable[[Citations], Block]
    fields: tuple[Given, ...]


# The way of a call


def _fields(call: DiditCall) -> None:
    """The form and its fields."""
    claims, fields = call.claims, _endpoint(call).fields
    if claims.get("order.credit") == "before_fields":
        _credit(call)
    form = Form()
    if call.request.body:
        try:
            form = call.read_form()
        except TooManyParts:
            call.refuse("form.too_much")
        except FormError as error:
            call.refuse("form.refused", problem=str(error))
    call.form = form
    if form.problem:
        call.note = f"form: {form.problem}"
    shown = [field.name for field in fields if field.kind in _SHOWN]
    call.shown = described(((name, sent[-1]) for name, sent in form.fields.items()), shown)
    call.values, errors = framework.read_form_fields(claims, fields, form)
    if call.values.get("metadata") is not None:
        call.shown["metadata"] = flat(call.values["metadata"])
    elif "metadata" in call.shown and "metadata" not in errors:
        call.shown["metadata"] = ""
    if errors:
        call.refuse("fields.refused", errors)


def _sandbox(call: DiditCall) -> None:
    """The short cut of a sandbox key: nothing is looked at, paid or kept."""
    if not call.is_live:
        endpoint, request_id = _endpoint(call), call.world.account.ids.uuid()
        body = _envelope(call, request_id, endpoint.canned(call.claims))
        raise Refused(call.answer(f"{endpoint.name}.answer", body))


def _credit(call: DiditCall) -> None:
    """Whether the call can be paid."""
    if call.is_live and call.ledger.balance < call.claims.get(f"credit.price.{_name(call)}"):
        call.claims.cite("order.credit")
        _unpaid(call)


def _picture(call: DiditCall) -> None:
    """What is seen in the pictures, and whether they are pictures at all."""
    claims, name = call.claims, _name(call)
    rotate = call.values["rotate_image"]
    probe: Upload = call.values["user_image"]
    if name == "match":
        outcome: Any = call.compare(probe, call.values["ref_image"], rotate=rotate)
        decodes = outcome.probe.decodes and outcome.reference.decodes
    else:
        outcome = call.world.recognizer.liveness(probe.content, rotate=rotate, digest=probe.digest)
        decodes = outcome.probe.decodes
    call.outcome = outcome
    if not decodes and claims[f"{name}.undecodable"] is not None:
        call.refuse(f"{name}.undecodable")


def _finish(call: DiditCall) -> Response:
    """The verdict; charged whatever it is, and kept if the caller wants that."""
    claims, endpoint, world = call.claims, _endpoint(call), call.world
    request_id = world.account.ids.uuid()
    block = endpoint.judge(call)
    charged = call.ledger.charge(
        claims[f"credit.price.{endpoint.name}"],
        at=call.now,
        what=endpoint.service,
        request_id=request_id,
    )
    if not charged:
        # Another call took the last credit in the meantime.
        _unpaid(call)
    try:
        if call.values["save_api_request"]:
            _keep(call, request_id, block)
        no_pair = endpoint.name == "match" and call.outcome.score is None
        key = f"{endpoint.name}.{'no_pair' if no_pair else 'answer'}"
        return call.answer(key, _envelope(call, request_id, block))
    except BaseException:
        # What is not answered 200 costs nothing and leaves nothing behind.
        world.ledger.take_back(request_id)
        gone = world.sessions.remove(request_id)
        if gone is not None:
            call.records.pictures.forget(gone.id)
        raise


def _envelope(call: DiditCall, request_id: str, block: Block) -> dict[str, Any]:
    claims = call.claims
    body = {"request_id": request_id, _endpoint(call).block: block}
    if claims["answer.echo"]:
        body |= {name: call.values[name] for name in ("vendor_data", "metadata")}
    return {**body, "created_at": stamp(call.now, claims["answer.created_at"])}


def _keep(call: DiditCall, request_id: str, block: Block) -> None:
    endpoint, values = _endpoint(call), call.values
    session = call.world.sessions.add(
        request_id,
        internal_id=call.world.account.ids.uuid(),
        service=endpoint.service,
        status=block["status"],
        created_at=call.now,
        vendor_data=values["vendor_data"],
        metadata=values["metadata"],
        pictures={kept: values[sent].digest for kept, sent in endpoint.pictures.items()},
        result=block,
    )
    call.records.pictures.keep(
        session.id,
        {kept_as(session, kept): values[sent].content for kept, sent in endpoint.pictures.items()},
    )
    webhooks.announce(call.world, session, call.origin)


def _unpaid(call: DiditCall) -> None:
    call.claims.cite(f"credit.price.{_name(call)}")
    call.refuse("credit.refused")


def _endpoint(call: DiditCall) -> Endpoint:
    endpoint: Endpoint = call.route.more  # type: ignore[union-attr]  # there is a route
    return endpoint


def _name(call: DiditCall) -> str:
    return _endpoint(call).name


# The verdicts


def _judge_match(call: DiditCall) -> Block:
    claims, outcome = call.claims, call.outcome
    saved, status, risks = call.values["save_api_request"], APPROVED, []
    if outcome.score is None:
        # Nothing to compare: the pictures decode or not, and somebody is in them or not.
        score = claims["match.no_pair_score"][0 if saved else 1]
        decode = outcome.probe.decodes and outcome.reference.decodes
        risks = [claims["match.no_face_risk"] if decode else "NO_REFERENCE_IMAGE"]
    else:
        score = _shown(claims, outcome.score, 2 if saved else None)
        if outcome.review and claims["match.review"]:
            status = IN_REVIEW
        elif not _passes(call, outcome.score, score, MATCH_THRESHOLD):
            risks = ["LOW_FACE_MATCH_SIMILARITY"]
    return {
        "status": DECLINED if risks else status,
        "score": score,
        "user_image": _seen(call, outcome.probe),
        "ref_image": _seen(call, outcome.reference),
        "warnings": warnings(claims, "FACEMATCH", risks, {}),
    }


def canned_match(claims: Citations) -> Block:
    """The answer's part for a sandbox key, and of a webhook that the console asks for."""
    fixed = claims["match.sandbox"]
    user, reference = (SeenPicture(faces=(SeenFace(box=tuple(box)),)) for box in fixed["boxes"])
    return {
        "status": APPROVED,
        "score": _shown(claims, fixed["score"], 2),
        "user_image": _picture_of(claims, "match", user),
        "ref_image": _picture_of(claims, "match", reference),
        "warnings": [],
    }


def _judge_liveness(call: DiditCall) -> Block:
    claims, outcome = call.claims, call.outcome
    score = quality = luminance = None
    known: Mapping[str, Any] = {}
    risks = ["NO_FACE_DETECTED"]
    if outcome.probe.faces:
        if outcome.score is not None:
            score = _shown(claims, outcome.score, 2)
        quality, luminance = (
            None if value is None else round(float(value), 2)
            for value in (outcome.quality, outcome.luminance)
        )
        known = _known_risks(call)
        risks = [*_liveness_risks(call, score), *known]
    return {
        "status": DECLINED if declines(risks) else APPROVED,
        "method": "PASSIVE",
        "score": score,
        "user_image": _seen(call, outcome.probe),
        "warnings": warnings(claims, "LIVENESS", risks, known),
        "face_quality": quality,
        "face_luminance": luminance,
    }


def _liveness_risks(call: DiditCall, score: float | None) -> list[str]:
    claims, outcome = call.claims, call.outcome
    if score is None:
        claims.cite("liveness.null_score")
    low = score is None or not _passes(call, outcome.score, score, LIVENESS_THRESHOLD)
    risks = {
        "LOW_LIVENESS_SCORE": low,
        "LIVENESS_FACE_ATTACK": outcome.attack,
        "MULTIPLE_FACES_DETECTED": len(outcome.probe.faces) > 1,
    }
    if claims["liveness.quality_risks"]:
        low_quality, dark, bright = claims["liveness.quality_limits"]
        quality, light = outcome.quality, outcome.luminance
        risks |= {
            "LOW_FACE_QUALITY": quality is not None and quality < low_quality,
            "LOW_FACE_LUMINANCE": light is not None and light < dark,
            "HIGH_FACE_LUMINANCE": light is not None and light > bright,
        }
    return [risk for risk, there in risks.items() if there]


def _known_risks(call: DiditCall) -> dict[str, Any]:
    """The risks of a face that is known from elsewhere, each with its additional data: only a test
    says that one is."""
    risks: dict[str, Any] = {}
    for risk, prefix, likeness in (
        ("FACE_IN_BLOCKLIST", "blocklisted", call.outcome.blocklist),
        ("DUPLICATED_FACE", "duplicated", call.outcome.duplicate),
    ):
        if likeness is not None:
            session, number, service = call.claims["liveness.known_from"]
            risks[risk if likeness == "certain" else f"POSSIBLE_{risk}"] = {
                f"{prefix}_session_id": session,
                f"{prefix}_session_number": number,
                "api_service": service,
            }
    return risks


def _canned_liveness(claims: Citations) -> Block:
    fixed = claims["liveness.sandbox"]
    seen = SeenPicture(faces=(SeenFace(box=tuple(fixed["boxes"][0])),))
    return {
        "status": APPROVED,
        "method": "PASSIVE",
        "score": _shown(claims, fixed["score"], 2),
        "user_image": _picture_of(claims, "liveness", seen),
        "warnings": [],
        "face_quality": fixed["quality"],
        "face_luminance": fixed["luminance"],
    }


# The pieces that answers are made of


def _shown(claims: Citations, score: float, places: int | None) -> float:
    """A score as the answer shows it; `places` None for all of them."""
    if claims["score.type"] == "integer":
        return int(score + 0.5)
    return float(score) if places is None else round(float(score), places)


def _passes(call: DiditCall, seen: float, shown: float, threshold: str) -> bool:
    """Whether a score clears the threshold of that name."""
    claims, limit = call.claims, call.values[threshold]
    if seen != shown:
        claims.cite("score.compared")
    inclusive = claims[f"{_name(call)}.boundary"] == "inclusive"
    return bool(shown >= limit if inclusive else shown > limit)


def _seen(call: DiditCall, seen: SeenPicture) -> Block:
    """What was seen in a picture of a call; the angle is told if the call asked to turn it."""
    angle = seen.angle if call.values["rotate_image"] else 0
    return _picture_of(call.claims, _name(call), seen, angle)


def _picture_of(claims: Citations, name: str, seen: SeenPicture, angle: int = 0) -> Block:
    """The faces of one picture and its angle."""
    if not seen.faces:
        return {"entities": [], "best_angle": claims[f"{name}.faceless"]}
    if len(seen.faces) > 1:
        claims.cite("entity.largest_first")
    race = {"race": None} if claims["entity.keys"] == 5 else {}
    entities = [
        {
            # x_min, y_min, x_max, y_max in whole pixels of the processed picture.
            "bbox": list(face.box),
            "confidence": round(face.confidence, 6),
            "age": round(float(face.age), 2),
            "gender": face.gender,
            **race,
        }
        for face in seen.faces
    ]
    return {"entities": entities, "best_angle": angle}


# The routes

MATCH_THRESHOLD = "face_match_score_decline_threshold"
LIVENESS_THRESHOLD = "face_liveness_score_decline_threshold"


def _upload(name: str) -> Given:
    return Given(name=name, kind="file", read=framework.long_text)


def _threshold(name: str) -> Given:
    # 30: of liveness in early 2026 no page states a default.
    return Given(name=name, kind="number", read=framework.threshold, default=30)


_SHARED = (
    Given(name="rotate_image", kind="boolean", read=framework.boolean, default=False),
    Given(name="save_api_request", kind="boolean", read=framework.boolean, default=True),
    Given(name="vendor_data", read=framework.vendor_data),
    Given(name="metadata", kind="object", read=framework.metadata),
)

#: That fields are asked before the sandbox's short cut, and pictures are decoded after credit, is
#: the OpenAPI's; the rest of the order is ours.
CHECKS: Mapping[str, Callable[[DiditCall], None]] = {
    "rate": rate,
    "access": access,
    "method": method_and_media,
    "fields": _fields,
    "sandbox": _sandbox,
    "credit": _credit,
    "picture": _picture,
}


def _route(path: str, endpoint: Endpoint) -> Route:
    return Route(
        pattern=path,
        answers={"POST": _finish},
        checks=CHECKS,
        operation=endpoint.name,
        is_form=True,
        more=endpoint,
    )


ROUTES = (
    _route(
        "/v3/face-match/",
        Endpoint(
            name="match",
            block="face_match",
            service="FACE_MATCH",
            pictures={"source_image": "ref_image", "target_image": "user_image"},
            judge=_judge_match,
            canned=canned_match,
            fields=(
                _upload("user_image"),
                _upload("ref_image"),
                _threshold(MATCH_THRESHOLD),
                *_SHARED,
            ),
        ),
    ),
    _route(
        "/v3/passive-liveness/",
        Endpoint(
            name="liveness",
            block="liveness",
            service="PASSIVE_LIVENESS",
            pictures={"reference_image": "user_image"},
            judge=_judge_liveness,
            canned=_canned_liveness,
            fields=(
                _upload("user_image"),
                _threshold(LIVENESS_THRESHOLD),
                *_SHARED,
            ),
        ),
    ),
)
