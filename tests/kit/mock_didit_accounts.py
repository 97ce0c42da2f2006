"""Accounts and credit of a mock world for tests: requests, and all that their claims need."""

import json

from kit.mock_didit import control, match, request

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
    """A request to the host that registers accounts."""
    return told(f"{AUTH}{name}/", body, key=None)


def register(email=ANNA, password=PASSWORD, **headers):
    """A registration."""
    body = {"email": email, "password": password}
    return told(f"{AUTH}register/", body, key=None, **headers)


def login(email=ANNA, password=PASSWORD):
    """A login."""
    return auth("login", email=email, password=password)


def verify(email=ANNA, change=str):
    """A step that shows the newest code of the mailbox, or what `change` makes of it."""

    def step(engine):
        codes = [mail.code for mail in engine.world.records.mails.all if mail.to == email]
        return engine.handle(
            auth("verify-email", email=email, code=change((codes or ["none"])[-1]))
        )

    return step


def opened(engine, email=ANNA):
    """What was opened for that address, or None."""
    account = engine.world.records.accounts.find(email)
    return None if account is None else account.opened


def with_token(path=ME, **words):
    """A step that asks with the token of a new login; `words` fill what `path` leaves open."""

    def step(engine):
        token = engine.handle(login()).json().get("access_token", "none")
        one = opened(engine)
        found = {name: getattr(one, what, "none") for name, what in words.items()}
        return engine.handle(told(path.format(**found), key=None, Authorization=f"Bearer {token}"))

    return step


def top_up(amount=75, **more):
    """A payment page."""
    return told(TOP_UP, {"amount_in_dollars": amount, **more})


def paid(verb="settle"):
    """A step that settles, or cancels, the payment that was asked for last."""

    def step(engine):
        ids = [made.id for made in engine.world.records.checkouts.all()]
        return engine.handle(control(f"payments/{verb}", {"id": (ids or ["none"])[-1]}))

    return step


def later(seconds):
    """Let time pass."""
    return control("clock/advance", {"seconds": seconds})


FAILED = login(password="wrong")
APPLICATION = ME + "{organization}/applications/{application}/"

SCENARIOS = {
    "balance": (
        told(BALANCE),
        control("payments/plan", {"refill_amount": "50", "refill_threshold": "12.5"}),
        match(),
        told(BALANCE),
        control("limits", {"management": 1}),
        told(BALANCE),
        told(BALANCE),
    ),
    "top up": (
        top_up(),
        told(BALANCE),
        paid(),
        told(BALANCE),
        top_up(50.5, success_url="https://shop.example/ok", cancel_url="https://shop.example/no"),
        paid("cancel"),
        *(told(TOP_UP, body) for body in ({}, {"amount_in_dollars": None})),
        *(top_up(amount) for amount in ("60", True, "x", 49.99, 50, 1_000_000)),
        top_up(success_url="nowhere"),
        control("payments/plan", {"annual": True}),
        top_up(),
    ),
    "registration": (
        register("anna@example.com"),
        register(),
        register("ANNA@mailbox.dev"),
        verify(change=lambda code: "?" * len(code)),
        verify(change=str.lower),
        later(700),
        verify(),
        verify(),
        register("nobody"),
        register("ben@mailbox.dev"),
        later(901),
        verify("ben@mailbox.dev"),
    ),
    "passwords": (
        *(
            register(f"p{number}@mailbox.dev", password)
            for number, password in enumerate(
                ("", "Short-7", "no-upper-case-7", "NO-LOWER-CASE-7", "No-digit-here")
            )
        ),
        later(3600),
        register("p5@mailbox.dev", "Nospecial7"),
        register("p6@mailbox.dev", "Eight-78"),
    ),
    "too many": (*(register(f"p{n}@mailbox.dev") for n in range(6)), later(61), register()),
    "another code": (
        register("anna@mail.test"),
        register(),
        login(),
        later(10),
        auth("resend-otp", email=ANNA),
        later(55),
        auth("resend-otp", email=ANNA),
        verify(),
        auth("resend-otp", email="nobody@mailbox.dev"),
    ),
    "logging in": (
        register(),
        verify(),
        login(),
        login("nobody@mailbox.dev"),
        with_token(),
        told(ME, key=None),
        with_token(
            APPLICATION,
            organization="organization",
            application="application",
        ),
        with_token(
            APPLICATION,
            organization="organization",
            application="organization",
        ),
        *[FAILED] * 3,
        login(),
        *[FAILED] * 2,
        login(),
        *[FAILED] * 5,
        login(),
    ),
}
