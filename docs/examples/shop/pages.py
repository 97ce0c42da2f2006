"""The shop's pages: plain HTML, without a script."""

import json
import os
from collections.abc import Iterable
from html import escape
from typing import Any

from fastapi.responses import HTMLResponse

PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
HEAD = """<!doctype html><html lang=en><title>Payouts</title>
<meta name=viewport content="width=device-width"><style>
:root { color-scheme: light dark; font: 1.05rem/1.6 system-ui, sans-serif; accent-color: #4f46e5 }
body { margin: 0; padding: 2rem 1rem; background: light-dark(#f6f7fb, #0e1120) }
main { max-width: 34rem; margin: auto; overflow-wrap: anywhere }
h2 { margin: 0; font-size: 1.15rem }
label { display: block } img { height: 9rem }
form { margin: 1rem 0; padding: 1.1rem 1.4rem; border-radius: 14px;
  background: light-dark(#fff, #171b2e); box-shadow: 0 4px 18px #171a2b1a }
button { margin: .7rem .7rem 0 0; padding: .55rem 1.3rem; border: 0; border-radius: 9px;
  font: inherit; font-weight: 600; color: #fff; background: #4f46e5; cursor: pointer }
</style><main><h1>Payouts</h1>"""
FORM = """<form method=post action={}><h2>{}</h2><input type=hidden name=about value="{}">
<input type=hidden name=csrf value={}>{}</form>"""
CAMERA = """<label><input type=checkbox name=consent value=2026-11-28 required> Our vendor may film
my face and compare it with my photograph.</label> <button>Show your face</button> Or call us."""
PAYOUTS = {
    "new": ("/start", CAMERA),
    "looking": ("/start", f"We are still checking. {CAMERA}"),
    "waiting": ("/", "Our staff looks at it."),
    "failed": ("/start", f"We could not verify you. {CAMERA}"),
    "verified": ("/pay", "Verified. <button>Pay</button>"),
    "paid": ("/", "Paid."),
}
UPLOAD = """<form method=post action=/verifications enctype=multipart/form-data>
<h2>Open an account</h2><input type=hidden name=csrf value={}>{}
<label>Selfie <input type=file name=selfie accept="image/*" capture=user required></label>
<label>Passport <input type=file name=document accept="image/*" required></label>
<button>Verify</button></form>"""
OPEN = "Verified. <button>Open the account</button>"
FOOT = """<form method=post action=/logout><input type=hidden name=csrf value={}>
<button>Log out</button>{}</form>"""
LEAVE = "<button formaction=/leave>Delete my account</button>"
DECISION = """<form method=post action=/desk><h2>{purpose}, {customer}, {about}</h2>{pictures}
<p>{verdict}. {reasons}</p><input type=hidden name=csrf value={csrf}>
<input type=hidden name=purpose value="{purpose}"><input type=hidden name=about value="{about}">
<input type=hidden name=customer value="{customer}">
<input type=hidden name=evidence value={evidence}>
<label>Reason <input name=reason required></label>
<button name=answer value=accept>Accept</button>
<button name=answer value=refuse>Refuse</button></form>"""


def back_url() -> str:
    """Return the URL to which the vendor sends the browser back."""
    return f"{os.environ['ORIGIN']}/back"


def show_signup(step: str, csrf: str) -> HTMLResponse:
    """Return the page for uploads, or what follows them."""
    if step == "continue":
        body = FORM.format("/accounts", "Your account", "account", csrf, OPEN)
    elif step == "wait":
        body = "<p>We cannot decide this online. Please call us."
    else:
        says = "Please take other photographs." if step == "retake" else ""
        body = UPLOAD.format(csrf, says)
    return HTMLResponse(HEAD + body + FOOT.format(csrf, LEAVE), headers=PRIVATE)


def show_payouts(steps: dict[str, str], csrf: str) -> HTMLResponse:
    """Return the page with a form for each payout; it reloads while a verdict is to come."""
    text = HEAD
    for about, step in steps.items():
        action, says = PAYOUTS[step]
        text += FORM.format(action, escape(about), escape(about), csrf, says)
    refresh = {"Refresh": "5"} if "looking" in steps.values() else {}
    foot = FOOT.format(csrf, LEAVE)
    return HTMLResponse(text + foot, headers={**PRIVATE, **refresh})


def show_component(access: Any) -> HTMLResponse:
    """Return the page for a vendor without a page of its own: your script reads its parameters."""
    parameters = dict(access.page)
    if access.token is not None:
        parameters["token"] = access.token.reveal()
    # In a script element, only "<" could end the JSON.
    text = json.dumps(parameters).replace("<", "\\u003c")
    script = f'<script type="application/json" id=session>{text}</script>'
    return HTMLResponse(f"{HEAD}<div id=camera></div>{script}", headers=PRIVATE)


def show_queue(waiting: Iterable[tuple[Any, Any]], csrf: str) -> HTMLResponse:
    """Return the desk's page with a form for each case: the oldest first."""
    text = HEAD
    for row, found in waiting:
        pictures = ""
        if row.purpose == "signup":
            for name in ("selfie", "document"):
                pictures += f'<img src="/desk/{row.about}/{name}" alt={name}>'
        text += DECISION.format(
            purpose=row.purpose,
            customer=escape(row.customer),
            about=escape(row.about),
            pictures=pictures,
            verdict=verdict_of(found.result),
            reasons=escape(
                ", ".join(str(each.text or each.code) for each in found.result.warnings)
            ),
            csrf=csrf,
            evidence=found.evidence,
        )
    return HTMLResponse(text + FOOT.format(csrf, ""), headers=PRIVATE)


def verdict_of(result: Any) -> str:
    """Return the two halves of a verdict with the score, for the staff alone."""
    match, liveness = result.match, result.liveness
    halves = [f"Face: {match.decision} {match.score or ''}", f"liveness: {liveness.decision}"]
    return escape(", ".join(halves))


def sorry(words: str, status: int) -> HTMLResponse:
    return HTMLResponse(f"<p>{words} <a href=/>Back</a>", status, PRIVATE)
