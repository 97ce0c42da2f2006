"""Shops with a `SessionStore`, for a drill: one of few lines, and the service of the examples."""

import sys
import threading
import warnings
from pathlib import Path

from facematch_core import FaceMatchError, Person, SessionStore, WebhookRefused, open_sessions
from facematch_mock_server import make_card

APP = Path(__file__).parents[2] / "docs/examples/sessions_app"
PROFILES = APP / "profiles"
ADA = "LOVELACE ADA"


def set_variables(monkeypatch, mock, vendor, secret, folder):
    """Let the profile `shop` be that of a vendor's mock."""
    profile = (PROFILES / f"{vendor}.toml").read_text()
    file = folder / "facematch.toml"
    file.write_text(profile.replace("http://127.0.0.1:8080", mock.url))
    variables = {
        "FACEMATCH_CONFIG": str(file),
        "SHOP_KEY": mock.live_key,
        "SHOP_KEY_ID": mock.client_id or "none",
        "SHOP_WEBHOOK_SECRET": secret,
        "PAYOUTS": str(folder / "payouts.sqlite3"),
        "ORIGIN": "https://shop.example",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


class StoreShop:
    """Verifies customers for a signup, and books once."""

    def __init__(self, folder, *, looks_in_view):
        sessions = open_sessions(profile="shop")
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
    """The service of `docs/examples/sessions_app`, whose customers have one payout each."""

    def __init__(self):
        if str(APP) not in sys.path:
            sys.path.insert(0, str(APP))
        with warnings.catch_warnings():
            # Starlette's advice to install another version of httpx.
            warnings.simplefilter("ignore")
            import app
            import shop
            from fastapi.testclient import TestClient

        self.app, self.shop = app, shop
        self.lock = threading.Lock()
        self.client = TestClient(app.app, "https://shop.example", follow_redirects=False)
        self.client.__enter__()

    def close(self):
        self.client.__exit__(None, None, None)

    @property
    def store(self):
        return self.app.app.state.store

    def post(self, path, customer, **fields):
        fields = {"about": f"payout of {customer}", "csrf": f"form of {customer}", **fields}
        return self.client.post(path, data=fields, headers={"Cookie": f"login={customer}"})

    def begin(self, customer):
        with self.lock:
            if not self.shop.run("SELECT 1 FROM logins WHERE token = ?", customer):
                self.register(customer)
        answer = self.post("/start", customer, consent="2026-11-28")
        if answer.status_code >= 400:
            return answer.status_code
        return f"{answer.text} {answer.headers.get('Location')}"

    def register(self, customer):
        form, about = f"form of {customer}", f"payout of {customer}"
        self.shop.run("INSERT INTO logins VALUES (?, ?, ?)", customer, customer, form)
        picture = make_card("p1")
        self.shop.run("INSERT INTO customers VALUES (?, 'Ada Lovelace', ?)", customer, picture)
        self.shop.run("INSERT INTO payouts VALUES (?, ?, NULL)", about, customer)

    def receive(self, body, headers):
        return self.client.post("/webhook", content=body, headers=headers).status_code

    def job(self, _=""):
        self.app.look(self.store)
        return "ok"

    def state(self, customer):
        rows = self.shop.payouts_of(customer)
        if not rows:
            return "new"
        payout = self.app.payout_of(self.store, customer, rows[0]["about"])
        words = {"looking": "open", "failed": "none", "verified": "approved"}
        step = self.app.step_of(payout)
        return words.get(step, step)
