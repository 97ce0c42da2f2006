"""Shops with a `SessionStore`, for a drill: one of few lines, and the service of the examples."""

import os
import sys
import threading
import warnings
from pathlib import Path

from facematch_core import FaceMatchError, Person, SessionStore, WebhookRefused, open_sessions
from facematch_mock_server import make_card

APP = Path(__file__).parents[2] / "docs/examples/shop"
ADA = "LOVELACE ADA"


def set_variables(monkeypatch, mock, vendor, secret, folder):
    """Let the profile of a vendor be that of its mock."""
    profiles = (APP / "facematch.toml").read_text()
    file = folder / "facematch.toml"
    file.write_text(profiles.replace("http://127.0.0.1:8080", mock.url))
    variables = {
        "FACEMATCH_CONFIG": str(file),
        "SHOP_KEY": mock.live_key,
        "SHOP_KEY_ID": mock.client_id or "none",
        "SHOP_WEBHOOK_SECRET": secret,
        "SHOP_VENDOR": vendor,
        "UPLOADS_KEY": "none",
        "DATABASE_URL": f"sqlite:///{folder / 'shop.sqlite3'}",
        "ORIGIN": "https://shop.example",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


class StoreShop:
    """Verifies customers for a signup, and books once."""

    def __init__(self, folder, *, looks_in_view):
        sessions = open_sessions(profile=os.environ["SHOP_VENDOR"])
        url = f"sqlite:///{folder / 'sessions.sqlite3'}"
        self.store = SessionStore(url, sessions, person=lambda _: Person(name="Ada Lovelace"))
        self.looks_in_view = looks_in_view
        self.booked = {}
        #: The customers with an open session, or one that has changed.
        self.unsettled = set()
        self.lock = threading.Lock()

    def close(self):
        self.store.close()

    def of(self, customer):
        return self.store.of(customer, purpose="signup", about=None)

    def begin(self, customer):
        self.booked.setdefault(customer, 0)
        self.unsettled.add(customer)
        if self.booked[customer]:
            return "verified"
        try:
            begun = self.of(customer).begin(
                reference=make_card("p1"), return_url="https://shop.example/back"
            )
        except FaceMatchError:
            return 503
        if begun.access is None:
            return "wait"
        link = begun.access.link or begun.access.token
        return "component" if link is None else link.reveal()

    def receive(self, body, headers):
        try:
            self.store.receive(body, headers)
        except WebhookRefused as error:
            return error.http_status
        except FaceMatchError:
            return 503
        if self.looks_in_view:
            self.look()
        return 200

    def look(self):
        for session in self.store.look():
            customer = session.record.subject_ref
            if session.is_revoked:
                self.booked[customer] = 0
            self.unsettled.add(customer)
        for customer in list(self.unsettled):
            with self.lock:
                if not self.booked[customer]:
                    self.try_to_use(customer)

    def try_to_use(self, customer):
        check = self.of(customer)
        try:
            self.booked[customer] += bool(check.use(max_age_s=3600, any_settings=False))
        except FaceMatchError:
            return  # the vendor is down: the next look tries it again
        session = check.find()
        if session is None or not session.is_open:
            self.unsettled.discard(customer)

    def job(self, _=""):
        self.look()
        return "ok"

    def state(self, customer):
        booked = self.booked.get(customer, 0)
        session = self.of(customer).find()
        state = "new"
        if booked:
            state = "approved"
        elif session is not None and session.is_open:
            state = "open"
        return {"state": state, "booked": booked}


class ServiceShop:
    """The application of `docs/examples/shop`, whose customers have one payout each."""

    def __init__(self):
        if str(APP) not in sys.path:
            sys.path.insert(0, str(APP))
        with warnings.catch_warnings():
            # Starlette's advice to install another version of httpx.
            warnings.simplefilter("ignore")
            import demo
            import migrate
            import shop
            from fastapi.testclient import TestClient

        migrate.migrate()
        self.engine = shop.engine_of(os.environ["DATABASE_URL"])
        self.client = TestClient(demo.app, "https://shop.example", follow_redirects=False)
        self.client.__enter__()

    def close(self):
        self.client.__exit__(None, None, None)
        self.engine.dispose()

    def begin(self, customer):
        self.client.get("/demo/login", params={"who": customer})
        form = {"about": f"250 EUR to {customer}", "csrf": customer, "consent": "2026-11-28"}
        headers = {"Cookie": f"login={customer}"}
        answer = self.client.post("/start", data=form, headers=headers)
        if answer.status_code >= 400:
            return answer.status_code
        return f"{answer.text} {answer.headers.get('Location')}"

    def receive(self, body, headers):
        return self.client.post("/webhook", content=body, headers=headers).status_code

    def job(self, _=""):
        self.client.get("/demo/look")
        return "ok"

    def state(self, customer):
        return self.client.get("/demo/state", params={"customer": customer}).json()
