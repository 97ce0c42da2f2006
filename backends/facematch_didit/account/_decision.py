"""The decision of a session, read: what Didit kept of a call, as the result that the call gave.

Sources: Didit OpenAPI, 2026-07-18, read 2026-11-20. Documents show no decision of a call that was
kept; it is read by the general form, in which what never ran is null.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from facematch_core import Billed, Environment, Secret
from facematch_core.backend import ATTEMPT_KEY
from facematch_didit._reading import (
    a_list,
    an_object,
    text_or_none,
    time_or_none,
    whole_or_none,
)
from facematch_didit._words import MEDIA_KEYS

from . import _reading, _words
from ._blocks import CHECKS, MATCHES, blocks, results
from ._private import shown
from ._session import Media, SessionDecision

#: What `raw` keeps: nothing of documents, phones and addresses of people.
_KEPT = (
    "session_id",
    "session_kind",
    "session_number",
    "status",
    "environment",
    "workflow_id",
    "features",
    "vendor_data",
    "metadata",
    CHECKS,
    MATCHES,
    "reviews",
    "created_at",
    "expires_at",
)


def session_decision(
    body: Any,
    *,
    declared: Environment = Environment.PRODUCTION,
    told: Environment | None = None,
) -> SessionDecision:
    """The decision in a body, of an answer or of a webhook.

    Args:
        body: Decoded JSON.
        declared: The environment, if the session does not tell it.
        told: MOCK, if it comes from a mock: then that counts.

    Raises:
        ValueError: it is no decision as documented.
    """
    answer = an_object(body, "the body")
    word = _reading.text_in(answer, "status")
    metadata = answer.get("metadata")
    own = _words.ENVIRONMENTS.get(text_or_none(answer.get("environment"), "environment") or "")
    workflow_id = text_or_none(answer.get("workflow_id"), "workflow_id")
    session_id = _reading.text_in(answer, "session_id")
    facts: dict[str, Any] = {
        "session_id": session_id,
        "caller_ref": text_or_none(answer.get("vendor_data"), "vendor_data"),
        "metadata": None if metadata is None else an_object(metadata, "metadata"),
        "created_at": time_or_none(answer.get("created_at"), "created_at"),
        "environment": told or own or declared,
    }
    billed, ground = _billed(own or declared, workflow_id)
    attempt_id = (facts["metadata"] or {}).get(ATTEMPT_KEY)
    own_metadata = {k: v for k, v in (facts["metadata"] or {}).items() if k != ATTEMPT_KEY}
    common = {
        **facts,
        # A kept call carries our id beside the caller's own entries.
        "metadata": own_metadata or None,
        "attempt_id": attempt_id if isinstance(attempt_id, str) else None,
        "request_id": None if workflow_id else session_id,
        "billed": billed,
        "billed_ground": ground,
    }
    status = _reading.status_of(word)
    return SessionDecision(
        session_number=whole_or_none(answer.get("session_number"), "session_number"),
        status=status,
        vendor_status=word,
        results=tuple(results(answer, status, common)),
        media=tuple(
            media
            for name in (MATCHES, CHECKS)
            for block in blocks(answer, name)
            for media in _media(block)
        ),
        reviews=tuple(map(_reading.review, a_list(answer.get("reviews") or [], "reviews"))),
        features=tuple(name for name, _ in _reading.features(answer.get("features"))),
        workflow_id=workflow_id,
        expires_at=time_or_none(answer.get("expires_at"), "expires_at"),
        raw=shown({name: answer[name] for name in _KEPT if name in answer}),
        **facts,
    )


def _billed(environment: Environment, workflow_id: str | None) -> tuple[Billed, str]:
    if environment is Environment.SANDBOX:
        return _words.IN_SANDBOX
    return _words.IN_WORKFLOW if workflow_id else _words.KEPT_CALL


def _media(block: dict[str, Any]) -> Iterator[Media]:
    for name in sorted(MEDIA_KEYS & block.keys()):
        address = text_or_none(block[name], name)
        if address:
            yield Media(
                name=name,
                node_id=text_or_none(block.get("node_id"), "node_id"),
                address=Secret(address, origin="Didit"),
            )
