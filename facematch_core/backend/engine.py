"""The base class of engines on this machine, for authors of plug-ins."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from facematch_core import models
from facematch_core.models import Billing, Charged, MatchResult

from .base import MULTIPLE_FACES, NO_FACE, Backend, decide_by_threshold
from .requests import MatchRequest

__all__ = ["Compared", "EngineBackend"]


@attrs.frozen(kw_only=True)
class Compared:
    """An engine's output for two pictures.

    Attributes:
        score: The similarity of the largest face of each picture, 0-100; None if they could not be
            compared.
        raw_score, raw_name: The engine's own score (for example a distance) and its name.
        probe_faces, reference_faces: The faces in each picture; None if unknown. If either is empty
            (no face was found), the score is dropped and a warning is added.
        warnings: The engine's own warnings. NO_FACE and MULTIPLE_FACES are added automatically.
        model: Name and version of the model.
        raw: Other output, as JSON.
    """

    score: float | None
    raw_score: float | None = None
    raw_name: str | None = None
    probe_faces: Sequence[models.Face] | None = None
    reference_faces: Sequence[models.Face] | None = None
    warnings: Sequence[models.ResultWarning] = ()
    model: str | None = None
    raw: Mapping[str, Any] = attrs.field(factory=dict)


class EngineBackend(Backend):
    """An engine on this machine: nothing is sent, and nothing is charged.

    Implement `compare`, and declare at least `score_scale` and `default_threshold`.
    """

    @property
    def environment(self) -> models.Environment:
        """Always LOCAL."""
        return models.Environment.LOCAL

    @abc.abstractmethod
    def compare(self, request: MatchRequest) -> Compared:
        """Compare the faces of `request.probe` and `request.reference`.

        Raises:
            InvalidImage: a picture cannot be read. Any other exception is treated as a bug in the
                engine, and becomes a `BackendUnavailable` that names the file and line.
        """

    def match(self, request: MatchRequest) -> MatchResult:
        """Return the verdict of `compare`, charged to nobody.

        Without a face in either picture there is no score. The warnings for no face and for several
        are added unless the engine gives them.
        """
        compared = self.compare(request)
        # By picture; a picture whose faces are unknown is left out.
        face_counts = []
        for faces in (compared.probe_faces, compared.reference_faces):
            if faces is not None:
                face_counts.append(len(faces))
        score = None
        if compared.score is not None and 0 not in face_counts:
            score = models.Score(
                compared.score,
                self.capabilities.score_scale or self.name,
                raw=compared.raw_score,
                raw_name=compared.raw_name,
                source=models.ScaleSource.DOCUMENTED,
            )
        codes = {warning.code for warning in compared.warnings}
        warnings = list(compared.warnings)
        if 0 in face_counts and NO_FACE.code not in codes:
            warnings.append(NO_FACE)
        if max(face_counts, default=0) > 1 and MULTIPLE_FACES.code not in codes:
            warnings.append(MULTIPLE_FACES)
        return MatchResult(
            decision=decide_by_threshold(score, request.threshold),
            score=score,
            threshold=request.threshold,
            warnings=warnings,
            probe_faces=compared.probe_faces,
            reference_faces=compared.reference_faces,
            backend=self.name,
            model=compared.model,
            environment=models.Environment.LOCAL,
            billing=Billing(Charged.NO, "runs on this machine"),
            raw=compared.raw,
        )
