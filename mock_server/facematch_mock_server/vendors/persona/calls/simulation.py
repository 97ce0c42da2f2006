"""The actions that a client simulates on an inquiry of the sandbox.

Source of the names: Persona's OpenAPI, version 2025-12-08.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.persona import wire
from facematch_mock_server.vendors.persona.access import PersonaCall
from facematch_mock_server.vendors.persona.sessions import (
    new_verification,
    store_and_announce_status,
)
from facematch_mock_server.vendors.persona.wire import (
    APPROVED,
    COMPLETED,
    DECLINED,
    EXPIRED,
    FAILED,
    GOVERNMENT_ID,
    NEEDS_REVIEW,
    PENDING,
    SELFIE,
    inquiry_of,
    with_inquiry,
)
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.webhooks import announce

#: The status that each action sets.
_SIMULATED = {
    "start_inquiry": PENDING,
    "complete_inquiry": COMPLETED,
    "fail_inquiry": FAILED,
    "expire_inquiry": EXPIRED,
    "mark_for_review_inquiry": NEEDS_REVIEW,
    "approve_inquiry": APPROVED,
    "decline_inquiry": DECLINED,
}
#: Whether the verification that each action creates has passed.
_SIMULATED_VERIFICATIONS = {"create_passed_verification": True, "create_failed_verification": False}


def simulate(call: PersonaCall) -> Response:
    """Perform actions on an inquiry of the sandbox, in order."""
    session = call.find_session_and_expire_if_due()
    if call.is_live:
        call.refuse("simulate.live")
    meta = call.read_part("meta", known=frozenset({"simulate-actions"}))
    actions = call.read_value(meta, "simulate-actions", list, "an array")
    if actions is None:
        call.refuse("body.wrong", name="meta.simulate-actions", kind="an array")
    # All are read before the first is performed.
    for action in actions:
        _check_action(call, action)
    # In the sandbox, actions set the status of an inquiry or create a verification, and send the
    # webhooks. (docs.withpersona.com, integration-testing)
    for action in actions:
        name = action["type"]
        if name in _SIMULATED:
            session = store_and_announce_status(call.world, session, _SIMULATED[name])
        else:
            template_id = action["data"]["verification-template-id"]
            passed = _SIMULATED_VERIFICATIONS[name]
            session = _simulate_verification(call, session, template_id, passed=passed)
    body = wire.show_inquiry_document(session, with_verifications=False)
    return call.answer("inquiry.shown", body)


def _check_action(call: PersonaCall, action: Any) -> None:
    """Refuse the call if an action is unknown, or has no template for its verification."""
    name = action.get("type") if isinstance(action, dict) else None
    if name in _SIMULATED:
        return
    if name not in _SIMULATED_VERIFICATIONS:
        call.refuse("body.wrong", name="type", kind="a known action")
    data = action.get("data")
    template_id = data.get("verification-template-id") if isinstance(data, dict) else None
    if not isinstance(template_id, str):
        call.refuse("body.wrong", name="verification-template-id", kind="a string")


def _simulate_verification(
    call: PersonaCall, session: Session, template_id: str, *, passed: bool
) -> Session:
    """Add a verification to an inquiry; return the inquiry. Only a selfie has a webhook."""
    # OURS: A simulated verification is a selfie, unless the template's id contains `id`, in any
    # case. All checks of a passed selfie pass; the two that compare and the liveness check of a
    # failed one fail.
    kind = GOVERNMENT_ID if "id" in template_id.removeprefix("vtmpl_").lower() else SELFIE
    checks: tuple[Mapping[str, Any], ...] = ()
    if kind == SELFIE:
        checks = wire.selfie_checks(matches=passed, is_live=passed, is_liveness_required=True)
    verification = new_verification(call.world, kind, passed=passed, checks=checks)

    def add(session: Session) -> Session:
        verifications = (*inquiry_of(session).verifications, verification)
        return with_inquiry(session, verifications=verifications)

    session = call.world.sessions.change(session.id, add) or session
    if kind == SELFIE:
        announce(call.world, session, event=f"verification.{verification.status}")
    return session
