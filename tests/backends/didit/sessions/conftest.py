"""A session by Didit's documents, and a backend that is answered in this process."""

import copy
import datetime as dt
import json

import pytest
from kit.scripted import ScriptedAdapter

import facematch_core as fm
from facematch_core.calls import DeleteRequest, ReadRequest, StartRequest
from facematch_core.session_types import SessionRecord
from facematch_didit import DiditBackend

ID = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"
WORKFLOW = "11111111-2222-3333-4444-555555555555"
PLANNED = dt.datetime(2026, 7, 2, 9, 15, tzinfo=dt.UTC)
#: Where a face, a session or a secret may be had: nothing of it is to be seen.
CANARY = "CANARY5f1"
RECORD = SessionRecord(
    id="0123456789abcdef0123456789abcdef",
    backend="didit",
    subject_ref=f"subject-{CANARY}",
    purpose="payout",
    checks=tuple(fm.Operation(check) for check in ("match", "liveness")),
    planned_at=PLANNED,
)
OURS = {"id": RECORD.id, "terms": RECORD.terms}

#: The answer 201 (Didit OpenAPI, 2026-07-18), with what was sent.
STARTED = {
    "session_id": ID,
    "session_number": 43762,
    "session_token": f"tok{CANARY}",
    "url": f"https://verify.didit.me/en/session/tok{CANARY}",
    "vendor_data": RECORD.id,
    "metadata": OURS,
    "status": "Not Started",
    "workflow_id": WORKFLOW,
    "workflow_version": 3,
    "callback": "https://example.com/verification/callback",
}

_WARNING = {
    "feature": "LIVENESS",
    "risk": "DUPLICATED_FACE",
    "additional_data": {"duplicated_session_id": f"other-{CANARY}"},
    "log_type": "information",
    "short_description": "Duplicated face",
    "long_description": "The system identified a duplicated face.",
    "node_id": "feature_liveness_1",
}
_MEDIA = f"https://media.example/face.jpg?X-Amz-Signature={CANARY}"

#: A decision in the shape of the example there: all blocks, of which three are about faces.
DECISION = {
    **{name: STARTED[name] for name in ("session_id", "session_number", "vendor_data", "metadata")},
    "session_kind": "user",
    "session_url": STARTED["url"],
    "status": "Approved",
    "environment": "live",
    "workflow_id": WORKFLOW,
    "features": ["ID_VERIFICATION", "LIVENESS", "FACE_MATCH"],
    "expected_details": {"first_name": f"Ada {CANARY}"},
    "contact_details": {"email": f"{CANARY}@example.com"},
    "callback": f"https://shop.example/{CANARY}",
    "id_verifications": None,
    "nfc_verifications": None,
    "liveness_checks": [
        {
            "node_id": "feature_liveness_1",
            "status": "Approved",
            "method": "ACTIVE_3D",
            "score": 89.92,
            "reference_image": _MEDIA,
            "video_url": _MEDIA,
            "age_estimation": 24.3,
            "matches": [{"vendor_data": f"other-{CANARY}", "match_image_url": _MEDIA}],
            "warnings": [_WARNING],
            "face_quality": None,
            "face_luminance": 46,
        }
    ],
    "face_matches": [
        {
            "node_id": "feature_face_match_1",
            "status": "Approved",
            "score": 95.43,
            "source_image_session_id": None,
            "source_image": _MEDIA,
            "target_image": _MEDIA,
            "warnings": [],
        }
    ],
    "poa_verifications": None,
    "reviews": [],
    "created_at": "2026-07-02T09:15:27.104233Z",
    "expires_at": None,
}


def row(**changes):
    """A session as a list has it."""
    names = ("session_id", "session_number", "session_kind", "status", "vendor_data", "created_at")
    shown = {name: DECISION[name] for name in names}
    return {**shown, "features": [{"feature": "LIVENESS", "status": "Approved"}], **changes}


class World:
    """Didit's session, to be edited, and requests about it."""

    session_id, workflow_id, planned, canary, record = ID, WORKFLOW, PLANNED, CANARY, RECORD
    row = staticmethod(row)

    @staticmethod
    def decision(**changes):
        return copy.deepcopy(DECISION | changes)

    @staticmethod
    def started(**changes):
        return copy.deepcopy(STARTED | changes)

    @staticmethod
    def request(kind, record=RECORD, **more):
        kinds = {"start": StartRequest, "read": ReadRequest, "delete": DeleteRequest}
        return kinds[kind](record=record, **more)


@pytest.fixture(scope="session")
def didit():
    return World()


@pytest.fixture
def scripted(at_end):
    """Opens a backend whose requests are answered in turn, and gives what was sent, too."""

    def open_backend(*answers, **settings):
        settings = {"api_key": "didit-key-8c1f5e2ab9", "workflow_id": WORKFLOW} | settings
        backend = DiditBackend(**settings)
        script = ScriptedAdapter(*answers or [(201, STARTED)])
        backend.client.mount("https://", script)
        at_end.callback(backend.close)
        return backend, script

    return open_backend


@pytest.fixture
def read(scripted):
    """The reading of a decision with these changes, by these settings."""

    def read(record=RECORD, headers=(), *, body=None, with_settings=(), **changes):
        record = SessionRecord.from_dict({**record.to_dict(), "session_id": ID})
        answer = body if body is not None else World.decision(**changes)
        backend, _ = scripted((200, answer, headers), **dict(with_settings))
        return backend.read_session(ReadRequest(record=record))

    return read


def seen(error):
    """All that an error shows."""
    return f"{error!r} {error} {json.dumps(getattr(error, 'field_errors', {}))}"
