"""GET /organizations/me/ and an application there: no source shows a body, so these are ours."""

from __future__ import annotations

from typing import Any

from facematch_mock_server._messages import Response
from facematch_mock_server.vendors.didit._visit import Door, Route, Visit

from ._tokens import shown_by


def mine(visit: Visit) -> Response:
    """The organizations of whoever shows a token."""
    account = shown_by(visit)
    if account is None or account.opened is None:
        return _refused(visit)
    told = visit.told
    known = {"uuid": account.opened.organization, "name": told["account.organization"]}
    return visit.answer(
        "organizations.answer", [{name: known[name] for name in told["organizations.keys"]}]
    )


def application(visit: Visit) -> Response:
    """One application; its key is told once, when a mailbox is proved."""
    account = shown_by(visit)
    if account is None or account.opened is None:
        return _refused(visit)
    opened, told = account.opened, visit.told
    if visit.words != (opened.organization, opened.application):
        return visit.answer("application.unknown")
    known: dict[str, Any] = {
        "uuid": opened.application,
        "name": told["account.application"],
        "client_id": opened.client_id,
    }
    return visit.answer(
        "application.answer", {name: known[name] for name in told["application.keys"]}
    )


def _refused(visit: Visit) -> Response:
    return visit.answer("bearer.wrong", {"detail": visit.told["bearer.words"]})


ROUTES = (
    Route(
        pattern="/auth/v2/organizations/me/",
        door=Door.OPEN,
        methods={"GET": mine},
        own={401: "bearer.wrong"},
    ),
    Route(
        pattern="/auth/v2/organizations/me/{organization}/applications/{application}/",
        door=Door.OPEN,
        methods={"GET": application},
        own={401: "bearer.wrong", 404: "application.unknown"},
    ),
)
