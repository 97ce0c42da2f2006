"""How a receiver of webhooks is tried alone: a session is started with our backend."""

from __future__ import annotations

import attrs

from facematch_core import open_sessions
from facematch_mock_server.server import Served


def start_session(mock: Served, customer: str) -> str:
    """Start a session at a vendor's mock with our backend, and return its id."""
    with open_sessions(
        mock.name,
        base_url=mock.url,
        compared_with="document",
        expects=["match"],
        require_environment="mock",
        **mock.control.world.vendor.drilled.settings(mock.client_id, mock.live_key),
    ) as sessions:
        started = sessions.start(sessions.plan(customer, purpose="drill"))
    session_id = started.record.session_id
    assert session_id is not None  # noqa: S101 - it is started
    # The letter outside ASCII finds a receiver that escapes it before it verifies.
    records = mock.control.world.sessions
    records.change(session_id, lambda each: attrs.evolve(each, vendor_data="j\u00f8rgen"))
    return session_id
