"""POST /v1/authorize."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facematch_mock_server._messages import Response

from ._bodies import read_texts
from ._call import Call
from ._records import records_of
from ._refusing import refused
from ._steps import is_off
from ._tokens import IssuedToken


def read(call: Call) -> Response | None:
    """The pair that a token is asked for with; counts the call."""
    records_of(call.world).tokens.ask()
    return read_texts(call)


def granted(call: Call) -> Response:
    """A token for a pair that is known."""
    told, found = call.told, call.world.keys.find(call.values["client_secret"])
    if found is None or found.client != call.values["client_id"]:
        call.key_word = "wrong"
        return refused(call, "auth.pair")
    if is_off(found, call.now):
        call.key_word = "wrong"
        return refused(call, "auth.inactive")
    call.key_word = str(found.kind)
    text, issued = records_of(call.world).tokens.issue(
        told, str(found.client), call.now, call.world.ids.secret
    )
    form = told["token.expiry"]
    name, value = _EXPIRIES[form](issued)
    known = {"access_token": text, "token_type": told["token.type"], "expiry": value}
    body = {key: known[key] for key in told["token.keys"]}
    if name != "expiry" and "expiry" in body:
        del body["expiry"]
        if name is not None:
            body[name] = value
    return told.answer("token.answer", body)


def _seconds(issued: IssuedToken) -> int:
    return int((issued.expires - issued.at).total_seconds())


def _iso(issued: IssuedToken) -> str:
    return issued.expires.strftime("%Y-%m-%dT%H:%M:%SZ")


#: By form: the key that tells when a token ends, and what stands there.
_EXPIRIES: dict[str, Callable[[IssuedToken], tuple[str | None, Any]]] = {
    "iso": lambda issued: ("expiry", _iso(issued)),
    "24hrs": lambda _: ("expiry", "24hrs"),
    "digits": lambda issued: ("expiry", str(_seconds(issued))),
    "expires_in": lambda issued: ("expires_in", _seconds(issued)),
    "missing": lambda _: (None, None),
}
