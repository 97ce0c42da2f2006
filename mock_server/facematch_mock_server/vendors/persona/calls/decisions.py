"""The redaction of an inquiry.

Source of the names: Persona's OpenAPI, version 2025-12-08.
"""

from __future__ import annotations

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.persona import webhooks, wire
from facematch_mock_server.vendors.persona.access import PersonaCall
from facematch_mock_server.vendors.persona.sessions import note_status
from facematch_mock_server.vendors.persona.wire import (
    EXPIRED,
    OPEN,
    inquiry_of,
    with_inquiry,
)
from facematch_mock_server.world.hosted import with_hosted
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.webhooks import announce


def redact(call: PersonaCall) -> Response:
    """Redact an inquiry: remove note, reference id, tags, pictures, document and callback.

    Its verifications stay, and are shown without data.
    """
    session = call.find_session_and_expire_if_due()
    if inquiry_of(session).is_redacted:
        call.refuse("inquiry.redacted")
    # OURS: The verifications are redacted at once; at Persona this takes some time.
    # Redaction keeps the status, sets redacted-at, nulls the note and personal data, and empties
    # the tags. (Persona, OpenAPI version 2025-12-08 (GitHub persona-id/persona-openapi a1526b5,
    # 2026-08-21))
    if session.status in OPEN:
        # OURS: An open inquiry expires when it is redacted; what happens at Persona is not
        # documented.
        expired = call.world.sessions.change(
            session.id, lambda each: attrs.evolve(each, status=EXPIRED)
        )
        session = note_status(call.world, expired or session)

    def remove_data(session: Session) -> Session:
        times = {**inquiry_of(session).times, "redacted-at": call.now}
        session = with_hosted(
            session, document_fields={}, card_fields={}, requested_name={}, callback=None
        )
        session = attrs.evolve(session, pictures={})
        return with_inquiry(session, note=None, reference_id=None, tags=(), fields={}, times=times)

    session = call.world.sessions.change(session.id, remove_data) or session
    announce(call.world, session, event=webhooks.REDACTION)
    body = wire.show_inquiry_document(session, with_verifications=False)
    return call.answer("inquiry.shown", body)
