"""Requests about accounts and credit of a mock world."""

import json

from kit.mock_didit import control_request, didit_request

AUTH = "/auth/v2/programmatic/"
BALANCE = "/v3/billing/balance/"
TOP_UP = "/v3/billing/top-up/"
ANNA = "anna@mailbox.dev"
ANNAS_PASSWORD = "Correct-horse-7"


def account_request(path, body=None, *, method=None, key="mock-live-key", **headers):
    """A request: POST with a JSON body, else GET."""
    if body is None:
        return didit_request(path, method=method or "GET", key=key, **headers)
    data = json.dumps(body).encode()
    return didit_request(
        path, data, "application/json", method=method or "POST", key=key, **headers
    )


def auth_request(name, **body):
    return account_request(f"{AUTH}{name}/", body, key=None)


def register_request(email=ANNA, password=ANNAS_PASSWORD, **headers):
    body = {"email": email, "password": password}
    return account_request(f"{AUTH}register/", body, key=None, **headers)


def login_request(email=ANNA, password=ANNAS_PASSWORD):
    return auth_request("login", email=email, password=password)


def verify_email(email=ANNA, change=str):
    """A step that shows the newest code of the mailbox, or what `change` makes of it."""

    def step(engine):
        codes = [mail.code for mail in engine.world.records.mails.all() if mail.to == email]
        return engine.handle(
            auth_request("verify-email", email=email, code=change((codes or ["none"])[-1]))
        )

    return step


def top_up_request(amount=75, **more):
    return account_request(TOP_UP, {"amount_in_dollars": amount, **more})


def advance_request(seconds):
    return control_request("clock/advance", {"seconds": seconds})
