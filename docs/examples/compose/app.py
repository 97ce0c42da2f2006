"""A service that compares a selfie with a document: `uvicorn app:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, File, Request
from fastapi.responses import JSONResponse

from facematch_core import FaceMatchError, LiveMatchDecision, open_async_verifier


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open one verifier for all requests, with the profile in `mock.toml`."""
    async with open_async_verifier(profile="mock", threshold=60) as app.state.verifier:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def ready() -> dict[str, bool]:
    """Answer the health check."""
    return {"ready": True}


@app.post("/verifications")
async def verify(
    request: Request, selfie: Annotated[bytes, File()], document: Annotated[bytes, File()]
) -> Any:
    """Return the next step: continue, or wait for a review by a person."""
    try:
        result = await request.app.state.verifier.verify_live(selfie, document, deadline_s=20)
    except FaceMatchError:
        return JSONResponse({"next": "wait"}, 502)
    is_verified = result.decision is LiveMatchDecision.VERIFIED
    return {"next": "continue" if is_verified else "wait"}
