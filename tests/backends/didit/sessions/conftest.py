"""A session by Didit's documents, and a backend that is answered in this process."""

import copy
import datetime as dt
import json
from pathlib import Path

import pytest
from kit.scripted import ScriptedAdapter

from facematch_core.backend.calls import DeleteRequest, ReadRequest, StartRequest
from facematch_core.backend.session_types import SessionRecord
from facematch_didit import DiditBackend

FOLDER = Path(__file__).parent / "answers"
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
    expects=("match", "liveness"),
    compared_with="document",
    facts={"workflow_id": WORKFLOW},
    planned_at=PLANNED,
)

#: By the examples of Didit's OpenAPI, 2026-07-18: the answer 201, and a decision of face items.
STARTED, DECISION = (
    json.loads((FOLDER / f"{name}.json").read_text().replace("TERMS", RECORD.terms))
    for name in ("started", "decision")
)


def row(**changes):
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
