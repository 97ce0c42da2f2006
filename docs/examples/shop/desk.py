"""The pages of the staff, who decide when the answer is REVIEW."""

from collections.abc import Iterator
from typing import Any

import pages
import shop
from faces import MAX_AGE_S, Faces
from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from web import Login, OurForm, Staff, Stores, Text

from facematch_core import CheckCase

router = APIRouter(prefix="/desk")


def waiting(faces: Faces) -> Iterator[tuple[Any, Any]]:
    """Yield each case that waits for a person, with its verdict.

    The cases come from the shop's own tables: a queue that `look` fills loses what it returned to
    a process that died.
    """
    for row in shop.open_cases():
        found = case_of(faces, row.purpose, row.customer, row.about).find()
        if found is not None and found.evidence is not None and not found.decisions:
            yield row, found


def case_of(faces: Faces, purpose: str, customer: str, about: str) -> Any:
    return faces.signup_of(customer) if purpose == "signup" else faces.payout_of(customer, about)


@router.get("")
def queue(faces: Stores, _staff: Staff, login: Login) -> HTMLResponse:
    return pages.show_queue(waiting(faces), login.csrf)


@router.get("/{call}/{picture}")
def picture(_staff: Staff, call: str, picture: str) -> Response:
    """Return an uploaded picture. Browsers must not guess its type: a customer wrote its bytes."""
    rows = shop.run("SELECT * FROM uploads WHERE call = :call", call=call)
    if not rows or picture not in ("selfie", "document"):
        raise HTTPException(404)
    headers = {**pages.PRIVATE, "X-Content-Type-Options": "nosniff"}
    return Response(getattr(rows[0], picture), media_type="image/jpeg", headers=headers)


@router.post("", dependencies=[OurForm])
def decide(
    faces: Stores,
    staff: Staff,
    purpose: Text,
    customer: Text,
    about: Text,
    evidence: Text,
    answer: Text,
    reason: Text,
) -> Response:
    """Decide, write the audit, and act on a yes: all is committed, or nothing."""
    case = case_of(faces, purpose, customer, about)
    found = case.find()
    person = shop.person_of(customer)
    with shop.transaction() as database:
        decision = case.decide(
            evidence=evidence,
            accept=answer == "accept",
            by=staff,
            reason=reason,
            connection=database,
        )
        record = found.id if isinstance(case, CheckCase) else found.record.id
        shop.write_audit(database, record, staff, decision.accept, reason)
        if isinstance(case, CheckCase):
            if case.use(connection=database):
                shop.open_account(database, customer, found.result.ids.call)
        elif case.use(max_age_s=MAX_AGE_S, document=person, connection=database):
            shop.pay(database, about)
    return RedirectResponse("/desk", 303)
