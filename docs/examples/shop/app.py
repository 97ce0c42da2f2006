"""The pages of the customers. `uvicorn app:app`, as often as you like on one database."""

from typing import Annotated

import desk
import pages
import shop
import web
from faces import is_under_way, step_of_payout, step_of_signup, use_payout, use_signup
from fastapi import FastAPI, File, HTTPException, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pages import PRIVATE
from web import log

from facematch_core import OutcomeUnknown, Retention, Use

app = FastAPI(lifespan=web.lifespan)
app.middleware("http")(web.limit_body)
for kind in web.SHOWN_ERRORS:
    app.add_exception_handler(kind, web.show_error)
app.include_router(desk.router)
# The readiness probe does not call the vendor, whose outage is not ours.
app.add_api_route("/ready", lambda: None, status_code=204)


@app.get("/")
def home(faces: web.Stores, login: web.Login) -> Response:
    if login.is_staff:
        return RedirectResponse("/desk", 303)
    customer = str(login.who)
    if not shop.is_open(customer):
        signup = faces.signup_of(customer, shop.upload_of(customer))
        return pages.show_signup(step_of_signup(signup), login.csrf)
    steps = {}
    for row in shop.payouts_of(customer):
        payout = faces.payout_of(customer, row.about)
        steps[row.about] = "paid" if row.paid_at else step_of_payout(payout)
    return pages.show_payouts(steps, login.csrf)


# --- an account, by an uploaded selfie and document ---


@app.post("/verifications", dependencies=[web.OurForm])
def verify(
    faces: web.Stores,
    customer: web.Customer,
    selfie: Annotated[bytes, File()],
    document: Annotated[bytes, File()],
) -> Response:
    """Keep the pictures, then check for a live face and compare, once for the same pictures."""
    former = faces.signup_of(customer, shop.upload_of(customer))
    # After REVIEW, a person decides on the former pictures.
    if shop.is_open(customer) or step_of_signup(former) == "wait":
        return RedirectResponse("/", 303)
    upload = shop.keep_upload(customer, selfie, document)
    if upload is None:
        raise HTTPException(429)
    signup = faces.signup_of(customer, upload)
    try:
        result = signup.verify_live(selfie, document, deadline_s=20, retention=Retention.KEEP)
    except OutcomeUnknown:
        signup.reconcile(deadline_s=10)  # free; what is found is the verdict
        raise
    log.info("%s: %s, call %s", customer, result.decision, result.ids.call)
    return RedirectResponse("/", 303)


@app.post("/accounts", dependencies=[web.OurForm])
def open_account(faces: web.Stores, customer: web.Customer) -> Response:
    """Open the account; sent again, at any time, answer as the first time."""
    if not shop.is_open(customer):
        upload = shop.upload_of(customer)
        if use_signup(faces, customer, upload) is Use.NO:
            log.warning("%s: %s", customer, faces.signup_of(customer, upload).why_not())
            raise HTTPException(403)
    return RedirectResponse("/", 303)


# --- a payout, by a hosted session ---


@app.post("/start", dependencies=[web.OurForm])
def start(
    faces: web.Stores, customer: web.Customer, about: web.Text, consent: web.Text
) -> Response:
    """Send the customer to the open session, or to a new one."""
    payout = faces.payout_of(customer, about)
    picture = shop.allow_start(customer, about, consent, is_new=not is_under_way(payout))
    if not picture or step_of_payout(payout) == "verified":
        raise HTTPException(429)
    begun = payout.begin(reference=picture, return_url=pages.back_url())
    if begun.access is None:  # the session is over; the page shows the outcome
        return RedirectResponse("/", 303, PRIVATE)
    if begun.access.link is None:  # the vendor's component runs in our page
        return pages.show_component(begun.access)
    return RedirectResponse(begun.access.link.reveal(), 303, PRIVATE)


@app.get("/back")
def back(faces: web.Stores, login: web.MaybeLogin) -> Response:
    """Receive the browser from the vendor. The URL's parameters prove nothing: ignore them."""
    if login is None:  # a phone that was only used as the camera
        return HTMLResponse("<p>Thank you. Continue where you started.", headers=PRIVATE)
    faces.sessions.set_due(login.who)
    return RedirectResponse("/", 303, PRIVATE)


@app.post("/webhook")
def webhook(faces: web.Stores, body: web.Body, headers: web.Headers) -> None:
    """Receive a webhook: a hint to read the session soon. Veriff repeats it unless this is 200."""
    faces.sessions.receive(body, headers)


@app.post("/pay", dependencies=[web.OurForm])
def pay(faces: web.Stores, customer: web.Customer, about: web.Text) -> Response:
    """Pay one payout once, if the vendor still says now that the customer was there."""
    if use_payout(faces, customer, about) is Use.NO:
        raise HTTPException(403)
    return RedirectResponse("/", 303, PRIVATE)  # AGAIN, for a second click: it is paid


# --- the end of a login, and of an account ---


@app.post("/logout", dependencies=[web.OurForm])
def logout(faces: web.Stores, login: web.Login) -> Response:
    shop.run("DELETE FROM logins WHERE token = :t", t=login.token)
    if not login.is_staff:
        faces.sessions.cancel(login.who)
    return HTMLResponse("Goodbye.", headers=PRIVATE)


@app.post("/leave", dependencies=[web.OurForm])
def leave(faces: web.Stores, customer: web.Customer) -> Response:
    """Erase the customer. The worker repeats daily what a vendor has not deleted yet."""
    shop.close_account(customer)
    faces.erase(customer)
    return HTMLResponse("Your data are deleted. Goodbye.", headers=PRIVATE)
