"""Requests about accounts and credit of a mock world."""

import json

from kit.mock_didit import control, request

AUTH = "/auth/v2/programmatic/"
ME = "/auth/v2/organizations/me/"
BALANCE = "/v3/billing/balance/"
TOP_UP = "/v3/billing/top-up/"
ANNA = "anna@mailbox.dev"
PASSWORD = "Correct-horse-7"


def told(path, body=None, *, method=None, key="mock-live-key", **headers):
    """A request: POST with a JSON body, else GET."""
    if body is None:
        return request(path, method=method or "GET", key=key, **headers)
    data = json.dumps(body).encode()
    return request(path, data, "application/json", method=method or "POST", key=key, **headers)


def auth(name, **body):
    return told(f"{AUTH}{name}/", body, key=None)


def register(email=ANNA, password=PASSWORD, **headers):
    body = {"email": email, "password": password}
    return told(f"{AUTH}register/", body, key=None, **headers)


def login(email=ANNA, password=PASSWORD):
    return auth("login", email=email, password=password)


def verify(email=ANNA, change=str):
    """A step that shows the newest code of the mailbox, or what `change` makes of it."""

    def step(engine):
        codes = [mail.code for mail in engine.world.records.mails.all() if mail.to == email]
        return engine.handle(
            auth("verify-email", email=email, code=change((codes or ["none"])[-1]))
        )

    return step


def opened(engine, email=ANNA):
    """What was opened for that address, or None."""
    account = engine.world.records.accounts.find(email)
    return None if account is None else account.organization


def with_token(path=ME):
    def step(engine):
        token = engine.handle(login()).json().get("access_token", "none")
        return engine.handle(told(path, key=None, Authorization=f"Bearer {token}"))

    return step


def top_up(amount=75, **more):
    return told(TOP_UP, {"amount_in_dollars": amount, **more})


def later(seconds):
    return control("clock/advance", {"seconds": seconds})


FAILED = login(password="wrong")
