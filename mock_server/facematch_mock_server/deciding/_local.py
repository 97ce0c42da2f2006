"""Real scores: the backend local, opened when it is first needed."""

from __future__ import annotations

import math
import threading
from typing import Any

import attrs

from facematch_core import Face, FaceVerifier, InvalidImage, open_verifier
from facematch_mock_server.outcomes import MatchOutcome, SeenFace, SeenPicture

from ._facts import Facts
from ._seeing import likely_face


class LocalEngine:
    """The backend local as a judge of pairs. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._verifier: FaceVerifier | None = None

    def load(self) -> FaceVerifier:
        """Open it, unless it is open.

        Raises:
            BackendNotFound, BackendUnusable, ConfigurationError: it cannot be used here.
        """
        with self._lock:
            if self._verifier is None:
                self._verifier = open_verifier("local")
            return self._verifier

    def close(self) -> None:
        """Give back what it holds; it opens again when it is needed."""
        with self._lock:
            verifier, self._verifier = self._verifier, None
        if verifier is not None:
            verifier.close()

    def compare(
        self, probe: bytes, reference: bytes, facts: tuple[Facts, Facts], *, rotate: bool
    ) -> MatchOutcome | None:
        """What it finds; None if it cannot decode a picture.

        Args:
            facts: Of the probe and of the reference, for ages and genders: it tells none.
        """
        try:
            result = self.load().verify(probe, reference, rotate=rotate)
        except InvalidImage:
            return None
        return MatchOutcome(
            probe=_seen(result.probe_faces or (), facts[0]),
            reference=_seen(result.reference_faces or (), facts[1]),
            score=None if result.score is None else result.score.value,
            by="local",
        )

    def look(self, picture: bytes, facts: Facts, *, rotate: bool) -> SeenPicture | None:
        """The faces of one picture; None if it cannot decode it.

        Args:
            facts: Of the picture, for ages and genders.
        """
        found = self.compare(picture, picture, (facts, facts), rotate=rotate)
        return None if found is None else found.probe

    def embedding(self, picture: bytes, *, rotate: bool) -> Any:
        """The embedding of the largest face, a row of numbers; None without a face.

        None as well if the picture cannot be decoded. It is biometric data: it stays in memory.
        """
        try:
            row = self._backend.embeddings([picture], rotate=rotate)[0]
        except InvalidImage:
            return None
        # A sum is not a number as soon as one of its parts is none.
        return None if math.isnan(row.sum()) else row

    def scores(self, probes: Any, references: Any) -> Any:
        """The score of every probe with every reference, 0-100, by one matrix product."""
        return self._backend.scores(probes, references)

    @property
    def _backend(self) -> Any:
        # By name: the mock imports no backend, so it knows no class of theirs.
        return self.load().backend


def _seen(faces: tuple[Face, ...], facts: Facts) -> SeenPicture:
    angle = (faces[0].rotation or 0) if faces else 0
    return SeenPicture(
        faces=tuple(_face(face, facts, number) for number, face in enumerate(faces)), angle=angle
    )


def _face(face: Face, facts: Facts, number: int) -> SeenFace:
    likely = likely_face(facts, number)
    if face.box is not None:
        edges = (face.box.left, face.box.top, face.box.right, face.box.bottom)
        left, top, right, bottom = (round(edge) for edge in edges)
        likely = attrs.evolve(likely, box=(left, top, right, bottom))
    if face.confidence is not None:
        # dlib's detection score has no upper end; the vendors' confidence ends at 1.
        score = max(0.0, face.confidence)
        likely = attrs.evolve(likely, confidence=round(score / (1 + score), 6))
    return likely
