"""Control of Didit's sessions."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.base.state import (
    Selection,
    check_string,
    check_word,
    require,
    select,
)
from facematch_mock_server.world.hosted import (
    DocumentSessions,
    ListedSession,
    expire_due_sessions,
)
from facematch_mock_server.world.sessions import Review, Session
from facematch_mock_server.world.vendor import endpoint

from . import webhooks
from .records import STATUSES, DiditRecords, Workflow, with_review


class DiditSessionControl(DocumentSessions[DiditRecords]):
    """Control of one world's sessions: list and decide them, and act as the person. Thread-safe."""

    def all(
        self,
        *,
        status: str | None = None,
        service: str | None = None,
        vendor_data: str | None = None,
        since: int = 0,
        limit: int | None = None,
    ) -> Selection[Session]:
        """Return the sessions in order, filtered by status, service and `vendor_data`. Raises
        ValueError for an unknown status. For `since` and `limit` see `Control.journal`."""
        if status is not None:
            check_word("status", status, STATUSES)
        filters: Any = {"status": status, "service": service, "vendor_data": vendor_data}
        expire_due_sessions(self._control.world)
        sessions = self._control.world.sessions.all()
        return select(sessions, since=since, limit=limit, **filters)

    @endpoint("GET", "sessions", result_key="sessions")
    def _http_all(
        self,
        status: str | None = None,
        since: int = 0,
        limit: int | None = None,
        service: str | None = None,
        vendor_data: str | None = None,
    ) -> Selection[ListedSession]:
        """Return the sessions, also ended ones, each with its page and its charges."""
        sessions = self.all(
            status=status, since=since, limit=limit, service=service, vendor_data=vendor_data
        )
        return self._with_pages_and_charges(sessions)

    def decide(
        self, session_id: str | uuid.UUID, status: str, comment: str | None = None
    ) -> Session:
        """Decide a session like a reviewer at the vendor: record the review and send webhooks.

        Args:
            session_id: The id from the vendor's responses.
            status: ``Approved``, ``Declined`` or another of the vendor's statuses (``In Review``).
            comment: The reviewer's comment, or None.

        Raises:
            LookupError: the session is unknown.
            ValueError: the vendor has no such status, or the comment is not a string.
        """
        world = self._control.world
        check_word("status", status, STATUSES)
        if comment is not None:
            check_string("comment", comment)
        # Didit stores the name of the console's user.
        review = Review(
            user="Console", new_status=status, comment=comment, created_at=world.clock.now()
        )
        decided = world.sessions.change(session_id, lambda stored: with_review(stored, review))
        session: Session = require(decided, "session")
        webhooks.announce(world, session)
        return session

    @endpoint("POST", "sessions/decide")
    def _http_decide_session(
        self, session_id: str, status: str, comment: str | None = None
    ) -> dict[str, str]:
        """Decide a session like a reviewer: record the review and send webhooks."""
        session = self.decide(session_id, status, comment)
        return {"session_id": session.id, "status": session.status}

    @endpoint(
        "POST",
        "sessions/workflows",
        aliases={"workflow_id": "id"},
        extra_parameters=lambda _: {
            "kind": str,
            "method": str,
            "callback": str | None,
            "settings": Mapping[str, Any],
        },
    )
    def workflow(self, workflow_id: str, *, version: int | None = None, **facts: Any) -> Workflow:
        """Publish a workflow with the attributes of `Workflow`; `version` defaults to the next.

        Once a workflow is published, sessions with unpublished ones are refused. Raises ValueError
        for an invalid value.
        """
        workflows = self._records.workflows
        workflow = Workflow(id=workflow_id, **facts)
        former = workflows.find(workflow.id)
        version = version or (former.version + 1 if former else 1)
        return workflows.put(workflow.id, attrs.evolve(workflow, version=version))

    @endpoint("GET", "sessions/workflows", result_key="workflows")
    def workflows(self) -> tuple[Workflow, ...]:
        """The published workflows, in order."""
        return self._records.workflows.all()
