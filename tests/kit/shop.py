"""A small shop that verifies customers at Stripe, right or with one of the usual mistakes.

In a test: `Shop(url, key, secret, file, mistake)`; as a program: `python shop.py PORT FILE
[MISTAKE]`, with the mock's URL, key and secret in the environment.
"""

import hashlib
import hmac
import json
import os
import sqlite3
import sys
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import requests

#: Each mistake, with the verdict and a story that shows it.
MISTAKES = {
    "last event wins": ("a yes was lost", "begin,fail,pass,hooks-reversed"),
    "any event is a yes": ("approved without a yes", "begin,other"),
    "submitted is a yes": ("approved without a yes", "begin,other"),
    "books at each event": ("booked twice", "begin,pass"),
    "books twice in a race": ("booked twice", "begin,pass,hooks-race"),
    "verifies nothing": ("accepts a forgery", "begin,unsigned"),
    "believes any signature": ("accepts a forgery", "begin,forged"),
    "signs the time alone": ("accepts a forgery", "begin,changed"),
    "takes any age": ("accepts a replay", "begin,pass,old"),
    "verifies written again": ("refuses webhooks", "begin,pass"),
    "forgets one tab": ("a yes was lost", "begin-twice,pass"),
    "starts twice": ("charged twice for one wish", "begin-twice,pass-all"),
    "never asks": ("a yes was lost", "begin,pass,hooks-lost"),
    "an outage is a no": ("declined without a no", "begin,pass,hooks-503"),
    "swallows an outage": ("a yes was lost", "begin,pass,hooks-503"),
    "swallows a limit": ("a yes was lost", "begin,pass,hooks-429"),
    "gives up a slow read": ("a yes was lost", "begin,pass,hooks-slow"),
    "seen before it is read": ("a yes was lost", "begin,pass,hooks-503"),
    "a failure is final": ("a yes was lost", "begin,fail,hooks,pass"),
    "locked by a failed start": ("cannot begin", "begin-503,begin,pass"),
    "refuses after a failure": ("cannot begin", "begin,other,hooks-reversed,begin,pass"),
    "drops late events": ("a yes was lost", "begin,pass,hooks-late"),
    "unknown session makes a row": ("cannot begin", "begin-early,pass"),
    "back is a yes": ("approved without a yes", "begin,leave,hooks,begin,pass"),
    "answers 500": ("refuses webhooks", "begin,pass"),
    "a job that fails": ("its job fails", "begin,pass"),
}
#: The mistakes that only a killed program shows.
MISTAKES_WHEN_KILLED = {
    "200 first": ("a yes was lost", "begin,pass,hooks-kill"),
    "in memory": ("a yes was lost", "begin,kill,pass"),
}
#: Ways to be right.
RIGHT = (
    "",
    "trusts signed events in order",
    "reads in the job alone",
    "reads when asked",
    "refuses the second click",
    "ignores forgeries with 200",
    "says only yes or not",
    "works in the background",
    "a new session for each try",
    "limits tries",
)
#: The ways that take an event's word for the newest state.
BELIEVES_EVENTS = (
    "last event wins",
    "verifies nothing",
    "believes any signature",
    "refuses after a failure",
)
TABLES = (
    "CREATE TABLE IF NOT EXISTS tries (customer, session UNIQUE, state, at)",
    "CREATE TABLE IF NOT EXISTS customers (customer PRIMARY KEY, state, booked, failed, key)",
    "CREATE TABLE IF NOT EXISTS events (id PRIMARY KEY)",
)


class Refused(Exception):
    """The status of an answer."""


class Shop:
    def __init__(self, url, key, secret, file, way=""):
        self.url, self.key, self.secret, self.way = url, key, secret, way
        self.file = ":memory:" if way == "in memory" else file
        self.lock = threading.RLock()
        self.kept = sqlite3.connect(self.file, check_same_thread=False, isolation_level=None)
        self.kept.row_factory = sqlite3.Row
        self.begun = set()
        for table in TABLES:
            self.run(table)

    def close(self):
        self.kept.close()

    def run(self, sql, *values):
        with self.lock, closing(self.kept.execute(sql, values)) as cursor:
            return cursor.fetchall()

    def stripe(self, method, path, timeout=10, **options):
        with requests.Session() as http:
            http.trust_env = False
            answer = http.request(
                method,
                f"{self.url}/v1/identity/verification_sessions{path}",
                auth=(self.key, ""),
                timeout=timeout,
                **options,
            )
        answer.raise_for_status()
        return answer.json()

    # The customer

    def begin(self, customer):
        self.run("INSERT OR IGNORE INTO customers VALUES (?, 'new', 0, 0, 0)", customer)
        (row,) = self.run("SELECT * FROM customers WHERE customer = ?", customer)
        if row["state"] == "approved":
            return {"state": "approved"}
        if self.way == "back is a yes" and customer in self.begun:
            self.set_state(customer, "approved")
        if self.way == "refuses after a failure" and row["state"] == "open":
            raise Refused(403)
        if self.way == "locked by a failed start":
            if row["state"] == "starting":
                raise Refused(403)
            self.set_state(customer, "starting")
        if self.way == "limits tries" and row["failed"] > 1:
            raise Refused(429)
        if self.way == "refuses the second click":
            with self.lock:
                if customer in self.begun:
                    raise Refused(409)
                self.begun.add(customer)
            try:
                return self.start(customer, row)
            finally:
                self.begun.discard(customer)
        self.begun.add(customer)
        return self.start(customer, row)

    def start(self, customer, row):
        tries = self.run("SELECT * FROM tries WHERE customer = ? ORDER BY at", customer)
        is_new_try = self.way == "a new session for each try" and row["failed"] > row["key"]
        forgets = self.way in ("starts twice", "forgets one tab")
        starts_anyway = self.way in ("starts twice", "unknown session makes a row")
        if tries and not is_new_try and not starts_anyway:
            session = self.stripe("GET", f"/{tries[-1]['session']}")
            if session["status"] != "canceled":
                return {"url": session["url"], "id": session["id"]}
        if is_new_try:
            self.run("UPDATE customers SET key = failed WHERE customer = ?", customer)
            row = {**row, "key": row["failed"]}
        headers = {} if forgets else {"Idempotency-Key": f"{customer}-{row['key']}"}
        fields = {
            "type": "document",
            "options[document][require_matching_selfie]": "true",
            "metadata[customer]": customer,
        }
        session = self.try_to_start(headers, fields)
        if self.way == "forgets one tab":
            self.run("DELETE FROM tries WHERE customer = ?", customer)
        insert = "INSERT OR IGNORE INTO tries VALUES (?, ?, 'open', ?)"
        if self.way == "unknown session makes a row":
            insert = "INSERT INTO tries VALUES (?, ?, 'open', ?)"
        self.run(insert, customer, session["id"], time.time())
        if self.way == "locked by a failed start":
            self.set_state(customer, "open")
        return {"url": session["url"], "id": session["id"]}

    def try_to_start(self, headers, fields):
        for _ in range(3):
            try:
                return self.stripe("POST", "", headers=headers, data=fields)
            except requests.ConnectionError:
                continue
        raise Refused(503)

    def state(self, customer):
        if self.way == "reads when asked":
            for row in self.run("SELECT session FROM tries WHERE customer = ?", customer):
                self.refresh(row["session"])
        rows = self.run("SELECT state, booked FROM customers WHERE customer = ?", customer)
        state, booked = rows[0] if rows else ("new", 0)
        if self.way == "says only yes or not":
            return {"verified": state == "approved", "booked": booked}
        return {"state": "open" if state == "starting" else state, "booked": booked}

    def set_state(self, customer, state):
        self.run("UPDATE customers SET state = ? WHERE customer = ?", state, customer)

    # Webhooks

    def receive(self, body, headers):
        headers = {name.lower(): value for name, value in headers.items()}
        if not self.is_genuine(body, headers.get("stripe-signature", "")):
            return 200 if self.way == "ignores forgeries with 200" else 400
        event = json.loads(body)
        if self.way == "drops late events" and event["created"] < time.time() - 3600:
            return 200
        if self.way == "seen before it is read":
            if self.run("SELECT 1 FROM events WHERE id = ?", event["id"]):
                return 200
            self.run("INSERT INTO events VALUES (?)", event["id"])
        if self.way == "reads in the job alone":
            return 200
        if self.way in ("works in the background", "200 first"):
            if self.way == "works in the background":
                self.run("INSERT OR IGNORE INTO events VALUES (?)", event["data"]["object"]["id"])
            threading.Thread(target=self.handle, args=(event,), daemon=True).start()
            return 200
        return self.handle(event)

    def is_genuine(self, body, signature):
        if self.way == "verifies nothing":
            return True
        parts = dict(part.split("=", 1) for part in signature.split(",") if "=" in part)
        if self.way == "believes any signature":
            return "v1" in parts
        if self.way == "verifies written again":
            body = json.dumps(json.loads(body), separators=(",", ":")).encode()
        message = parts.get("t", "").encode() + b"." + body
        expected = hmac.new(self.secret.encode(), message, hashlib.sha256).hexdigest()
        if self.way == "signs the time alone":
            return abs(time.time() - int(parts.get("t", "0"))) < 300
        if not hmac.compare_digest(expected, parts.get("v1", "")):
            return False
        return self.way == "takes any age" or abs(time.time() - int(parts["t"])) <= 300

    def handle(self, event):
        session = event["data"]["object"]
        customer = session["metadata"].get("customer")
        known = self.run("SELECT 1 FROM tries WHERE session = ?", session["id"])
        if self.way == "unknown session makes a row" and not known:
            insert = "INSERT INTO tries VALUES (?, ?, 'open', ?)"
            self.run(insert, customer, session["id"], time.time())
        if self.way == "forgets one tab" and not known:
            return 200
        if self.way in BELIEVES_EVENTS:
            return self.note(customer, session)
        if self.way in ("signs the time alone", "trusts signed events in order"):
            return self.note_if_newer(customer, session, event)
        if self.way == "any event is a yes":
            return self.note(customer, {**session, "status": "verified"})
        if self.way == "submitted is a yes" and session["status"] == "processing":
            return self.note(customer, {**session, "status": "verified"})
        try:
            self.refresh(session["id"])
        except requests.RequestException:
            return self.answer_outage(customer)
        return 500 if self.way == "answers 500" else 200

    def answer_outage(self, customer):
        if self.way == "an outage is a no":
            self.set_state(customer, "declined")
        swallows = ("an outage is a no", "swallows an outage", "swallows a limit")
        if self.way in (*swallows, "gives up a slow read"):
            return 200
        return 500

    def note_if_newer(self, customer, session, event):
        (row,) = self.run("SELECT state, key FROM customers WHERE customer = ?", customer)
        if event["created"] >= row["key"] and row["state"] != "approved":
            self.run("UPDATE customers SET key = ? WHERE customer = ?", event["created"], customer)
            self.note(customer, session)
        return 200

    def refresh(self, session_id):
        timeout = 1 if self.way == "gives up a slow read" else 10
        session = self.stripe("GET", f"/{session_id}", timeout=timeout)
        self.note(session["metadata"]["customer"], session)

    def note(self, customer, session):
        rows = self.run("SELECT state, booked FROM customers WHERE customer = ?", customer)
        if not rows:
            return 200
        state, booked = rows[0]
        if self.way == "a failure is final" and state == "declined":
            return 200
        failed = session["status"] == "requires_input" and session["last_error"] is not None
        if session["status"] == "verified":
            bookings = "1"
            if self.way == "books at each event":
                bookings = "booked + 1"
            if self.way == "books twice in a race":
                bookings = "booked"
                if booked == 0:
                    time.sleep(0.5)  # the other view has read the same row
                    bookings = "booked + 1"
            self.run(f"UPDATE customers SET booked = {bookings} WHERE customer = ?", customer)
            self.set_state(customer, "approved")
        elif state != "approved" or self.way in BELIEVES_EVENTS:
            self.set_state(customer, "declined" if failed else "open")
        if failed:
            self.run("UPDATE customers SET failed = failed + 1 WHERE customer = ?", customer)
        return 200

    def job(self, _=""):
        if self.way == "a job that fails":
            raise Refused(500)
        if self.way in ("never asks", "200 first", *MISTAKES) and self.way != "in memory":
            return "ok"
        for row in self.run("SELECT session FROM tries"):
            self.refresh(row["session"])
        return "ok"

    def answer(self, act, *arguments):
        """Return what a view returns; the status if it refuses or fails, as a web server does."""
        try:
            return act(*arguments)
        except Refused as refused:
            return refused.args[0]
        except Exception:  # noqa: BLE001 - any failure is the same to the caller
            return 500


def serve(shop, port):
    """Serve a shop until it is killed."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer()

        def do_POST(self):
            self.answer()

        def answer(self):
            url = urlsplit(self.path)
            customer = parse_qs(url.query).get("customer", [""])[0]
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            views = {"/verify": shop.begin, "/state": shop.state, "/job": shop.job}
            if url.path in views:
                answer = shop.answer(views[url.path], customer)
            else:
                answer = shop.answer(shop.receive, body, dict(self.headers))
            status = answer if isinstance(answer, int) else 200
            sys.stderr.write(f"{self.command} {url.path} {status}\n")
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    port, file, *way = sys.argv[1:]
    names = ("DRILL_URL", "DRILL_KEY", "DRILL_SECRET")
    serve(Shop(*(os.environ[name] for name in names), file, *way), int(port))
