"""Backends for vendors with an HTTP API, for authors of plug-ins.

A backend implements `build` and `parse`, or `steps` if a call needs several requests or the vendor
is asynchronous. A call passes through three modules:

- `backend`: `HttpBackend.run_call` starts a call's steps, returns the result or raises the error.
- `steps`: `StepDriver.drive` makes the exchanges of a call, adds up the charges, and cleans up.
- `transport`: `HttpClient.send` sends a request once, and reports its first byte.

All three use `messages` (requests and replies as data) and `refusals` (errors for responses without
a result, and for missing responses). `login` has the token of a vendor that requires a login.

- A *request* is what a backend gets: a `facematch_core.backend.requests.Request`. Its *steps* yield
  each `HttpRequest` (an `http_request`) that it takes.
- A reply is *expected* if its status is among `HttpRequest.expects`; any other is an *error reply*.
- A call is *accepted* from the first expected reply to a paid request.
- A *row* says what an error reply means: by status and body shape, or by the vendor's *code*.
- An *exchange* is one HTTP request on its way, with its connection and its reply.
- A *pool* is the idle connections to one origin, with the proxy and certificates of a new one.
"""

from facematch_core.base.addresses import MOCK_HEADER, check_base_url, is_loopback
from facematch_core.base.masking import without_secrets
from facematch_core.base.signatures import as_webhook_secrets, has_signature

from .backend import (
    ApiKeyBackend,
    DeleteSteps,
    HttpBackend,
    SessionSteps,
    Steps,
    as_secret,
    file_part,
)
from .hosted import HostedSessionBackend, as_host_names, environment_of_key, not_listed
from .login import IssuedToken, LoginToken
from .messages import BodyShape, FilePart, HttpReply, HttpRequest, Json
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
    "HostedSessionBackend", "HttpBackend", "HttpClient", "HttpReply", "HttpRequest",
    "InconclusiveRow", "IssuedToken", "Json", "LoginToken", "PairBackend", "RequestTemplate",
    "SessionSteps", "Setting", "Steps", "as_data_uri", "as_host_names", "as_secret",
    "as_webhook_secrets", "check_base_url", "default_row", "environment_of_key", "excerpt",
    "file_part", "has_signature", "in_base64", "is_loopback", "not_listed", "retry_after_s",
    "rows", "vendor_error", "without_secrets",
]  # fmt: skip
