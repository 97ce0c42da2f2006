"""The list of workflows.

Source of the keys: Didit OpenAPI, 2026-07-18, as copied in GitHub api-evangelist/didit ef0150b.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.didit.access import DiditCall, make_route
from facematch_mock_server.vendors.didit.fields import stamp
from facematch_mock_server.vendors.didit.records import FIRST_WORKFLOW_ID, Workflow
from facematch_mock_server.vendors.didit.sessions import price_claim_of_kind

from .session_list import answer_page

_FIRST_WORKFLOW = Workflow(id=FIRST_WORKFLOW_ID, kind="kyc")


def _list(call: DiditCall) -> Response:
    """List the workflows, newest first."""
    # OURS: Until a test publishes a workflow, the list has the one of DIDIT_WORKFLOW_ID, though
    # any other can be started, too. The first workflow is the default.
    workflows = call.world.records.workflows.all() or (_FIRST_WORKFLOW,)
    return answer_page(call, workflows[::-1], partial(_make_row, default_id=workflows[0].id))


def _make_row(call: DiditCall, workflow: Workflow, *, default_id: str) -> dict[str, Any]:
    """Return a workflow as the list shows it; all its prices are that of a session of its kind."""
    price = float(call.claims[price_claim_of_kind(workflow.kind)])
    is_biometric = workflow.kind == "biometric"
    document = "" if is_biometric else "OCR + "
    return {
        "uuid": workflow.id,
        "workflow_id": workflow.id,
        "workflow_label": "ID Verification",
        "workflow_type": "biometric_authentication" if is_biometric else "kyc",
        "is_default": workflow.id == default_id,
        "is_archived": False,
        "is_white_label_enabled": False,
        **dict.fromkeys(("total_price", "min_price", "max_price"), price),
        "features": f"{document}LIVENESS + FACE_MATCH",
        "is_simple_workflow": True,
        "is_editable": False,
        "max_retry_attempts": 3,
        "retry_window_days": 7,
        "session_expiration_time": call.claims["session.lifetime_s"],
        "version": workflow.version,
        "status": "published",
        "has_draft": False,
        "created_by": None,
        # OURS: Each was last changed now.
        "updated_at": stamp(call.now),
    }


ROUTES = (make_route("/v3/workflows/", {"GET": _list}, rate_scope="management"),)
