"""The backend `didit` keeps the contract that every plug-in keeps.

Behind it stands a scripted Didit of the edition of July 2026.
"""

import itertools
import json
import uuid
from typing import ClassVar

import pytest

from facematch_core import Box, ImageFormat, Retention
from facematch_core.backend import ImageLimits
from facematch_core.testing import BackendContract, HttpSimulator, SimulatorReply, Situation
from facematch_didit import DiditBackend

KEY = "didit-key-4f7e1c2ab9"

NO_FACE = {"face-match": "NO_REFERENCE_IMAGE", "passive-liveness": "NO_FACE_DETECTED"}
LOW = {"face-match": "LOW_FACE_MATCH_SIMILARITY", "passive-liveness": "LOW_LIVENESS_SCORE"}
THRESHOLDS = {
    "face-match": "face_match_score_decline_threshold",
    "passive-liveness": "face_liveness_score_decline_threshold",
}
FILES = {"probe": "user_image", "reference": "ref_image"}
SCORES = {
    Situation.DIFFERENT_PEOPLE: 12.25,
    Situation.SPOOF: 4.5,
    Situation.IMPOSSIBLE_SCORE: 250.0,
}
DEMOGRAPHICS = {"age": 34.12, "gender": "female", "race": None}

REFUSALS = {
    Situation.NO_CREDIT: (403, {"error": "You don't have enough credits."}),
    Situation.REJECTED: (400, {"user_image": ["The submitted file is empty."]}),
    Situation.THROTTLED: (429, {"detail": "Write request rate limit exceeded."}),
    Situation.OUTAGE: (500, {"detail": "A server error occurred."}),
}
HEADERS = {Situation.THROTTLED: {"Retry-After": "7", "X-RateLimit-Remaining": "0"}}


#: In pixels of a picture of 320 by 320: left, top, right, bottom.
BOXES = {"probe": [112, 48, 224, 190], "reference": [30, 140, 150, 300]}


def found(boxes):
    return [{"bbox": box, "confidence": 0.741206, **DEMOGRAPHICS} for box in boxes]


def warned(risk, text="It is so.", log_type="error"):
    return {
        "risk": risk,
        "feature": "FACEMATCH",
        "additional_data": None,
        "log_type": log_type,
        "short_description": text,
        "long_description": text,
    }


class DiditSimulator(HttpSimulator):
    """Answers as Didit's documents of July 2026 say."""

    situations = frozenset(Situation)
    secrets = (KEY,)
    limits = ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.TIFF},
        max_bytes=5 * 1024 * 1024,
    )
    demographics = DEMOGRAPHICS
    faces: ClassVar = {
        place: [Box(left=left, top=top, right=right, bottom=bottom)]
        for place, (left, top, right, bottom) in BOXES.items()
    }
    _numbers = itertools.count(1)

    def backend(self, **settings):
        return DiditBackend(**{"api_key": KEY, "base_url": self.url} | settings)

    @property
    def received(self):
        if self.last is None:
            return {}
        fields, files = self.last.fields, self.last.files
        kept = fields["save_api_request"] == "true"
        (threshold,) = (float(fields[name]) for name in THRESHOLDS.values() if name in fields)
        return {
            "threshold": threshold,
            "rotate": fields["rotate_image"] == "true",
            "retention": Retention.KEEP if kept else Retention.MINIMAL,
            "caller_ref": fields.get("vendor_data"),
            "metadata": json.loads(fields.get("metadata", "null")),
            **{place: files[name] for place, name in FILES.items() if name in files},
        }

    def answer(self, request, situation, score):
        if request.headers["x-api-key"] != KEY or situation is Situation.BAD_KEY:
            # As careless as a vendor may be.
            return SimulatorReply(status=403, body={"detail": f"No permission with {KEY}."})
        call = request.path.split("/")[2]
        wanted = {"user_image", "ref_image"} if call == "face-match" else {"user_image"}
        if set(request.files) != wanted:
            situation = Situation.REJECTED
        if situation in REFUSALS:
            status, body = REFUSALS[situation]
            return SimulatorReply(status=status, body=body, headers=HEADERS.get(situation, {}))
        if situation is Situation.UNREADABLE_200:
            return SimulatorReply(body={"result": "ok"})
        block = self._block(call, request.fields, situation, score)
        name = {"face-match": "face_match", "passive-liveness": "liveness"}[call]
        return SimulatorReply(
            body={
                "request_id": str(uuid.UUID(int=next(self._numbers))),
                name: block,
                "vendor_data": request.fields.get("vendor_data"),
                "metadata": json.loads(request.fields.get("metadata", "null")),
                "created_at": "2026-07-02T09:15:27.104233+00:00",
            }
        )

    def _block(self, call, fields, situation, score):
        """The part of the answer that tells the verdict."""
        turns = fields["rotate_image"] == "true"
        faceless = situation is Situation.NO_FACE or (situation is Situation.TURNED and not turns)
        value = SCORES.get(situation, 93.5) if score is None else score
        warnings = []
        if faceless:
            kept = fields["save_api_request"] == "true"
            value = None if kept or call == "passive-liveness" else 0
            warnings = [warned(NO_FACE[call])]
        elif value <= float(fields[THRESHOLDS[call]]):
            warnings = [warned(LOW[call])]
        status = "Declined" if warnings else "Approved"
        if situation is Situation.UNKNOWN_WARNING:
            # The gravest of the documented weights, and one that no document has.
            warnings += [warned(*self.unknown_warning, log_type=t) for t in ("error", "fatal")]
        if situation is Situation.UNKNOWN_STATUS:
            status = self.unknown_status
        if situation is Situation.NULL_SCORE:
            status, value, warnings = "Approved", None, []
        boxes = [BOXES["probe"], *([[8, 12, 80, 110]] if situation is Situation.TWO_FACES else [])]
        angle = 90 if situation is Situation.TURNED and turns else 0
        block = {
            "status": status,
            "score": value,
            "user_image": {"entities": [] if faceless else found(boxes), "best_angle": angle},
            "warnings": warnings,
        }
        if call == "face-match":
            return block | {"ref_image": {"entities": found([BOXES["reference"]]), "best_angle": 0}}
        if situation is Situation.TWO_FACES:
            warnings.append(warned("MULTIPLE_FACES_DETECTED", log_type="warning"))
        return block | {"method": "PASSIVE", "face_quality": 71.8, "face_luminance": 46.02}


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DiditSimulator() as simulator:
            yield simulator
