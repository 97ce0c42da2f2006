"""For plug-in authors: backends that talk to a vendor over HTTP.

A backend writes `build` and `parse`, or `steps` where a call is several requests or the vendor
answers later. One call goes down through three modules and comes back:

- `backend`: `HttpBackend.ask` starts the steps of a call, and returns or raises what they give.
- `sender`: `HttpCall.run` sends what the steps yield, adds up the charges, and cleans up.
- `transport`: `HttpClient.send` sends one request, once, and knows whether it has left.

Two modules serve all three: `messages` has requests and replies as data, and `refusals` decides
which error an answer is that gives no result, or no answer at all.
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
    picture,
)
from .messages import BodyShape, FilePart, HttpReply, HttpRequest, Wait
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
    "MOCK_HEADER", "ApiKeyBackend", "BodyShape", "DeleteSteps", "ErrorRow", "ErrorTable",
    "FilePart", "HttpBackend", "HttpClient", "HttpReply", "HttpRequest", "InconclusiveRow",
    "SessionSteps", "Steps", "Wait", "as_secret", "check_base_url", "default_row", "excerpt",
    "is_loopback", "picture", "retry_after_s", "rows", "vendor_error", "without_secrets",
]  # fmt: skip
