"""The webhooks that Onfido sends: events, bodies and signatures."""

from __future__ import annotations

from typing import Any

from facematch_mock_server.base.signing import hmac_hex
from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.world import webhooks
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.webhooks import Destination, SignedPayload, WebhookDelivery

from . import wire
from .wire import show_time

#: The events of a webhook (`webhook_event_type` in Onfido's specification).
EVENTS = (
    "audit_log.created",
    "watchlist_monitor.matches_updated",
    wire.COMPLETED,
    "workflow_task.started",
    "workflow_task.completed",
    "check.started",
    "check.reopened",
    "check.withdrawn",
    "check.completed",
    "check.form_completed",
    "report.withdrawn",
    "report.resumed",
    "report.cancelled",
    "report.awaiting_approval",
    "report.completed",
    "workflow_timeline_file.created",
    "workflow_run_evidence_folder.created",
)
#: The events that the mock sends.
SENT = frozenset({wire.COMPLETED, "check.completed", "report.completed"})
#: The paths of what an event is about, by its ``resource_type``.
_PATHS = {"workflow_run": wire.RUN_PATH, wire.CHECK: wire.CHECK_PATH, wire.REPORT: wire.REPORT_PATH}


def compose(
    claims: CitedClaims, world: World, delivery: WebhookDelivery, destination: Destination
) -> SignedPayload:
    """Build and sign a delivery about a run, a check or a report."""
    session = delivery.session
    # Behind a door it is Onfido's host, which a receiver may ask.
    origin = session.metadata_or_empty[wire.ORIGIN]
    resource_type = session.service or "workflow_run"
    # OURS: workflow_run.completed is sent whenever a run is approved, declined, put in review,
    # abandoned or failed, and again when its decision is revised.
    # OURS: Of Onfido's other events, such as check.started and workflow_task.completed, the mock
    # sends none.
    # A delivery has payload with resource_type, action, object and resource, which is the run, and
    # the header X-SHA2-Signature: the HMAC-SHA256 of the body in lower-case hex. (Onfido, a signed
    # event in the tests of onfido-java)
    # A webhook gets the events of its environments, sandbox and live; of both if it names none.
    # (Onfido, onfido-openapi-spec, v3.6, commit 1498236)
    payload: dict[str, Any] = {
        "resource_type": resource_type,
        "action": delivery.event,
        "object": {
            "id": session.id,
            "status": session.status,
            "completed_at_iso8601": show_time(delivery.created_at),
            "href": f"{origin}{_PATHS[resource_type]}/{session.id}",
        },
    }
    if session.service is None:
        payload["resource"] = wire.show_run(claims, world, session, origin)
    # A delivery about a check or a report has resource_type, action and object with id, status,
    # completed_at_iso8601 and href, and no resource. report.completed is sent for each report
    # before check.completed (our choice); webhook_ids of a check selects the webhooks. (Onfido,
    # tests of onfido-python, commit 04baf27)
    body = delivery.write({"payload": payload})
    signature = hmac_hex(destination.secret, body)
    return SignedPayload.of_json(body, ("X-SHA2-Signature", signature))


WEBHOOK_RULES = webhooks.WebhookRules(
    events=EVENTS,
    session_event=wire.COMPLETED,
    default_events=(wire.COMPLETED, "check.completed"),
    compose=compose,
    signature_headers=("x-sha2-signature",),
)
