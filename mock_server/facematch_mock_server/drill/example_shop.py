"""A small shop that verifies customers at Stripe, for `facematch drill --example`.

It is wrong on purpose: the last webhook that arrives wins, also if its event is an older one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import Request, urlopen

_SESSIONS = "https://api.stripe.com/v1/identity/verification_sessions"
_WORDS = {"verified": "approved", "canceled": "declined"}

states: dict[str, str] = {}


def begin(customer: str) -> dict[str, str]:
    """Start a session, the same for the same customer."""
    fields = {
        "type": "document",
        "options[document][require_matching_selfie]": "true",
        "metadata[customer]": customer,
    }
    key = base64.b64encode(f"{os.environ['STRIPE_SECRET_KEY']}:".encode()).decode()
    headers = {"Authorization": f"Basic {key}", "Idempotency-Key": customer}
    request = Request(_SESSIONS, urlencode(fields).encode(), headers)
    with urlopen(request, timeout=10) as answer:  # noqa: S310
        session = json.load(answer)
    states.setdefault(customer, "open")
    return {"url": session["url"]}


def receive(body: bytes, signature: str) -> int:
    """Believe a webhook that Stripe signed lately; return the status to answer."""
    parts = dict(part.partition("=")[::2] for part in signature.split(","))
    signed = f"{parts['t']}.".encode() + body
    secret = os.environ["STRIPE_WEBHOOK_SECRET"].encode()
    expected = hmac.new(secret, signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, parts["v1"]) or time.time() - int(parts["t"]) > 300:
        return 400
    session = json.loads(body)["data"]["object"]
    states[session["metadata"]["customer"]] = _WORDS.get(session["status"], "open")
    return 200


class Shop(BaseHTTPRequestHandler):
    """The shop's routes: ``/verify``, ``/webhook`` and ``/state``."""

    def do_POST(self) -> None:
        """Begin, or take a webhook."""
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path == "/webhook":
            self._answer(receive(body, self.headers["Stripe-Signature"] or "t=0,v1="), {})
        else:
            self._answer(200, begin(parse_qs(url.query)["customer"][0]))

    def do_GET(self) -> None:
        """Tell the state of a customer."""
        customer = parse_qs(urlsplit(self.path).query)["customer"][0]
        self._answer(200, {"state": states.get(customer, "new")})

    def _answer(self, status: int, document: dict[str, str]) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
