"""Pay people after a Didit session. Web app: `uvicorn app:app`; worker: `python app.py`.

Once a day, `python app.py forget` deletes old sessions.
"""

import json
import logging
import math
import os
import sys
import time
from contextlib import asynccontextmanager
from html import escape
from urllib.parse import urlsplit

import shop
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from shop import Login, Poster, Text, run

from facematch_core import SessionRecord, SessionResult, SessionState, errors, open_sessions

TABLE = """CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY,   -- record.id
    session_id TEXT,       -- the vendor's id; NULL until the response
    record TEXT NOT NULL,  -- JSON, written before anything is sent
    look_at REAL,          -- time of the next reading; NULL: none is due
    result TEXT,           -- JSON of the last reading
    consumed_at REAL,      -- time of the one payout that it allowed
    customer TEXT NOT NULL, about TEXT NOT NULL, consent TEXT NOT NULL, planned_at REAL NOT NULL);
"""
NEWEST = "SELECT * FROM sessions WHERE customer = ? AND about = ? ORDER BY planned_at DESC LIMIT 1"
STARTS = "SELECT COUNT(*) FROM sessions WHERE customer = ? AND planned_at > ?"
PAYOUT = "SELECT * FROM payouts JOIN customers USING (customer) WHERE customer = ? AND about = ?"
MOST_STARTS, WITHIN_S = 5, 3600
KEPT_S = 90 * 86_400  # how long a payout may be disputed
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
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
CAMERA = """<label><input type=checkbox name=consent value=2026-11-23 required> Didit may film my
face and compare it with my photograph.</label> <button>Show your face</button> Or call us."""
STEPS = {
    "new": ("/start", CAMERA),
    "looking": ("/start", f"We are still checking. {CAMERA}"),
    "failed": ("/start", f"We could not verify you. {CAMERA}"),
    "verified": ("/pay", "Verified. <button>Pay</button>"),
    "paid": ("/", "Paid."),
}
log = logging.getLogger("payouts")


def opened():
    """Open this process's sessions, from FACEMATCH_CONFIG or from the DIDIT_ variables."""
    with shop.transaction() as database:
        for table in (TABLE, *shop.TABLES):
            database.execute(table)
    return_hosts = [urlsplit(os.environ["ORIGIN"]).hostname]
    if "FACEMATCH_CONFIG" in os.environ:
        return open_sessions(profile="shop", return_hosts=return_hosts)
    return open_sessions(
        "didit",
        base_url=os.environ.get("DIDIT_BASE_URL", "https://verification.didit.me"),
        environment=os.environ["DIDIT_ENVIRONMENT"],  # of the key; Didit's responses lack it
        workflow_takes_reference=True,
        return_hosts=return_hosts,
        require_environment=os.environ.get("REQUIRE_ENVIRONMENT", "production"),
    )


@asynccontextmanager
async def lifespan(app):
    with opened() as app.state.sessions:
        yield


app = FastAPI(lifespan=lifespan)


def record_of(row):
    return SessionRecord.from_dict(json.loads(row["record"]))


def save(record):
    # Another tab may have closed the row before the session existed.
    columns = "session_id = ?, record = ?, look_at = COALESCE(look_at, ?)"
    values = (record.session_id, json.dumps(record.to_dict()), time.time() + 60, record.id)
    run(f"UPDATE sessions SET {columns} WHERE id = ?", *values)


def is_verified(result, customer, about, max_age_s=3600):
    """Return whether a verdict is positive, recent, and for this customer and payout."""
    question = {"purpose": "payout", "about": about, "max_age_s": max_age_s}
    return result is not None and result.is_verified_for(customer, **question)


def last_result(row):
    """Return the last reading, for display only: `pay` reads the session again."""
    if row is None or row["result"] is None:
        return None
    return SessionResult.from_dict(json.loads(row["result"]))


@app.get("/ready", status_code=204)
def ready():
    """Answer the readiness probe. Does not call the vendor, whose outage is not ours."""


@app.get("/", response_class=HTMLResponse)
def payouts(login: Login, answer: Response):
    answer.headers.update(PRIVATE)
    customer, text = login["customer"], HEAD
    for about, paid_at in run("SELECT about, paid_at FROM payouts WHERE customer = ?", customer):
        (row,) = run(NEWEST, customer, about) or [None]
        step = "new" if row is None else "looking" if row["look_at"] else "failed"
        step = "verified" if is_verified(last_result(row), customer, about) else step
        step = "paid" if paid_at else step
        if step == "looking":
            answer.headers["Refresh"] = "5"
        action, says = STEPS[step]
        text += FORM.format(action, *[escape(about)] * 2, login["csrf"], says)
    return text


@app.post("/start")
def start(request: Request, customer: Poster, about: Text, consent: Text):
    """Redirect the customer to the open session, or to a new one."""
    sessions, now = request.app.state.sessions, time.time()
    with shop.transaction() as database:
        payout = database.execute(PAYOUT, [customer, about]).fetchone()
        row = database.execute(NEWEST, [customer, about]).fetchone()
        starts = database.execute(STARTS, [customer, now - WITHIN_S]).fetchone()[0]
        record = record_of(row) if row and row["look_at"] else None
        is_over = payout and (payout["paid_at"] or is_verified(last_result(row), customer, about))
        if not payout or is_over or (starts >= MOST_STARTS and not record):
            raise HTTPException(429)
        if not record:
            record = sessions.plan(customer, purpose="payout", about=about)
            values = (
                record.id,
                json.dumps(record.to_dict()),
                now + 60,
                customer,
                about,
                consent,
                now,
            )
            insert = "INSERT INTO sessions VALUES (?, NULL, ?, ?, NULL, NULL, ?, ?, ?, ?)"
            database.execute(insert, values)
    # The row is committed, so a crash from here on loses nothing.
    close(sessions, customer, besides=record.id)
    if record.session_id:
        result = sessions.read(record, with_access=True)
    else:  # after a lost response, this retries the same start
        reference, back = payout["picture"], f"{os.environ['ORIGIN']}/back"
        result = sessions.start(record, reference=reference, return_url=back)
        save(result.record)
    # Without `access` the session is over; the page shows the outcome.
    place = result.access.link.reveal() if result.access else "/"
    return RedirectResponse(place, 303, PRIVATE)


@app.exception_handler(errors.FaceMatchError)
def failed(_request, error):
    """Handle an outage or a lost session; the payouts page shows the state of each."""
    log.warning("%s: %s", type(error).__name__, error)
    # With these two errors a retry cannot succeed.
    is_no = isinstance(error, (errors.SessionMismatch, errors.SessionNotFound))
    status = 403 if is_no else 503
    return HTMLResponse("<p>Not now. <a href=/>Back to your payouts</a>", status, PRIVATE)


@app.get("/back")
def back(request: Request):
    """Receive the browser from the vendor. The URL's parameters prove nothing: ignore them."""
    try:
        login = shop.login_of(request)
    except HTTPException:  # a phone that was only used as the camera
        return HTMLResponse("<p>Thank you. Continue where you started.", headers=PRIVATE)
    open_ones = "customer = ? AND look_at IS NOT NULL"
    run(f"UPDATE sessions SET look_at = ? WHERE {open_ones}", time.time(), login["customer"])
    return RedirectResponse("/", 303, PRIVATE)


@app.post("/didit")
async def didit(request: Request):
    """Receive a webhook: a hint to read the session soon. `look_at` serves as the queue."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > 262_144:
            return Response(status_code=413)
    try:
        hints = request.app.state.sessions.receive(body, request.headers)
    except errors.WebhookRefused as refused:
        log.warning("refused: %s", refused)
        return Response(status_code=refused.http_status)
    change = "UPDATE sessions SET look_at = ? WHERE id = ? OR session_id = ?"
    for hint in hints:  # changes no row if the session is not ours
        await run_in_threadpool(run, change, time.time(), hint.record_id, hint.session_id)
    return Response(status_code=204)


@app.post("/pay")
def pay(request: Request, customer: Poster, about: Text):
    """Read the session again, as a webhook may be lost, and pay one payout once."""
    consume = (
        "UPDATE sessions SET consumed_at = ?, look_at = ? WHERE id = ? AND consumed_at IS NULL"
    )
    change = "UPDATE payouts SET paid_at = ? WHERE about = ? AND paid_at IS NULL"
    (row,) = run(NEWEST, customer, about) or [None]
    # Read outside the transaction, consume inside it.
    result = request.app.state.sessions.read(record_of(row)) if row and row["session_id"] else None
    if not is_verified(result, customer, about):
        raise HTTPException(403)
    with shop.transaction() as database:
        # Setting `look_at` schedules another reading: the verdict may have been revoked since.
        if database.execute(consume, [time.time(), time.time(), row["id"]]).rowcount == 1:
            database.execute(change, [time.time(), about])
    return RedirectResponse("/", 303, PRIVATE)


@app.post("/logout")
def logout(request: Request, login: Login, customer: Poster):
    run("DELETE FROM logins WHERE token = ?", login["token"])
    close(request.app.state.sessions, customer)
    return HTMLResponse("Goodbye.", headers=PRIVATE)


def close(sessions, customer, besides=""):
    """Delete pending sessions, so that their links stop working: at logout or another start."""
    pending = "COALESCE(json_extract(result, '$.state'), 'pending') = 'pending'"
    theirs = f"customer = ? AND id != ? AND look_at IS NOT NULL AND {pending}"
    for row in run(f"SELECT * FROM sessions WHERE {theirs}", customer, besides):
        sessions.delete(record_of(row))
        run("UPDATE sessions SET look_at = NULL WHERE id = ?", row["id"])


def look(sessions):
    """Read the due sessions. A worker leases each row for a minute."""
    lease = time.time() + 60
    due = "SELECT id FROM sessions WHERE look_at <= ? ORDER BY look_at LIMIT 10"
    take = f"UPDATE sessions SET look_at = ? WHERE id IN ({due}) RETURNING *"
    # If `look_at` is no longer this lease (a hint came, or the lease expired and another worker
    # took the row), this reading may be outdated and is not written.
    change = "UPDATE sessions SET result = ?, look_at = ? WHERE id = ? AND look_at = ? RETURNING *"
    for row in run(take, lease, time.time()):
        try:
            result = sessions.read(record_of(row))
        except (errors.FaceMatchError, ValueError) as error:
            log.warning("%s: %s: %s", row["id"], type(error).__name__, error)
            if isinstance(error, errors.SessionMismatch):  # discard an earlier verdict, too
                run("UPDATE sessions SET look_at = NULL, result = NULL WHERE id = ?", row["id"])
            elif isinstance(error, errors.SessionNotFound):
                run("UPDATE sessions SET look_at = NULL WHERE id = ?", row["id"])
            continue  # other errors: retry when the lease expires
        save(result.record)
        document = row["result"] if result.state is SessionState.GONE else None
        document = document or json.dumps(result.to_dict())
        look_at = result.read_again_s and time.time() + result.read_again_s
        for now in run(change, document, look_at, row["id"], lease):
            still = is_verified(result, now["customer"], now["about"], max_age_s=math.inf)
            if now["consumed_at"] and not still:
                log.critical("%s was paid, and passes no longer", row["id"])


def forget(sessions):
    """Delete sessions after the dispute period: first the vendor's data, then the row."""
    # Only the age matters, so sessions in an unknown state are deleted, too.
    for row in run("SELECT * FROM sessions WHERE planned_at < ?", time.time() - KEPT_S):
        try:
            sessions.delete(record_of(row))
        except errors.SessionNotFound:
            pass  # the start never created a session
        except errors.FaceMatchError as error:  # retried tomorrow
            log.warning("%s: %s: %s", row["id"], type(error).__name__, error)
            continue
        run("DELETE FROM sessions WHERE id = ?", row["id"])


if __name__ == "__main__":
    with opened() as sessions:
        if sys.argv[1:] == ["forget"]:
            sys.exit(forget(sessions))
        while True:
            look(sessions)
            time.sleep(1)
