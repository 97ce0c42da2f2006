"""Real scores of the backend `local`, opened when first needed."""

from __future__ import annotations

import threading
from typing import Any

import attrs

from facematch_core import FaceVerifier, InvalidImage, open_verifier
from facematch_core.models import Face

from .facts import Facts, make_likely_face
from .outcomes import MatchOutcome, SeenPicture


class LocalEngine:
    """The backend `local` as a judge of pairs. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._verifiers: dict[bool, FaceVerifier] = {}

    def load(self, *, rotate: bool = False) -> FaceVerifier:
        with self._lock:
            if rotate not in self._verifiers:
                self._verifiers[rotate] = open_verifier("local", rotate=rotate)
            return self._verifiers[rotate]

    def close(self) -> None:
        """Close the backend; it opens again when needed."""
        with self._lock:
            verifiers, self._verifiers = self._verifiers, {}
        for verifier in verifiers.values():
            verifier.close()

    def compare(
        self, probe: bytes, reference: bytes, facts: tuple[Facts, Facts], *, rotate: bool
    ) -> MatchOutcome | None:
        """Compare two pictures; None if it cannot decode one. Ages come from the facts."""
        try:
            result = self.load(rotate=rotate).verify(probe, reference)
        except InvalidImage:
            return None
        return MatchOutcome(
            probe=_see_faces(result.probe_faces or (), facts[0]),
            reference=_see_faces(result.reference_faces or (), facts[1]),
            score=None if result.score is None else result.score.value,
            by=result.backend,
        )

    def look(self, picture: bytes, facts: Facts, *, rotate: bool) -> SeenPicture | None:
        match = self.compare(picture, picture, (facts, facts), rotate=rotate)
        return None if match is None else match.probe


def _see_faces(faces: tuple[Face, ...], facts: Facts) -> SeenPicture:
    angle = (faces[0].rotation or 0) if faces else 0
    shown = []
    for number, face in enumerate(faces):
        facts_of_face: dict[str, Any] = {}
        if (box := face.box) is not None:
            edges = (box.left, box.top, box.right, box.bottom)
            facts_of_face["box"] = tuple(round(edge) for edge in edges)
        if face.confidence is not None:
            facts_of_face["confidence"] = round(face.confidence, 6)
        shown.append(attrs.evolve(make_likely_face(facts, number), **facts_of_face))
    return SeenPicture(faces=tuple(shown), angle=angle)
