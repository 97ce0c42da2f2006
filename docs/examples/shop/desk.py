"""The pages of the staff, who decide when the answer is REVIEW."""

from collections.abc import Iterator
from typing import Any

import pages
import shop
from faces import Faces, use_payout, use_signup
from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from web import Login, OurForm, Staff, Stores, Text

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
    open_case = faces.signup_of if purpose == "signup" else faces.payout_of
    return open_case(customer, about)


@router.get("")
def queue(faces: Stores, _staff: Staff, login: Login) -> HTMLResponse:
    return pages.show_queue(waiting(faces), login.csrf)


@router.get("/{upload}/{picture}")
def picture(_staff: Staff, upload: str, picture: str) -> Response:
    """Return an uploaded picture. Browsers must not guess its type: a customer wrote its bytes."""
    rows = shop.run("SELECT * FROM uploads WHERE upload = :u AND selfie IS NOT NULL", u=upload)
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
    """Decide and write the audit in one transaction; then act on a yes, as the customer would.

    That asks the vendor, which may take seconds: no transaction waits for it. If it fails, this
    form again, or the customer's own click, does it.
    """
    case = case_of(faces, purpose, customer, about)
    found = case.find()  # `decide` refuses if the page showed another verdict, or there is none
    is_signup = purpose == "signup"
    with shop.transaction() as database:
        decision = case.decide(
            evidence=evidence,
            accept=answer == "accept",
            by=staff,
            reason=reason,
            connection=database,
        )
        shop.write_audit(database, found.id if is_signup else found.record.id, decision)
        if is_signup and not decision.accept:
            shop.execute(database, shop.DROP_PICTURES, u=about)
    if decision.accept and is_signup:
        use_signup(faces, customer, about)
    elif decision.accept:
        use_payout(faces, customer, about)
    return RedirectResponse("/desk", 303)
