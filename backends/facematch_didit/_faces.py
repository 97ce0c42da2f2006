"""The faces in Didit's answer: `user_image` and `ref_image`."""

from __future__ import annotations

import math
from typing import Any

from facematch_core import Box, Demographics, Face

from ._reading import a_list, a_number, an_object, number_or_none, text_or_none

#: `best_angle`; null for a face that was looked for in vain.
_ANGLES = (0, 90, 180, 270)


def read_faces(block: dict[str, Any], name: str) -> tuple[Face, ...] | None:
    """The faces that were found in the picture `name`; None if the answer does not tell.

    Boxes are in pixels of the picture as Didit turned and shrunk it, whose size it does not tell.

    Raises:
        ValueError: they are told in an unknown form.
    """
    if block.get(name) is None:
        return None
    told = an_object(block[name], name)
    if told.get("entities") is None:
        return None
    rotation = _rotation(told.get("best_angle"), name)
    return tuple(
        _face(an_object(item, name), rotation, name) for item in a_list(told["entities"], name)
    )


def _rotation(value: object, name: str) -> int | None:
    angle = number_or_none(value, name)
    if angle is None:
        return None
    if angle not in _ANGLES:
        raise ValueError(f"best_angle of {name} is not a quarter turn")
    return int(angle)


def _face(entity: dict[str, Any], rotation: int | None, name: str) -> Face:
    return Face(
        box=_box(entity.get("bbox"), name),
        confidence=number_or_none(entity.get("confidence"), name),
        rotation=rotation,
        demographics=_demographics(entity, name),
    )


def _box(value: object, name: str) -> Box | None:
    if value is None:
        return None
    left, top, right, bottom = (a_number(edge, name) for edge in a_list(value, name))
    return Box(left=left, top=top, right=right, bottom=bottom, unit="px")


def _demographics(entity: dict[str, Any], name: str) -> Demographics | None:
    """Didit's guesses; the verifier drops them unless it was opened to keep them."""
    guesses = Demographics(
        age=_age(entity.get("age"), name),
        gender=text_or_none(entity.get("gender"), name),
        race=text_or_none(entity.get("race"), name),
    )
    return None if guesses == Demographics() else guesses


def _age(value: object, name: str) -> float | None:
    """Years. Early in 2026 a face search told them as text (Didit's skills, read 2026-11-20)."""
    if not isinstance(value, str):
        return number_or_none(value, name)
    try:
        years = float(value)
    except ValueError:
        # It is a guess that decides nothing: an odd form of it is not worth a paid answer.
        return None
    return years if math.isfinite(years) else None
