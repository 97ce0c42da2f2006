"""Backends for vendors with an HTTP API, for authors of plug-ins.

A backend implements `build` and `parse`, or `steps` if a call needs several requests or the vendor
is asynchronous. A call passes through three modules:

- `backend`: `HttpBackend.run_call` starts a call's steps, returns the result or raises the error.
- `steps`: `StepDriver.run` makes the exchanges of a call, adds up the charges, and cleans up.
- `transport`: `HttpClient.send` sends a request once, and reports its first byte.

All three use `messages` (requests and replies as data) and `refusals` (errors for responses without
a result, and for missing responses). `login` has the token of a vendor that requires a login.
"""

from facematch_core.base.addresses import MOCK_HEADER, check_base_url, is_loopback
from facematch_core.base.masking import without_secrets

from .backend import (
    ApiKeyBackend,
    DeleteSteps,
    HttpBackend,
    SessionSteps,
    Steps,
    as_secret,
    file_part,
)
from .login import IssuedToken, LoginToken
from .messages import BodyShape, FilePart, HttpReply, HttpRequest, Wait
from .pairs import (
    PROBE,
    REFERENCE,
    AnswerPaths,
    BoxPaths,
    FacesOfPair,
    PairBackend,
    RequestTemplate,
    Setting,
    as_data_uri,
    in_base64,
)
from .refusals import (
    ErrorRow,
    ErrorTable,
    InconclusiveRow,
    default_row,
    excerpt,
    retry_after_s,
    rows,
    vendor_error,
)
from .transport import HttpClient

__all__ = [
    "MOCK_HEADER", "PROBE", "REFERENCE", "AnswerPaths", "ApiKeyBackend", "BodyShape",
    "BoxPaths", "DeleteSteps", "ErrorRow", "ErrorTable", "FacesOfPair", "FilePart",
    "HttpBackend", "HttpClient", "HttpReply", "HttpRequest", "InconclusiveRow", "IssuedToken",
    "LoginToken", "PairBackend", "RequestTemplate", "SessionSteps", "Setting", "Steps", "Wait",
    "as_data_uri", "as_secret", "check_base_url", "default_row", "excerpt", "file_part",
    "in_base64", "is_loopback", "retry_after_s", "rows", "vendor_error", "without_secrets",
]  # fmt: skip
