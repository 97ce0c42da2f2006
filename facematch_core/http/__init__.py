"""For plug-in authors: backends that talk to a vendor over HTTP.

A backend writes `build` and `parse`, or `steps` where a call is several requests or the vendor
answers later.
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
