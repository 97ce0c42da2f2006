"""Calls to Deepvue that are no face calls: a login, a look at the balance."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from facematch_core import (
    Billing,
    Charged,
    Environment,
    EnvironmentMismatch,
    FaceMatchError,
    Secret,
)
from facematch_core.errors import UnexpectedResponse, VendorError
from facematch_core.http import MOCK_HEADER, HttpClient, HttpReply, HttpRequest

from . import _errors, _expiry
from ._tokens import Token
from ._words import NAME, NOT_A_FACE_CALL

T = TypeVar("T")

#: What a header can carry; a token is no longer than this.
_TOKEN = re.compile(r"[!-~]{1,8192}")


def ask(
    request: HttpRequest,
    read: Callable[[HttpReply], T],
    *,
    client: HttpClient,
    environment: Environment | None,
    deadline_s: float | None,
    what: str,
) -> T | FaceMatchError:
    """What `read`, which raises `ValueError`, makes of the answer; or the error, not raised.

    The frame of a function that raises stays alive with the error, and this one's holds secrets.

    Args:
        environment: As declared: set to MOCK, nothing but a mock is believed.
        deadline_s: Longest time for all of it; None for the time-outs alone.
        what: Of what the errors speak, as the beginning of a sentence.
    """
    reply: HttpReply | None = None
    try:
        reply = client.send(request, backend=NAME, deadline_s=deadline_s)
    except VendorError as raised:
        error = _errors.unanswered(raised)
    except FaceMatchError as raised:
        return raised.with_traceback(None)
    if reply is not None:
        told = Environment.MOCK if MOCK_HEADER in reply.headers else None
        if environment is Environment.MOCK and told is None:
            return _no_mock(reply.status, what)
        if reply.status == 200:
            try:
                return read(reply)
            except ValueError as problem:
                error = _unreadable(str(problem))
        else:
            now = client.clock.now()
            error = _errors.error_of(reply, now=now, free=True)
        error.status_code, error.environment = reply.status, told
    error.message = f"{what} failed: {error.message}"
    error.args = (error.message,)
    return error


def token(reply: HttpReply, client: HttpClient) -> Token:
    """The token in the answer to a login; `ValueError` if there is none."""
    body: Any = reply.json()
    text = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        raise ValueError("it has no access_token that a header could carry")
    kind = body.get("token_type")
    if kind is not None and str(kind).lower() != "bearer":
        raise ValueError("its token_type is not bearer")
    life_s = _expiry.life_s(body, client.clock.now())
    secret = Secret(text, origin="login at Deepvue")
    return Token(secret=secret, ends=client.clock.monotonic() + life_s)


def _unreadable(problem: str) -> UnexpectedResponse:
    # Sentences of ours, which name places and types.
    return UnexpectedResponse(
        f"{NAME} answered 200 in a form that cannot be read ({problem}). Please report it.",
        backend=NAME,
        billing=Billing(Charged.NO, NOT_A_FACE_CALL),
    )


def _no_mock(status: int, what: str) -> EnvironmentMismatch:
    return EnvironmentMismatch(
        f"{what} failed: the backend {NAME} is set to mock, but what answered ({status}) does not "
        "say that it is a mock, and may be the real vendor: check the address and the environment.",
        environment=Environment.PRODUCTION,
        billing=Billing(Charged.NO, NOT_A_FACE_CALL),
    )
