"""A service that asks Didit whether a selfie shows a live face, and the person of a document.

uvicorn --factory app:create_app
"""

from __future__ import annotations

import logging
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from os import environ
from typing import Annotated, Any

from fastapi import FastAPI, File, Form, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse

from facematch_core import (
    AsyncFaceVerifier,
    BudgetExceeded,
    FaceMatchError,
    InvalidImage,
    LiveMatchDecision,
    RateLimited,
    Retention,
    Secret,
    StoreUnavailable,
    VendorError,
    VendorUnavailable,
    open_async_verifier,
)
from facematch_didit import WebhookRefused, verify_webhook

log = logging.getLogger("onboarding")


@dataclass(frozen=True)
class Settings:
    """What differs from one installation to another. The key of Didit is $DIDIT_API_KEY."""

    webhook_secret: Secret
    #: Where verdicts go, and what came before.
    database: str = "verdicts.sqlite3"
    #: A profile of the configuration file in place of Didit as it is: a mock, say.
    profile: str | None = None
    threshold: float = 60
    review_threshold: float = 80
    deadline_s: float = 20
    max_body_bytes: int = 12_000_000

    @classmethod
    def from_environment(cls) -> Settings:
        """Those of this process."""
        return cls(
            webhook_secret=Secret.from_environment("DIDIT_WEBHOOK_SECRET"),
            database=environ.get("VERDICTS", cls.database),
            profile=environ.get("FACEMATCH_PROFILE") or None,
            threshold=float(environ.get("MATCH_THRESHOLD", cls.threshold)),
            review_threshold=float(environ.get("REVIEW_THRESHOLD", cls.review_threshold)),
        )


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. It opens nothing before it is started."""
    settings = settings or Settings.from_environment()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # One verifier for all requests. At the end it waits for the calls that are under way.
        async with open_async_verifier(
            None if settings.profile else "didit",
            profile=settings.profile,
            threshold=settings.threshold,
            review_threshold=settings.review_threshold,
            max_concurrency=64,
        ) as app.state.verifier:
            yield

    app = FastAPI(lifespan=lifespan)
    app.state.settings = settings
    app.add_middleware(LimitedBody, most=settings.max_body_bytes)
    app.add_exception_handler(FaceMatchError, answer_error)
    app.get("/", response_class=HTMLResponse)(form)
    app.post("/verifications")(verify)
    app.post("/didit")(didit)
    return app


FORM = """<!doctype html><title>Who are you?</title>
<form action=/verifications method=post enctype=multipart/form-data>
  <p>Case <input name=case required> Selfie <input type=file name=selfie accept=image/* required>
  Document <input type=file name=document accept=image/* required> <button>Send</button></form>"""


async def form() -> str:
    """The upload form."""
    return FORM


#: What the browser learns. NOT_LIVE, NO_MATCH and REVIEW look the same from outside, and a score
#: would tell an attacker whether the last change to a picture was a good one.
NEXT_STEP = {
    LiveMatchDecision.VERIFIED: "continue",
    LiveMatchDecision.NOT_LIVE: "wait",
    LiveMatchDecision.NO_MATCH: "wait",
    LiveMatchDecision.REVIEW: "wait",
    LiveMatchDecision.INCONCLUSIVE: "retake",
}


async def verify(
    request: Request,
    case: Annotated[str, Form(min_length=1, max_length=255)],
    selfie: Annotated[bytes, File()],
    document: Annotated[bytes, File()],
) -> dict[str, str]:
    """Is the selfie a live face, and the person of the document?"""
    verifier: AsyncFaceVerifier = request.app.state.verifier
    result = await verifier.verify_live(
        selfie,
        document,
        caller_ref=case,
        # So that Didit sends webhooks, and what became of the two calls can be looked up.
        retention=Retention.KEEP,
        deadline_s=request.app.state.settings.deadline_s,
    )
    log.info("case %r: %s, call %s", case, result.decision, result.ids.call)
    return {"next": NEXT_STEP[result.decision]}


async def answer_error(_: Request, error: Exception) -> JSONResponse:
    """The status that says what to do: another picture, another time, or nothing."""
    if isinstance(error, InvalidImage):
        # ``probe`` or ``reference``; the browser knows them by the names of the form.
        which = {"probe": "selfie", "reference": "document"}.get(error.picture or "")
        return JSONResponse({"next": "retake", "picture": which}, 422)
    what = f"call {error.ids.call}" if isinstance(error, VendorError) else str(error)
    log.error("%s: %s", type(error).__name__, what)
    if isinstance(error, RateLimited | VendorUnavailable | BudgetExceeded | StoreUnavailable):
        wait_s = getattr(error, "retry_after_s", None)
        headers = {} if wait_s is None else {"Retry-After": str(math.ceil(wait_s))}
        return JSONResponse({"next": "later"}, 503, headers=headers)
    if isinstance(error, VendorError):
        # OutcomeUnknown among them: it may have been paid, and a second try would be paid again.
        return JSONResponse({"next": "wait"}, 502)
    return JSONResponse({"next": "wait"}, 500)


async def didit(request: Request) -> Response:
    """Take a delivery of Didit's: a verdict, or a change of one."""
    body = await request.body()
    settings = request.app.state.settings
    return Response(status_code=await run_in_threadpool(receive, settings, body, request.headers))


def receive(settings: Settings, body: bytes, headers: Mapping[str, str]) -> int:
    """The status for a delivery. That it came and what it said are written both, or neither."""
    with closing(sqlite3.connect(settings.database)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, until REAL)")
        # A case has two: of its liveness check and of its comparison.
        columns = "case_ref TEXT, session_id TEXT, status TEXT"
        database.execute(f"CREATE TABLE IF NOT EXISTS verdicts ({columns})")

        def seen(key: str, until: datetime) -> bool:
            database.execute("DELETE FROM seen WHERE until < ?", [time.time()])
            row = (key, until.timestamp())
            return database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", row).rowcount == 1

        try:
            event = verify_webhook(body, headers, settings.webhook_secret, seen=seen)
        except WebhookRefused as refused:
            log.warning("refused: %s", refused)
            return refused.http_status
        if not event.is_test:
            verdict = (event.caller_ref, event.session_id, event.vendor_status)
            database.execute("INSERT INTO verdicts VALUES (?, ?, ?)", verdict)
    return 204


class LimitedBody:
    """Reads no more of a body than is wanted: a form with files may else have any length."""

    def __init__(self, app: Any, most: int) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, piece by piece."""
        bytes_left = self.most

        async def receive_some() -> Any:
            nonlocal bytes_left
            message = await receive()
            bytes_left -= len(message.get("body", b""))
            if bytes_left < 0:
                raise HTTPException(413)
            return message

        await self.app(scope, receive_some, send)
