"""A call to Sumsub: its app token and signature, and the limits of requests."""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import Any

import attrs

from facematch_mock_server.vendors.base import NumberedCall
from facematch_mock_server.world.sessions import Session

from .signature import SIGNATURE, TIMESTAMP, TOKEN, sign

_TIMESTAMP = re.compile(r"[0-9]{1,11}", re.ASCII)
_MAX_DIFFERENCE = dt.timedelta(seconds=60)
_WINDOW_S = 5.0
_DAY_S = 86_400.0


@attrs.define(kw_only=True, eq=False)
class SumsubCall(NumberedCall):
    """A call with an app token, whose answers have a correlation id.

    Attributes:
        body: The JSON object that was sent; empty before it is read.
    """

    body: dict[str, Any] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        # A correlation id is 32 hexadecimal digits. (three answers in public programs, read
        # 2026-11-30)
        self.request_id = self.request_id.replace("-", "")

    def sees(self, session: Session) -> bool:
        """Return whether an applicant belongs to the app token's environment."""
        return session.hosted is not None and session.hosted.is_live == self.is_live


def check_key(call: SumsubCall) -> None:
    """Refuse a call that is not signed with a valid app token, or was signed too long ago."""
    app_token = call.request.header(TOKEN)
    timestamp = call.request.header(TIMESTAMP)
    signature = call.request.header(SIGNATURE)
    if app_token is None or timestamp is None or signature is None:
        call.refuse("key.missing")
    call.key_label = "wrong"
    if not app_token.startswith(("sbx:", "prd:")):
        call.refuse("key.format")
    if not _TIMESTAMP.fullmatch(timestamp):
        call.refuse("key.timestamp")
    call.check_signing_time(dt.datetime.fromtimestamp(int(timestamp), dt.UTC), _MAX_DIFFERENCE)
    # Nothing stands between the four parts of the signed text. (SumSubstance/AppTokenUsageExamples
    # 434912c, of 2026-04-23)
    call.check_signer(app_token, signature, functools.partial(sign, call.request, timestamp))


def check_rate(call: SumsubCall) -> None:
    """Refuse a call above the limit of GET requests, or of others."""
    scope = "get" if call.request.method in ("GET", "HEAD") else "post"
    if _is_exceeded(call, scope, _WINDOW_S):
        call.refuse("rate.exceeded", f"rate.{scope}.limit")


def check_sandbox_quota(call: SumsubCall) -> None:
    """Refuse more applicants in the sandbox than a day allows."""
    if not call.is_live and _is_exceeded(call, "sandbox", _DAY_S):
        call.refuse("rate.sandbox.exceeded", "rate.sandbox.limit")


def _is_exceeded(call: SumsubCall, scope: str, window_s: float) -> bool:
    return call.count_request({scope: window_s}) is not None


#: The checks of every path, in order; the order is our choice.
CHECKS = {"rate": check_rate, "key": check_key}
