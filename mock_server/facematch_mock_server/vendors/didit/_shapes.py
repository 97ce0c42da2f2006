"""The pieces that Didit's answers are made of: pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from facematch_mock_server.claims import Told
from facematch_mock_server.outcomes import SeenFace, SeenPicture


def created_at(told: Told, now: dt.datetime) -> str:
    """The time of an answer."""
    text = now.isoformat(timespec="microseconds")
    return text.replace("+00:00", told["answer.created_at"])


def stamp(told: Told, at: dt.datetime) -> str:
    """The time of a session or a review."""
    return at.isoformat(timespec="microseconds").replace("+00:00", told["session.created_at"])


def entity(told: Told, face: SeenFace, keys: str = "entity.keys") -> dict[str, Any]:
    """One detected face; `keys` names the behaviour with its keys."""
    wanted = told[keys]
    known = {
        "bbox": [face.box[edge] for edge in told["entity.box"]],
        "confidence": round(face.confidence, 6),
        "age": round(float(face.age), 2),
        "gender": face.gender,
    }
    if "race" in wanted:
        known["race"] = told["entity.race"]
    return {key: known[key] for key in wanted}


def picture(
    told: Told, endpoint: str, seen: SeenPicture, *, rotate: bool, keys: str = "entity.keys"
) -> dict[str, Any]:
    """The faces of one picture and its angle; `keys` is for `entity`."""
    if not seen.faces:
        return {
            "entities": told[f"{endpoint}.faceless_entities"],
            "best_angle": told[f"{endpoint}.faceless_angle"],
        }
    faces = seen.faces
    if len(faces) > 1:
        if not told["entity.largest_first"]:
            faces = faces[::-1]
        if not told["entity.all"]:
            faces = faces[:1]
    angle = seen.angle
    if angle and not rotate and told["angle.asked"]:
        angle = 0
    return {"entities": [entity(told, face, keys) for face in faces], "best_angle": angle}


def warnings(
    told: Told, endpoint: str, risks: Iterable[str], also: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The warnings for these risks, in their order; `also` has the additional data of some."""
    return [_warning(told, endpoint, risk, (also or {}).get(risk)) for risk in risks]


def _warning(told: Told, endpoint: str, risk: str, also: Any) -> dict[str, Any]:
    keys: tuple[str, ...] = told["warning.keys"]
    if also is None and "additional_data" in keys:
        also = told["warning.additional_data"]
    known = {
        "risk": risk,
        "feature": told[f"{endpoint}.feature"] if "feature" in keys else None,
        "additional_data": also,
        "log_type": told[f"{endpoint}.risk.{risk}.type"],
        "short_description": told[f"{endpoint}.risk.{risk}.short"],
        "long_description": told[f"{endpoint}.risk.{risk}.long"],
    }
    return {key: known[key] for key in keys}


def shown(told: Told, endpoint: str, score: float, decimals: str) -> float:
    """A score as the answer shows it; `decimals` names the behaviour that rounds it."""
    if told[f"{endpoint}.score_type"] == "integer":
        return int(score + 0.5)
    places: int | None = told[decimals]
    return float(score) if places is None else round(float(score), places)


def passes(told: Told, endpoint: str, score: float, threshold: float) -> bool:
    """Whether a score clears the threshold."""
    if told[f"{endpoint}.boundary"] == "inclusive":
        return score >= threshold
    return score > threshold
