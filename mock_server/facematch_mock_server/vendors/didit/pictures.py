"""The two calls about pictures: face match and passive liveness.

One way for both: the form, the sandbox's short cut, credit, what is seen in the pictures, the
verdict, the charge, the session. What differs is in an `Endpoint`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from facematch_mock_server.claims import Citations
from facematch_mock_server.http.forms import Form, FormError, TooManyParts, Upload
from facematch_mock_server.journal import described, flat
from facematch_mock_server.messages import Response
from facematch_mock_server.recognition.outcomes import Likeness, SeenFace, SeenPicture
from facematch_mock_server.vendors.base import Refused, Route

from . import framework, webhooks
from .access import DiditCall, access, is_readable, method_and_media, rate
from .framework import Given
from .records import kept_as

#: What the journal may hold as it was sent: no file, and nothing that is nested.
_SHOWN = frozenset({"number", "boolean", "text"})

Block = dict[str, Any]


@attrs.frozen(kw_only=True)
class Endpoint:
    """What sets one of the two calls apart.

    Attributes:
        name: Prefix of its claims, ``match`` say.
        block: The key of its part of the answer.
        judge: Makes the answer's part from what was seen.
        canned: Makes the answer's part for a sandbox key.
        fields: Of its form.
    """

    name: str
    block: str
    judge: Callable[[DiditCall], Block]
    canned: Callable[[Citations], Block]
    fields: tuple[Given, ...]


# The way of a call


def _fields(call: DiditCall) -> None:
    """The form and its fields."""
    claims, fields = call.claims, _endpoint(call).fields
    form = Form()
    if call.request.body and is_readable(call):
        try:
            form = call.read_form()
        except TooManyParts:
            call.refuse("form.too_much")
        except FormError as error:
            call.refuse("form.refused", problem=str(error))
    call.form = form
    if form.problem:
        claims.cite("form.partial")
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
    """The short cut of a sandbox key."""
    if call.is_live:
        return
    claims, endpoint = call.claims, _endpoint(call)
    request_id, block = call.world.account.ids.uuid(), endpoint.canned(claims)
    claims.cite("credit.sandbox", "session.sandbox")
    body = _envelope(call, request_id, block)
    if any(body[name] is not None for name in claims.get("answer.echo")):
        claims.cite("sandbox.echo")
    raise Refused(call.answer(f"{endpoint.name}.answer", body))


def _credit(call: DiditCall) -> None:
    """Whether the call can be paid."""
    if call.is_live and call.ledger.balance < call.claims.get(f"credit.price.{_name(call)}"):
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
    """The verdict; charged, and kept if the caller wants that."""
    claims, endpoint, world = call.claims, _endpoint(call), call.world
    request_id, saved = world.account.ids.uuid(), bool(call.values["save_api_request"])
    block = endpoint.judge(call)
    if block["status"] != claims.get(f"{endpoint.name}.approved"):
        claims.cite("credit.declined")
    elif not saved:
        claims.cite("credit.unsaved")
    charged = call.ledger.charge(
        claims[f"credit.price.{endpoint.name}"],
        at=call.now,
        what=claims.get(f"{endpoint.name}.service"),
        request_id=request_id,
    )
    if not charged:
        # Another call took the last credit in the meantime.
        _unpaid(call)
    try:
        claims.cite("session.saved" if saved else "session.unsaved")
        if saved:
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
    claims, endpoint = call.claims, _endpoint(call)
    stamp = call.now.isoformat(timespec="microseconds")
    return {
        "request_id": request_id,
        endpoint.block: block,
        **{name: call.values.get(name) for name in claims["answer.echo"]},
        "created_at": stamp.replace("+00:00", claims["answer.created_at"]),
    }


def _keep(call: DiditCall, request_id: str, block: Block) -> None:
    claims, name = call.claims, _name(call)
    claims.cite("session.kept")
    pictures: Mapping[str, str] = claims[f"{name}.pictures"]
    session = call.world.sessions.add(
        request_id,
        internal_id=call.world.account.ids.uuid(),
        service=claims[f"{name}.service"],
        status=block["status"],
        created_at=call.now,
        vendor_data=call.values.get("vendor_data"),
        metadata=call.values.get("metadata"),
        pictures={kept: call.values[sent].digest for kept, sent in pictures.items()},
        result=block,
    )
    call.records.pictures.keep(
        session.id,
        {kept_as(session, kept): call.values[sent].content for kept, sent in pictures.items()},
    )
    webhooks.announce(call.world, claims, session, call.origin)


def _unpaid(call: DiditCall) -> None:
    call.claims.cite("credit.start", f"credit.price.{_name(call)}", "credit.last_cent")
    call.claims.cite("credit.other_status")
    call.refuse("credit.refused")


def _endpoint(call: DiditCall) -> Endpoint:
    endpoint: Endpoint = call.route.more  # type: ignore[union-attr]  # there is a route
    return endpoint


def _name(call: DiditCall) -> str:
    return _endpoint(call).name


# The verdicts


def _judge_match(call: DiditCall) -> Block:
    claims, outcome = call.claims, call.outcome
    saved, review = bool(call.values["save_api_request"]), None
    if outcome.score is None:
        # Nothing to compare: the pictures decode or not, and somebody is in them or not.
        undecodable = not (outcome.probe.decodes and outcome.reference.decodes)
        risks = [claims["match.undecodable_risk" if undecodable else "match.no_face_risk"]]
        claims.cite("match.no_pair_alone")
        score = claims["match.no_pair_saved" if saved else "match.no_pair_unsaved"]
    else:
        decimals = "match.decimals_saved" if saved else "match.decimals_unsaved"
        score = _shown(claims, "match", outcome.score, decimals)
        claims.cite("match.compared")
        passed = _passes(claims, "match", score, call.values[MATCH_THRESHOLD])
        if outcome.review:
            review = claims["match.review"]
        risks = [] if passed or review is not None else ["LOW_FACE_MATCH_SIMILARITY"]
    warnings = _warnings(call, risks)
    return {
        "status": _status(call, warnings) if review is None else review,
        "score": score,
        "user_image": _seen(call, outcome.probe),
        "ref_image": _seen(call, outcome.reference),
        "warnings": warnings,
    }


def canned_match(claims: Citations) -> Block:
    fixed = claims["match.sandbox"]
    user, reference = (SeenPicture(faces=(SeenFace(box=tuple(box)),)) for box in fixed["boxes"])
    return {
        "status": claims["match.approved"],
        "score": _shown(claims, "match", fixed["score"], "match.decimals_saved"),
        "user_image": _picture_of(claims, "match", user),
        "ref_image": _picture_of(claims, "match", reference),
        "warnings": [],
    }


def _judge_liveness(call: DiditCall) -> Block:
    claims, outcome = call.claims, call.outcome
    known: Mapping[str, Any] = {}
    if outcome.probe.faces:
        score = outcome.score
        if score is not None:
            score = _shown(claims, "liveness", score, "liveness.decimals")
        quality, luminance = (
            None if value is None else round(float(value), 2)
            for value in (outcome.quality, outcome.luminance)
        )
        known = _known_risks(call)
        risks = [*_liveness_risks(call, score), *known]
    else:
        score = quality = luminance = claims["liveness.no_face_numbers"]
        claims.cite("liveness.no_face_alone")
        risks = ["NO_FACE_DETECTED"]
    warnings = _warnings(call, risks, known)
    claims.cite("liveness.declining")
    return {
        "status": _status(call, warnings),
        "method": claims["liveness.method"],
        "score": score,
        "user_image": _seen(call, outcome.probe),
        "warnings": warnings,
        **dict(zip(claims["liveness.measured"], (quality, luminance), strict=True)),
    }


def _liveness_risks(call: DiditCall, score: float | None) -> list[str]:
    claims, outcome = call.claims, call.outcome
    claims.cite("liveness.null_score" if score is None else "liveness.compared")
    low = score is None or not _passes(claims, "liveness", score, call.values[LIVENESS_THRESHOLD])
    risks = [
        ("LOW_LIVENESS_SCORE", low),
        ("LIVENESS_FACE_ATTACK", outcome.attack),
        ("MULTIPLE_FACES_DETECTED", len(outcome.probe.faces) > 1),
    ]
    if claims["liveness.quality_risks"]:
        quality, light = outcome.quality, outcome.luminance
        risks += [
            ("LOW_FACE_QUALITY", quality is not None and quality < claims["liveness.low_quality"]),
            ("LOW_FACE_LUMINANCE", light is not None and light < claims["liveness.dark"]),
            ("HIGH_FACE_LUMINANCE", light is not None and light > claims["liveness.bright"]),
        ]
    return [risk for risk, there in risks if there]


def _canned_liveness(claims: Citations) -> Block:
    fixed = claims["liveness.sandbox"]
    seen = SeenPicture(faces=(SeenFace(box=tuple(fixed["boxes"][0])),))
    measured = (fixed["quality"], fixed["luminance"])
    return {
        "status": claims["liveness.approved"],
        "method": claims["liveness.method"],
        "score": _shown(claims, "liveness", fixed["score"], "liveness.decimals"),
        "user_image": _picture_of(claims, "liveness", seen),
        "warnings": [],
        **dict(zip(claims["liveness.measured"], measured, strict=True)),
    }


def _status(call: DiditCall, warnings: list[dict[str, Any]]) -> str:
    """The verdict that follows from the warnings as the answer has them."""
    is_declined = any(one["log_type"] == "error" for one in warnings)
    status: str = call.claims[f"{_name(call)}.{'declined' if is_declined else 'approved'}"]
    return status


# The pieces that answers are made of


def _shown(claims: Citations, name: str, score: float, decimals: str) -> float:
    """A score as the answer shows it; `decimals` names the claim that rounds it."""
    if claims[f"{name}.score_type"] == "integer":
        return int(score + 0.5)
    places: int | None = claims[decimals]
    return float(score) if places is None else round(float(score), places)


def _passes(claims: Citations, name: str, score: float, threshold: float) -> bool:
    """Whether a score clears the threshold."""
    inclusive = claims[f"{name}.boundary"] == "inclusive"
    return score >= threshold if inclusive else score > threshold


def _seen(call: DiditCall, seen: SeenPicture) -> Block:
    """What was seen in a picture of a call."""
    return _picture_of(call.claims, _name(call), seen, rotate=call.values["rotate_image"])


def _picture_of(claims: Citations, name: str, seen: SeenPicture, *, rotate: bool = False) -> Block:
    """The faces of one picture and its angle."""
    if not seen.faces:
        entities, angle = claims[f"{name}.faceless_entities"], claims[f"{name}.faceless_angle"]
        return {"entities": list(entities), "best_angle": angle}
    if len(seen.faces) > 1:
        claims.cite("entity.largest_first", "entity.all")
    angle = seen.angle
    if angle and not rotate:
        claims.cite("angle.asked")
        angle = 0
    wanted, entities = claims["entity.keys"], []
    claims.cite("entity.box")
    if "race" in wanted:
        claims.cite("entity.race")
    for face in seen.faces:
        known = {
            "bbox": list(face.box),
            "confidence": round(face.confidence, 6),
            "age": round(float(face.age), 2),
            "gender": face.gender,
            "race": None,
        }
        entities.append({key: known[key] for key in wanted})
    return {"entities": entities, "best_angle": angle}


def _warnings(
    call: DiditCall, risks: Iterable[str], data: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The warnings for these risks, in their order; `data` has the additional data of some."""
    claims, name, found = call.claims, _name(call), []
    for risk in risks:
        keys: tuple[str, ...] = claims["warning.keys"]
        more = (data or {}).get(risk)
        if more is None and "additional_data" in keys:
            more = claims["warning.additional_data"]
        known = {
            "risk": risk,
            "feature": claims[f"{name}.feature"] if "feature" in keys else None,
            "additional_data": more,
            "log_type": claims[f"{name}.risk.{risk}.type"],
            "short_description": claims[f"{name}.risk.{risk}.short"],
            "long_description": claims[f"{name}.risk.{risk}.long"],
        }
        found.append({key: known[key] for key in keys})
    return found


def _known_risks(call: DiditCall) -> dict[str, Any]:
    """The risks of a face that is known from elsewhere, each with its additional data: only a test
    says that one is."""
    claims, outcome = call.claims, call.outcome
    risks: dict[str, Any] = {}
    for names, known, keys in (
        (_BLOCKED, outcome.blocklist, "liveness.blocklist_data"),
        (_DUPLICATE, outcome.duplicate, "liveness.duplicate_data"),
    ):
        if known is not None:
            session = claims["liveness.known_from"]
            risks[names[known]] = dict(zip(claims[keys], session, strict=True))
    return risks


_BLOCKED: Mapping[Likeness, str] = {
    "certain": "FACE_IN_BLOCKLIST",
    "possible": "POSSIBLE_FACE_IN_BLOCKLIST",
}
_DUPLICATE: Mapping[Likeness, str] = {
    "certain": "DUPLICATED_FACE",
    "possible": "POSSIBLE_DUPLICATED_FACE",
}


# The routes

MATCH_THRESHOLD = "face_match_score_decline_threshold"
LIVENESS_THRESHOLD = "face_liveness_score_decline_threshold"


def _upload(name: str) -> Given:
    return Given(name=name, kind="file", read=framework.long_text)


def _threshold(name: str, default: str) -> Given:
    return Given(name=name, kind="number", read=framework.threshold, default=default)


_SHARED = (
    Given(name="rotate_image", kind="boolean", read=framework.boolean, default="rotate.default"),
    Given(name="save_api_request", kind="boolean", read=framework.boolean, default="save.default"),
    Given(name="vendor_data", read=framework.vendor_data),
    Given(name="metadata", kind="object", read=framework.metadata),
)

#: By the claim that states the place of each; in this order unless credit goes first.
CHECKS: Mapping[str, Callable[[DiditCall], None]] = {
    "order.rate": rate,
    "order.access": access,
    "order.method": method_and_media,
    "order.fields": _fields,
    "order.sandbox": _sandbox,
    "order.credit": _credit,
    "order.picture": _picture,
}
_CREDIT_FIRST = (
    *("order.rate", "order.access", "order.method", "order.credit", "order.fields"),
    *("order.sandbox", "order.picture"),
)
CHECKS_CREDIT_FIRST = {key: CHECKS[key] for key in _CREDIT_FIRST}


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
            judge=_judge_match,
            canned=canned_match,
            fields=(
                _upload("user_image"),
                _upload("ref_image"),
                _threshold(MATCH_THRESHOLD, "match.threshold"),
                *_SHARED,
            ),
        ),
    ),
    _route(
        "/v3/passive-liveness/",
        Endpoint(
            name="liveness",
            block="liveness",
            judge=_judge_liveness,
            canned=_canned_liveness,
            fields=(
                _upload("user_image"),
                _threshold(LIVENESS_THRESHOLD, "liveness.threshold"),
                *_SHARED,
            ),
        ),
    ),
)
