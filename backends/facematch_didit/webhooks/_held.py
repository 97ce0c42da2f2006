"""A decision, held against the event that it came with. Pure.

Both speak of one session. Where they differ the documents do not say which is right (a delivery
may be older than the decision in it, or the other way round), so the less good word counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from facematch_core import Environment
from facematch_didit._reading import text_or_none

#: Didit's words for the kind of application that a session belongs to, the least real one first.
ENVIRONMENTS: Mapping[str, Environment] = MappingProxyType(
    {"sandbox": Environment.SANDBOX, "live": Environment.PRODUCTION}
)

#: The one status of a session in which a pass counts.
APPROVED = "Approved"


def held(
    decision: Mapping[str, Any],
    *,
    session_id: str | None,
    status: str | None,
    environment: object,
    of_mock: bool,
) -> dict[str, Any]:
    """`decision` with the status and the environment that count.

    Args:
        decision: As it came, decoded.
        session_id, status, environment: What the event says, in Didit's words.
        of_mock: Whether the delivery came from a mock: then no word makes it real.

    Raises:
        ValueError: it is about another session, or one of the two names an environment that is
            not documented: it may be one in which nothing is real.
    """
    if decision.get("session_id") != session_id:
        raise ValueError("its session_id is not the event's")
    told = (decision.get("environment"), environment)
    words = {text_or_none(word, "environment") for word in told} - {None}
    if not of_mock and not words <= ENVIRONMENTS.keys():
        raise ValueError("its environment is a word that is not known")
    return {
        **decision,
        "status": _status(decision.get("status"), status),
        "environment": next((word for word in ENVIRONMENTS if word in words), None),
    }


def _status(own: object, of_event: str | None) -> object:
    return of_event if own == APPROVED and of_event is not None else own
