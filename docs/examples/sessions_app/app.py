"""Pay people after a hosted session. Web app: `uvicorn app:app`; worker: `python app.py`.

The profile `shop` of FACEMATCH_CONFIG names the vendor: the program is the same for each. Once a
day, `python app.py forget` deletes old sessions.
"""

import sys
import time
from typing import Annotated

import shop
from fastapi import Depends, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse
from shop import PRIVATE, Body, Headers, Login, MaybeLogin, Poster, Store, Text

from facematch_core import SessionStore, StoreUnavailable, Use, VerificationCase, open_sessions

KEPT_DAYS = 90  # how long a payout may be disputed


def opened():
    """Open the sessions of the profile `shop`, and the table in which they are kept."""
    sessions = open_sessions(profile="shop")
    return SessionStore(shop.make_tables(), sessions, person=shop.person_of)


app = shop.make_app(opened)


def payout_of(store: Store, customer: Poster, about: Text):
    """Return the customer's case: a verdict for one payout is not one for another."""
    return store.of(customer, purpose="payout", about=about)


Payout = Annotated[VerificationCase, Depends(payout_of)]


def step_of(payout):
    """Return what the page says about a payout. Only `pay` asks the vendor."""
    session = payout.find()
    if session is None:
        return "new"
    if session.is_open:
        return "looking"
    return "failed" if payout.why_not(max_age_s=3600) else "verified"


@app.get("/", response_class=HTMLResponse)
def payouts(store: Store, login: Login):
    customer = login["customer"]
    steps = {}
    for about, paid_at in shop.payouts_of(customer):
        steps[about] = "paid" if paid_at else step_of(payout_of(store, customer, about))
    return shop.show_payouts(steps, login["csrf"])


@app.post("/start")
def start(payout: Payout, consent: Text):
    """Send the customer to the open session, or to a new one."""
    picture = shop.allow_start(payout.subject_ref, payout.about, consent)
    if not picture or step_of(payout) == "verified":
        raise HTTPException(429)
    begun = payout.begin(reference=picture, return_url=shop.back_url())
    if begun.access is None:  # the session is over; the page shows the outcome
        return RedirectResponse("/", 303, PRIVATE)
    if begun.access.link is None:  # the vendor's component runs in our page
        return shop.show_component(begun.access)
    return RedirectResponse(begun.access.link.reveal(), 303, PRIVATE)


@app.get("/back")
def back(store: Store, login: MaybeLogin):
    """Receive the browser from the vendor. The URL's parameters prove nothing: ignore them."""
    if login is None:  # a phone that was only used as the camera
        return HTMLResponse("<p>Thank you. Continue where you started.", headers=PRIVATE)
    store.set_due(login["customer"])
    return RedirectResponse("/", 303, PRIVATE)


@app.post("/webhook")
def webhook(store: Store, body: Body, headers: Headers):
    """Receive a webhook: a hint to read the session soon. Veriff repeats it unless this is 200."""
    store.receive(body, headers)


@app.post("/pay")
def pay(payout: Payout):
    """Pay one payout once, if the vendor still says now that the customer was there."""
    with shop.transaction() as database:  # both are committed, or neither
        use = payout.use(max_age_s=3600, connection=database)
        if use is Use.FIRST:
            values = [time.time(), payout.about]
            database.execute("UPDATE payouts SET paid_at = ? WHERE about = ?", values)
    if use is Use.NO:
        raise HTTPException(403)
    return RedirectResponse("/", 303, PRIVATE)  # AGAIN, for a second click: it is paid


@app.post("/logout")
def logout(store: Store, login: Login, customer: Poster):
    shop.run("DELETE FROM logins WHERE token = ?", login["token"])
    store.cancel(customer)
    return HTMLResponse("Goodbye.", headers=PRIVATE)


def look(store):
    """Raise the alarm for each payout whose verdict was taken back."""
    try:
        sessions = store.look()
    except StoreUnavailable as error:  # the database restarts: the next look tells all
        shop.log.warning("%s", error)
        return
    for session in sessions:
        if session.is_revoked:
            shop.log.critical("%s was paid, and passes no longer", session.record.id)


if __name__ == "__main__":
    with opened() as store:
        while sys.argv[1:] != ["forget"]:
            look(store)
            time.sleep(1)
        store.forget(KEPT_DAYS)
