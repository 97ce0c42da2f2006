"""What Didit saw in the pictures of a chain, read from its answers: pure.

It decides freely who is alike, how live somebody is, how old; the model must take that from it to
be asked about the rest. What the pictures were made to be (no face, two faces, no picture) it does
not decide, nor that one pair of pictures has one score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

import attrs

from facematch_mock_server.drift._script import Heard, Outcome, Picture, Step
from facematch_mock_server.drift._talking import part_of
from facematch_mock_server.outcomes import (
    Likeness,
    LivenessOutcome,
    MatchOutcome,
    SeenFace,
    SeenPicture,
)

from ._asking import AGE, LIVENESS, MATCH, SEARCH

#: Where faces are does not matter to the model, but that one lies deep in a high picture does.
_BOXES = ((40, 40, 400, 440), (60, 700, 360, 1100))
_FURTHER = (60, 1120, 160, 1240)
_FACE, _SMALLER = (SeenFace(box=box) for box in _BOXES)
#: How many faces a picture was made to have; one if it is not named.
_FACES = {Picture.BLANK: (), Picture.NOISE: (), Picture.TWO: (_FACE, _SMALLER)}
#: Added to a score that was told rounded: it must not change what rounding makes of it.
_REST = 0.0012345
#: Added where all scores are whole, as they would hardly be by chance.
_WHOLE_REST = 0.12345
_SCORE, _LIVENESS_SCORE, _QUALITY, _LUMINANCE = 87.3612345, 92.1212345, 71.8, 46.02
#: What measures must have been if a warning says so and no number does.
_BAD, _LIGHTS = 10.0, {"LOW_FACE_LUMINANCE": 10.0, "HIGH_FACE_LUMINANCE": 95.0}
_RISKS: Mapping[str, tuple[str, Likeness]] = {
    "FACE_IN_BLOCKLIST": ("blocklist", "certain"),
    "POSSIBLE_FACE_IN_BLOCKLIST": ("blocklist", "possible"),
    "DUPLICATED_FACE": ("duplicate", "certain"),
    "POSSIBLE_DUPLICATED_FACE": ("duplicate", "possible"),
}


def seen(heard: Sequence[Heard]) -> Mapping[str, Outcome]:
    """What was seen, by the name of each step that sends pictures."""
    known = _Known(heard)
    return {
        one.step.name: _OUTCOMES[one.step.path](one, known)
        for one in heard
        if one.step.path in _OUTCOMES and one.step.files
    }


class _Known:
    """What a chain tells of a picture, wherever it tells it."""

    def __init__(self, heard: Sequence[Heard]) -> None:
        bodies = (one.body for one in heard if one.step.keeps and one.body is not None)
        ids = (body.get("request_id") for body in bodies)
        self.sessions = {one for one in ids if isinstance(one, str)}
        self.faces: dict[tuple[Picture, bool], tuple[SeenFace, ...]] = {}
        self.angles: dict[Picture, int] = {}
        self.raw: dict[tuple[Any, ...], float] = {}
        self.is_whole: dict[str, bool] = {}
        scores: dict[str, list[tuple[float, bool]]] = {}
        for one in heard:
            part = part_of(one.body)
            if part is None:
                continue
            for field, picture in pictures(one.step):
                self._look(picture, one.rotate, part.get(field), part)
            score = _score(part)
            if score is not None and 0 < score < 100:
                kept = one.step.keeps is not None
                scores.setdefault(one.step.path, []).append((score, kept))
                if not kept and one.step.path == MATCH:
                    self.raw.setdefault(subject(one), score)
        for path, several in scores.items():
            whole = all(score == int(score) for score, _ in several)
            exact = path == MATCH and any(not kept for _, kept in several)
            self.is_whole[path] = whole and (exact or len({score for score, _ in several}) > 1)

    def _look(self, picture: Picture, rotate: bool, told: Any, part: Mapping[str, Any]) -> None:
        told = told if isinstance(told, dict) else {}
        faces = tuple(_faces(told.get("entities")))
        if picture is Picture.TWO and len(faces) < len(_FACES[picture]):
            several = any(risk == "MULTIPLE_FACES_DETECTED" for risk, _ in _warnings(part))
            faces = _FACES[picture] if several else faces
        known = self.faces.setdefault((picture, rotate), faces)
        if len(faces) > len(known):
            self.faces[picture, rotate] = faces
        angle = told.get("best_angle")
        if angle in (90, 180, 270) and type(angle) is int:
            self.angles[picture] = angle

    def picture(self, picture: Picture, heard: Heard, field: str) -> SeenPicture:
        faces = self.faces.get((picture, heard.rotate))
        if faces is None:
            faces = _FACES.get(picture, (_FACE,))
        part = part_of(heard.body)
        told = None if part is None else part.get(field)
        if isinstance(told, dict) and not told.get("entities") and _is_faceless(part or {}):
            faces = ()
        if heard.step.path == SEARCH and heard.status == 400 and "error" in (heard.body or {}):
            # A search tells in this way that it found no face.
            faces = ()
        angle = self.angles.get(picture, 0) if faces else 0
        return SeenPicture(decodes=picture is not Picture.NOISE, faces=faces, angle=angle)

    def score(self, heard: Heard, default: float) -> float | None:
        """With all its digits, as far as they are known."""
        part = part_of(heard.body)
        raw = self.raw.get(subject(heard))
        if part is None:
            return default if raw is None else raw
        told = _score(part)
        if told is None:
            return None
        if told in (0, 100) or told != round(told, 2):
            return told
        if raw is not None and round(raw, 2) == told and raw != told:
            return raw
        return told + (_WHOLE_REST if self.is_whole.get(heard.step.path) else _REST)


def pictures(step: Step) -> Iterator[tuple[str, Picture]]:
    """What a step sends as which field."""
    return ((file.field, file.picture) for file in step.files)


def subject(heard: Heard) -> tuple[Any, ...]:
    """What has one score: the pictures, and whether they were turned."""
    return heard.step.path, heard.rotate, tuple(pictures(heard.step))


def _match(heard: Heard, known: _Known) -> MatchOutcome:
    sent = dict(pictures(heard.step))
    probe, reference = (
        (known.picture(sent[field], heard, field) for field in ("user_image", "ref_image"))
        if len(sent) == 2
        else (SeenPicture(faces=(_FACE,)), SeenPicture(faces=(_FACE,)))
    )
    score = known.score(heard, _SCORE)
    if not (probe.faces and reference.faces):
        score = None
    elif score is None:
        # With two faces there is a score, and one that is null is something that was not expected.
        score = known.raw.get(subject(heard), _SCORE)
    return MatchOutcome(
        probe=probe, reference=reference, score=score, review=_in_review(heard.body)
    )


def _of_one(heard: Heard, known: _Known) -> LivenessOutcome:
    part = part_of(heard.body) or {}
    sent = dict(pictures(heard.step))
    picture = known.picture(sent.get("user_image", Picture.PROBE), heard, "user_image")
    age = part.get("age_estimation")
    if picture.faces and _is_number(age):
        first = attrs.evolve(picture.faces[0], age=float(age))
        picture = attrs.evolve(picture, faces=(first, *picture.faces[1:]))
    facts: dict[str, Any] = {
        "attack": False,
        **dict.fromkeys(("blocklist", "duplicate")),
    }
    for risk, data in _warnings(part):
        if risk == "LIVENESS_FACE_ATTACK":
            facts["attack"] = True
        if risk in _RISKS and not _is_own(data, known.sessions):
            name, likeness = _RISKS[risk]
            facts[name] = likeness
    quality, luminance = _QUALITY, _LUMINANCE
    for risk, _ in _warnings(part):
        quality = _BAD if risk == "LOW_FACE_QUALITY" else quality
        luminance = _LIGHTS.get(risk, luminance)
    return LivenessOutcome(
        probe=picture,
        score=known.score(heard, _LIVENESS_SCORE) if picture.faces else None,
        quality=_measured(part, "face_quality", quality) if picture.faces else None,
        luminance=_measured(part, "face_luminance", luminance) if picture.faces else None,
        age_known="age_estimation" not in part or age is not None,
        review=_in_review(heard.body),
        **facts,
    )


_OUTCOMES: Mapping[str, Callable[[Heard, _Known], Outcome]] = {
    MATCH: _match,
    LIVENESS: _of_one,
    AGE: _of_one,
    SEARCH: _of_one,
}


def _in_review(body: Any) -> bool:
    part = part_of(body)
    return part is not None and part.get("status") == "In Review"


def _is_own(data: Any, sessions: set[Any]) -> bool:
    return isinstance(data, dict) and any(
        isinstance(one, str) and one in sessions for one in data.values()
    )


def _is_faceless(part: Mapping[str, Any]) -> bool:
    """Whether an answer says that there is no face, in any of its ways."""
    risks = {risk for risk, _ in _warnings(part)}
    return not part.get("score") or bool(risks & {"NO_FACE_DETECTED", "NO_REFERENCE_IMAGE"})


def _warnings(part: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    warnings = part.get("warnings")
    for one in warnings if isinstance(warnings, list) else ():
        if isinstance(one, dict) and isinstance(one.get("risk"), str):
            yield one["risk"], one.get("additional_data")


def _score(part: Mapping[str, Any]) -> float | None:
    score = part.get("score")
    return float(score) if _is_number(score) and 0 <= score <= 100 else None


def _measured(part: Mapping[str, Any], name: str, default: float) -> float | None:
    value = part.get(name, default)
    return float(value) if _is_number(value) else None


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _faces(entities: Any) -> Iterator[SeenFace]:
    found = [one for one in (entities if isinstance(entities, list) else ()) if one]
    for number, entity in enumerate(found):
        told = entity if isinstance(entity, dict) else {}
        confidence, age, gender = (told.get(name) for name in ("confidence", "age", "gender"))
        yield SeenFace(
            box=_BOXES[number] if number < len(_BOXES) else _FURTHER,
            confidence=float(confidence) if _is_number(confidence) else _FACE.confidence,
            age=float(age) if _is_number(age) else _FACE.age,
            gender=gender if gender in ("male", "female") else _FACE.gender,
        )
