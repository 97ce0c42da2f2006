"""What each request passes: the login, the token of a form, the size of a body, and errors."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from secrets import compare_digest
from typing import Annotated, Any

import pages
import shop
from faces import Faces, opened
from fastapi import Depends, FastAPI, Form, HTTPException, Request, Response
from sqlalchemy.exc import DataError, OperationalError

from facematch_core import errors

MAX_BODY_BYTES = {"/verifications": 12_000_000}  # two photographs
MAX_OTHER_BYTES = 262_144  # a form or a webhook
log = logging.getLogger("shop")
#: Errors that `show_error` answers: DataError is PostgreSQL's for a text with a NUL.
SHOWN_ERRORS = (errors.FaceMatchError, OperationalError, DataError)
#: These were not charged, or the same form again gets what was, once the vendor's records show it.
LATER = (
    errors.RateLimited,
    errors.VendorUnavailable,
    errors.BudgetExceeded,
    errors.StoreUnavailable,
    errors.CheckUnderWay,
    errors.SessionStarting,
    errors.OutcomeUnknown,
    OperationalError,
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    with opened() as app.state.faces:
        yield


async def limit_body(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Reject a large body before reading it."""
    length = request.headers.get("content-length", "")
    most = MAX_BODY_BYTES.get(request.url.path, MAX_OTHER_BYTES)
    if request.method == "POST" and not (length.isdigit() and int(length) <= most):
        return Response(status_code=413)
    return await call_next(request)


def login_of(request: Request) -> Any:
    """Return the login of the HttpOnly cookie. Never take it from a form or a URL."""
    logins = shop.run("SELECT * FROM logins WHERE token = :t", t=request.cookies.get("login"))
    if not logins:
        raise HTTPException(401)
    return logins[0]


def login_or_none(request: Request) -> Any:
    try:
        return login_of(request)
    except HTTPException:
        return None


Login = Annotated[Any, Depends(login_of)]
MaybeLogin = Annotated[Any, Depends(login_or_none)]


def customer_of(login: Login) -> str:
    if login.is_staff:
        raise HTTPException(403)
    return str(login.who)


def staff_of(login: Login) -> str:
    if not login.is_staff:
        raise HTTPException(403)
    return str(login.who)


def form_of(login: Login, csrf: Annotated[str, Form()]) -> None:
    """Refuse a form that another site sent."""
    if not compare_digest(csrf.encode(), login.csrf.encode()):
        raise HTTPException(403)


async def body_of(request: Request) -> bytes:
    """Return the raw body, which the signature of a webhook covers."""
    return await request.body()


def headers_of(request: Request) -> Mapping[str, str]:
    return request.headers


def faces_of(request: Request) -> Faces:
    faces: Faces = request.app.state.faces
    return faces


Customer = Annotated[str, Depends(customer_of)]
Staff = Annotated[str, Depends(staff_of)]
OurForm = Depends(form_of)
Text = Annotated[str, Form()]
Body = Annotated[bytes, Depends(body_of)]
Headers = Annotated[Mapping[str, str], Depends(headers_of)]
Stores = Annotated[Faces, Depends(faces_of)]


def show_error(_request: Request, error: Exception) -> Response:
    """Answer a picture that cannot be read, an outage, a lost session or a forged webhook."""
    if isinstance(error, errors.InvalidImage):
        return pages.sorry("We cannot read this picture: take another one.", 422)
    if isinstance(error, DataError):
        return pages.sorry("We cannot read this form.", 422)
    if isinstance(error, errors.VerdictChanged):
        return pages.sorry("Something was decided meanwhile.", 409)
    log.warning("%s: %s", type(error).__name__, error)
    if isinstance(error, errors.WebhookRefused):
        return Response(status_code=error.http_status)
    if isinstance(error, errors.TooManyAttempts):
        return pages.sorry("Try again tomorrow.", 429)
    if isinstance(error, (errors.SessionMismatch, errors.SessionNotFound)):
        return pages.sorry("Begin again.", 403)
    # With other errors a retry cannot succeed.
    return pages.sorry("Not now.", 503 if isinstance(error, LATER) else 502)
