"""The two calls about pictures: face match and passive liveness.

One way for both: the form, the sandbox's short cut, credit, what is seen in the pictures, the
verdict, the charge, the session. What differs is in an `Endpoint`.

Sources of what has no choice: Didit API reference, Face Match, June 2026; Didit OpenAPI,
2026-07-18; of passive liveness also Didit's skill page, early 2026.
"""

from __future__ import annotations

import functools
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
from .records import APPROVED, DECLINED, IN_REVIEW, stamp
from .risks import declines, warnings

Block = dict[str, Any]

_THRESHOLD = "face_{}_score_decline_threshold"


@attrs.frozen(kw_only=True)
class Endpoint:
    """What sets one of the two calls apart."""

    #: Prefix of its claims, ``match`` say.
    name: str
    #: The key of its part of the answer.
    block: str
    #: Of its sessions.
    service: str
    #: The fields of its pictures, by the names under which they are kept.
    pictures: Mapping[str, str]
    #: Makes the answer's part from what was seen, and for a sandbox key.
    judge: Callable[[DiditCall], Block]
    canned: Callable[[Citations], Block]
    fields: tuple[Given, ...]


# The way of a call


def _fields(call: DiditCall) -> None:
    """The form and its fields."""
    endpoint = _endpoint(call)
    if call.claims.get("order.credit") == "before_fields":
        _credit(call)
    form = Form()
    if call.request.body:
        try:
            form = call.read_form()
        except TooManyParts:
            call.refuse("form.too_much")
        except FormError as error:
            call.refuse("form.refused", problem=str(error))
    if form.problem:
        call.note = f"form: {form.problem}"
    sent = ((name, many[-1]) for name, many in form.fields.items())
    call.shown = described(sent, call.route.shown if call.route else ())
    call.values, errors = framework.read_form_fields(call.claims, endpoint.fields, form)
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
    price = call.claims.get(f"credit.price.{_endpoint(call).name}")
    if call.is_live and call.ledger.balance < price:
        call.claims.cite("order.credit")
        _unpaid(call)


def _picture(call: DiditCall) -> None:
    """What is seen in the pictures, and whether they are pictures at all."""
    name, rotate = _endpoint(call).name, call.values["rotate_image"]
    probe: Upload = call.values["user_image"]
    if name == "match":
        seen = call.compare(probe, call.values["ref_image"], rotate=rotate)
        decodes = seen.probe.decodes and seen.reference.decodes
    else:
        decodes = call.check_liveness(probe, rotate=rotate).probe.decodes
    if not decodes and call.claims[f"{name}.undecodable"] is not None:
        call.refuse(f"{name}.undecodable")


def _finish(call: DiditCall) -> Response:
    """The verdict; charged whatever it is, and kept if the caller wants that."""
    claims, endpoint, world = call.claims, _endpoint(call), call.world
    request_id = world.account.ids.uuid()
    block = endpoint.judge(call)
    price, what = claims[f"credit.price.{endpoint.name}"], endpoint.service
    if not call.ledger.charge(price, at=call.now, what=what, request_id=request_id):
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
        if world.sessions.remove(request_id) is not None:
            world.account.shared.kept.forget(world.account, request_id)
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
    account = call.world.account
    account.shared.kept.keep(
        account,
        session.id,
        {str(values[sent].digest): values[sent].content for sent in endpoint.pictures.values()},
    )
    webhooks.announce(call.world, session, call.request)


def _unpaid(call: DiditCall) -> None:
    call.claims.cite(f"credit.price.{_endpoint(call).name}")
    call.refuse("credit.refused")


def _endpoint(call: DiditCall) -> Endpoint:
    endpoint: Endpoint = call.route.more  # type: ignore[union-attr]  # there is a route
    return endpoint


# The verdicts


def _judge_match(call: DiditCall) -> Block:
    claims, outcome = call.claims, call.outcome
    saved, rotate = call.values["save_api_request"], call.values["rotate_image"]
    status, risks = APPROVED, []
    if outcome.score is None:
        # Nothing to compare: the pictures decode or not, and somebody is in them or not.
        score = claims["match.no_pair_score"][0 if saved else 1]
        decode = outcome.probe.decodes and outcome.reference.decodes
        risks = [claims["match.no_face_risk"] if decode else "NO_REFERENCE_IMAGE"]
    else:
        score = _shown(claims, outcome.score, 2 if saved else None)
        if outcome.review and claims["match.review"]:
            status = IN_REVIEW
        elif not _passes(call, "match", outcome.score, score):
            risks = ["LOW_FACE_MATCH_SIMILARITY"]
    return {
        "status": DECLINED if risks else status,
        "score": score,
        "user_image": _picture_of(claims, "match", outcome.probe, rotate=rotate),
        "ref_image": _picture_of(claims, "match", outcome.reference, rotate=rotate),
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
        measured = outcome.quality, outcome.luminance
        quality, luminance = (None if one is None else round(float(one), 2) for one in measured)
        known = _known_risks(call)
        risks = [*_liveness_risks(call, score), *known]
    return {
        "status": DECLINED if declines(risks) else APPROVED,
        "method": "PASSIVE",
        "score": score,
        "user_image": _picture_of(
            claims, "liveness", outcome.probe, rotate=call.values["rotate_image"]
        ),
        "warnings": warnings(claims, "LIVENESS", risks, known),
        "face_quality": quality,
        "face_luminance": luminance,
    }


def _liveness_risks(call: DiditCall, score: float | None) -> list[str]:
    claims, outcome = call.claims, call.outcome
    if score is None:
        claims.cite("liveness.null_score")
    low = score is None or not _passes(call, "liveness", outcome.score, score)
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


def _passes(call: DiditCall, name: str, seen: float, shown: float) -> bool:
    """Whether a score clears the threshold of the call."""
    claims, limit = call.claims, call.values[_THRESHOLD.format(name)]
    if seen != shown:
        claims.cite("score.compared")
    inclusive = claims[f"{name}.boundary"] == "inclusive"
    return bool(shown >= limit if inclusive else shown > limit)


def _picture_of(claims: Citations, name: str, seen: SeenPicture, *, rotate: bool = False) -> Block:
    """The faces of one picture and its angle, which is there if the call asked to turn it."""
    if not seen.faces:
        return {"entities": [], "best_angle": claims[f"{name}.faceless"]}
    if len(seen.faces) > 1:
        claims.cite("entity.largest_first")
    return _faces_of(seen, claims["entity.keys"] == 5, rotate)


# One object for all answers and sessions with that picture, which nobody changes: each session
# that keeps its own is looked through by every collection of garbage.
@functools.lru_cache(maxsize=2000)
def _faces_of(seen: SeenPicture, has_race: bool, rotate: bool) -> Block:
    race = {"race": None} if has_race else {}
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
    return {"entities": entities, "best_angle": seen.angle if rotate else 0}


# The routes


def _upload(name: str) -> Given:
    return Given(name=name, kind="file", required=True, read=framework.file)


def _threshold(name: str) -> Given:
    # 30: of liveness in early 2026 no page states a default.
    given = _THRESHOLD.format(name)
    return Given(name=given, kind="number", read=framework.threshold, default=30)


_SHARED = (
    Given(name="rotate_image", kind="boolean", read=framework.boolean, default=False),
    Given(name="save_api_request", kind="boolean", read=framework.boolean, default=True),
    Given(name="vendor_data", read=framework.vendor_data),
    Given(name="metadata", kind="object", read=framework.metadata),
)


def _route(path: str, endpoint: Endpoint) -> Route:
    return Route(
        pattern=path,
        answers={"POST": _finish},
        # That fields are asked before the sandbox's short cut, and pictures are decoded after
        # credit, is the OpenAPI's; the rest of the order is ours.
        checks={
            "rate": rate,
            "access": access,
            "method": method_and_media,
            "fields": _fields,
            "sandbox": _sandbox,
            "credit": _credit,
            "picture": _picture,
        },
        operation=endpoint.name,
        is_form=True,
        # As it was sent: no file, and nothing that is nested.
        shown=tuple(
            field.name for field in endpoint.fields if field.kind not in ("file", "object")
        ),
        fields=tuple(field.name for field in endpoint.fields if field.kind != "file"),
        more=endpoint,
    )


_MATCH = Endpoint(
    name="match",
    block="face_match",
    service="FACE_MATCH",
    pictures={"source_image": "ref_image", "target_image": "user_image"},
    judge=_judge_match,
    canned=canned_match,
    fields=(_upload("user_image"), _upload("ref_image"), _threshold("match"), *_SHARED),
)
_LIVENESS = Endpoint(
    name="liveness",
    block="liveness",
    service="PASSIVE_LIVENESS",
    pictures={"reference_image": "user_image"},
    judge=_judge_liveness,
    canned=_canned_liveness,
    fields=(_upload("user_image"), _threshold("liveness"), *_SHARED),
)

ROUTES = (_route("/v3/face-match/", _MATCH), _route("/v3/passive-liveness/", _LIVENESS))
