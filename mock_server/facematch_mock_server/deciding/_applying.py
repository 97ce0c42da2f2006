"""Laying an outcome that a test set over the one that the pictures give: pure."""

from __future__ import annotations

from typing import Any

import attrs

from facematch_mock_server.outcomes import LivenessOutcome, MatchOutcome, SeenPicture

from ._facts import Facts
from ._outcomes import UNSET, SetOutcome
from ._seeing import likely_face, likely_liveness


def applied_to_match(
    wanted: SetOutcome, found: MatchOutcome, probe: Facts, reference: Facts
) -> MatchOutcome:
    """What the test wants of a comparison.

    A score brings a face into a picture without one; a score of None takes the face away from the
    picture that the outcome is for, or from the reference.
    """
    changes: dict[str, Any] = {"by": "control"}
    if wanted.review is not None:
        changes["review"] = wanted.review
    if wanted.score is None:
        changes["score"] = None
        side = "probe" if probe.digest in wanted.digests else "reference"
        changes[side] = attrs.evolve(getattr(found, side), faces=(), angle=0)
    elif wanted.score is not UNSET:
        changes["score"] = float(wanted.score)
        changes["probe"] = with_faces(found.probe, probe, max(1, len(found.probe.faces)))
        faces = max(1, len(found.reference.faces))
        changes["reference"] = with_faces(found.reference, reference, faces)
    return attrs.evolve(found, **changes)


def applied_to_liveness(
    wanted: SetOutcome, found: LivenessOutcome, probe: Facts
) -> LivenessOutcome:
    """What the test wants of a liveness check; a face is brought in where one is needed."""
    count = len(found.probe.faces) if wanted.faces is None else wanted.faces
    if wanted.needs_a_face:
        count = max(1, count)
    picture = with_faces(found.probe, probe, count)
    if bool(picture.faces) != bool(found.probe.faces):
        found = attrs.evolve(likely_liveness(probe, picture), review=found.review)
    changes: dict[str, Any] = {"by": "control", "probe": picture}
    if wanted.score is None:
        changes["score"] = None
    elif wanted.score is not UNSET:
        changes["score"] = float(wanted.score)
    if wanted.age is None:
        changes["age_known"] = False
    elif wanted.age is not UNSET:
        first = attrs.evolve(picture.faces[0], age=float(wanted.age))
        changes["probe"] = attrs.evolve(picture, faces=(first, *picture.faces[1:]))
    for name in ("attack", "quality", "luminance", "blocklist", "duplicate", "review"):
        value = getattr(wanted, name)
        if value is not None:
            changes[name] = value
    return attrs.evolve(found, **changes)


def with_faces(picture: SeenPicture, facts: Facts, count: int) -> SeenPicture:
    """The picture with so many faces: its own, then likely ones. It decodes if it has any."""
    if count == len(picture.faces):
        return picture
    more = (likely_face(facts, number) for number in range(len(picture.faces), count))
    faces = (*picture.faces[:count], *more)
    angle = picture.angle if faces else 0
    return attrs.evolve(picture, decodes=picture.decodes or bool(faces), faces=faces, angle=angle)
