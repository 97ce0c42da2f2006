"""A call to Rekognition, and the check of its signature."""

from __future__ import annotations

import datetime as dt
import functools

import attrs

from facematch_mock_server.base.messages import Headers, Request, Response
from facematch_mock_server.vendors import base

from .signature import STAMP, read_signature

TARGET = "RekognitionService."

#: AWS's maximum clock skew: AWS Developer Tools Blog, Clock-skew correction.
_MAX_SKEW = dt.timedelta(minutes=15)


@attrs.define(kw_only=True)
class RekognitionCall(base.NumberedCall):
    """A call whose response has a request id in a header; an error has a second id."""

    def answer(
        self, key: str, /, body: object = None, headers: Headers = (), **filled: object
    ) -> Response:
        """Build a response with the headers and Logref of the Developer Guide's example."""
        headers = (*headers, ("x-amzn-RequestId", self.request_id))
        filled = {**filled, "logref": self.world.account.ids.uuid()}
        response = super().answer(key, body, headers, **filled)
        content_type = ("Content-Type", "application/x-amz-json-1.1")
        response.headers = (content_type, *response.headers[1:])
        return response


def check_signature(call: RekognitionCall) -> None:
    """Refuse a call unless it has a current signature made with a known secret."""
    if call.request.header("authorization") is None:
        call.refuse("auth.missing")
    call.key_label = "wrong"
    signature = read_signature(call.request)
    if signature is None:
        call.refuse("auth.incomplete")
    _check_date(call, signature.signed_at)
    if signature.service != "rekognition":
        call.refuse("auth.service")
    keys = call.world.keys.of_client(signature.access_key)
    if all(key.expired(call.now) for _, key in keys):
        call.refuse("auth.key")
    sign = functools.partial(signature.sign, call.request)
    secret = call.find_signer(signature.access_key, signature.hexdigest, sign)
    if not call.authenticate(secret):
        call.key_label = "wrong"
        call.refuse("auth.signature")
    # OURS: A session token is checked only as part of the signature, and the region is not
    # checked at all.
    operation = f"rekognition:{operation_of(call.request)}"
    call.check_permission("auth.denied", operation=operation)


def _check_date(call: RekognitionCall, signed_at: dt.datetime) -> None:
    """Refuse a call that was signed too long ago, or in the future."""
    # The client may use the machine's clock, or the mock's clock, which tests advance.
    earlier, later = sorted((call.now, dt.datetime.now(dt.UTC)))
    earliest = earlier - _MAX_SKEW
    latest = later + _MAX_SKEW
    if signed_at < earliest:
        call.refuse(
            "auth.late", signed=_stamp(signed_at), now=_stamp(earlier), limit=_stamp(earliest)
        )
    if signed_at > latest:
        call.refuse("auth.early", signed=_stamp(signed_at), now=_stamp(later), limit=_stamp(latest))
    # OURS: The clocks of mock and client may differ, because tests advance the mock's clock. A
    # date within 15 minutes of the machine's time, or between the two, is accepted.


def _stamp(time: dt.datetime) -> str:
    return time.strftime(STAMP)


def operation_of(head: Request) -> str:
    return head.header("x-amz-target", "").removeprefix(TARGET)
