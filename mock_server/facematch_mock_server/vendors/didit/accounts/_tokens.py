"""Tokens of a person: handed out, and shown."""

from __future__ import annotations

import datetime as dt
from typing import Any

from facematch_mock_server.vendors.didit._records import records_of
from facematch_mock_server.vendors.didit._visit import Visit

from ._book import Account


def new_tokens(visit: Visit, account: Account) -> dict[str, Any]:
    """A pair of tokens, and for how many seconds the first is good."""
    life: int = visit.told["token.lifetime_s"]
    access, refresh = (secret(visit) for _ in range(2))
    until = visit.now + dt.timedelta(seconds=life)
    records_of(visit.world).accounts.let_in(access, account, until)
    return {"access_token": access, "refresh_token": refresh, "expires_in": life}


def shown_by(visit: Visit) -> Account | None:
    """Who asks, by the Authorization header; None for nobody who is known."""
    visit.told.note("token.lifetime_s")
    scheme, _, token = (visit.request.header("authorization") or "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    return records_of(visit.world).accounts.who(token.strip(), visit.now)


def secret(visit: Visit) -> str:
    """A token or a key, by the ids of the world: the same seed repeats it."""
    return "".join(visit.world.ids.uuid().replace("-", "") for _ in range(2))
