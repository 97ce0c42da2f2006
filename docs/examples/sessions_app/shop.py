"""Replace with your own code: database, logins, customers' photographs, payouts, and pages."""

import json
import logging
import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from html import escape
from secrets import compare_digest
from typing import Annotated

from fastapi import Depends, FastAPI, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from facematch_core import Person, SessionStore, errors

TABLES = (
    "CREATE TABLE IF NOT EXISTS logins (token TEXT PRIMARY KEY, customer TEXT, csrf TEXT)",
    "CREATE TABLE IF NOT EXISTS customers (customer TEXT PRIMARY KEY, name TEXT, picture BLOB)",
    "CREATE TABLE IF NOT EXISTS payouts (about TEXT PRIMARY KEY, customer TEXT, paid_at REAL)",
    "CREATE TABLE IF NOT EXISTS consents (customer TEXT, about TEXT, text TEXT, given_at REAL)",
)
PAYOUT = "SELECT * FROM payouts JOIN customers USING (customer) WHERE customer = ? AND about = ?"
CONSENTS = "SELECT COUNT(*) FROM consents WHERE customer = ? AND given_at > ?"
MOST_STARTS, WITHIN_S = 5, 3600
MOST_BYTES = 262_144  # of a webhook
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
log = logging.getLogger("payouts")


# --- database ---


@contextmanager
def transaction():
    """Open an exclusive write transaction: of two concurrent clicks, the second waits."""
    path = os.environ["PAYOUTS"]
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as database:
        database.row_factory = sqlite3.Row
        database.execute("BEGIN IMMEDIATE")
        with database:
            yield database


def run(sql, *values):
    with transaction() as database:
        return database.execute(sql, values).fetchall()


def make_tables():
    """Create the shop's tables; return the address of the database for the sessions."""
    for table in TABLES:
        run(table)
    return f"sqlite:///{os.environ['PAYOUTS']}"


def payouts_of(customer):
    return run("SELECT about, paid_at FROM payouts WHERE customer = ?", customer)


def person_of(customer):
    """Return the person to whom a document must belong: only read, because `pay` is writing."""
    with closing(sqlite3.connect(os.environ["PAYOUTS"], timeout=10)) as database:
        query = "SELECT name FROM customers WHERE customer = ?"
        (name,) = database.execute(query, [customer]).fetchone()
    return Person(name=name)


def allow_start(customer, about, consent):
    """Store the consent; return the customer's picture, or None if nothing may be started."""
    now = time.time()
    with transaction() as database:
        payout = database.execute(PAYOUT, [customer, about]).fetchone()
        (starts,) = database.execute(CONSENTS, [customer, now - WITHIN_S]).fetchone()
        if payout is None or payout["paid_at"] or starts >= MOST_STARTS:
            return None
        values = [customer, about, consent, now]
        database.execute("INSERT INTO consents VALUES (?, ?, ?, ?)", values)
    return payout["picture"]


# --- requests ---


def login_of(request: Request):
    """Return the login of the HttpOnly cookie. Never take it from a form or a URL."""
    logins = run("SELECT * FROM logins WHERE token = ?", request.cookies.get("login"))
    if not logins:
        raise HTTPException(401)
    return logins[0]


def login_or_none(request: Request):
    try:
        return login_of(request)
    except HTTPException:
        return None


def poster_of(login: Annotated[sqlite3.Row, Depends(login_of)], csrf: Annotated[str, Form()]):
    """Return the customer who sent a form, after checking its CSRF token."""
    if not compare_digest(csrf.encode(), login["csrf"].encode()):
        raise HTTPException(403)
    return login["customer"]


async def body_of(request: Request):
    """Return the raw body, which the signature of a webhook covers."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise HTTPException(413)
    return body


def headers_of(request: Request):
    return request.headers


def store_of(request: Request):
    return request.app.state.store


Login = Annotated[sqlite3.Row, Depends(login_of)]
MaybeLogin = Annotated[sqlite3.Row | None, Depends(login_or_none)]
Poster = Annotated[str, Depends(poster_of)]
Text = Annotated[str, Form()]
Body = Annotated[bytes, Depends(body_of)]
Headers = Annotated[Mapping, Depends(headers_of)]
Store = Annotated[SessionStore, Depends(store_of)]


def back_url():
    """Return the URL to which the vendor sends the browser back."""
    return f"{os.environ['ORIGIN']}/back"


def make_app(opened):
    """Return a web application that opens its store of sessions in each process."""

    @asynccontextmanager
    async def lifespan(app):
        with opened() as app.state.store:
            yield

    app = FastAPI(lifespan=lifespan)
    app.add_exception_handler(errors.FaceMatchError, show_error)
    # The readiness probe does not call the vendor, whose outage is not ours.
    app.add_api_route("/ready", lambda: None, status_code=204)
    return app


# --- pages ---

HEAD = """<!doctype html><html lang=en><title>Payouts</title>
<meta name=viewport content="width=device-width"><style>
:root { color-scheme: light dark; font: 1.05rem/1.6 system-ui, sans-serif; accent-color: #4f46e5 }
body { margin: 0; padding: 2rem 1rem; background: light-dark(#f6f7fb, #0e1120) }
main { max-width: 34rem; margin: auto } h2 { margin: 0; font-size: 1.15rem }
label { display: block }
form { margin: 1rem 0; padding: 1.1rem 1.4rem; border-radius: 14px;
  background: light-dark(#fff, #171b2e); box-shadow: 0 4px 18px #171a2b1a }
button { margin: .7rem .7rem 0 0; padding: .55rem 1.3rem; border: 0; border-radius: 9px;
  font: inherit; font-weight: 600; color: #fff; background: #4f46e5; cursor: pointer }
</style><main><h1>Payouts</h1>"""
FORM = """<form method=post action={}><h2>{}</h2><input type=hidden name=about value="{}">
<input type=hidden name=csrf value={}>{}</form>"""
CAMERA = """<label><input type=checkbox name=consent value=2026-11-28 required> Our vendor may film
my face and compare it with my photograph.</label> <button>Show your face</button> Or call us."""
STEPS = {
    "new": ("/start", CAMERA),
    "looking": ("/start", f"We are still checking. {CAMERA}"),
    "failed": ("/start", f"We could not verify you. {CAMERA}"),
    "verified": ("/pay", "Verified. <button>Pay</button>"),
    "paid": ("/", "Paid."),
}


def show_payouts(steps, csrf):
    """Return the page with a form for each payout; it reloads while a verdict is to come."""
    text = HEAD
    for about, step in steps.items():
        action, says = STEPS[step]
        text += FORM.format(action, escape(about), escape(about), csrf, says)
    refresh = {"Refresh": "5"} if "looking" in steps.values() else {}
    return HTMLResponse(text, headers={**PRIVATE, **refresh})


def show_component(access):
    """Return the page for a vendor without a page of its own: your script reads its parameters."""
    parameters = dict(access.page)
    if access.token is not None:
        parameters["token"] = access.token.reveal()
    # In a script element, only "<" could end the JSON.
    text = json.dumps(parameters).replace("<", "\\u003c")
    script = f'<script type="application/json" id=session>{text}</script>'
    return HTMLResponse(f"{HEAD}<div id=camera></div>{script}", headers=PRIVATE)


def show_error(_request, error):
    """Handle an outage, a lost session or a forged webhook."""
    log.warning("%s: %s", type(error).__name__, error)
    if isinstance(error, errors.WebhookRefused):
        return Response(status_code=error.http_status)
    # With these two errors a retry cannot succeed.
    is_no = isinstance(error, (errors.SessionMismatch, errors.SessionNotFound))
    page = "<p>Not now. <a href=/>Back to your payouts</a>"
    return HTMLResponse(page, 403 if is_no else 503, PRIVATE)
