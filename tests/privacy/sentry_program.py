"""Applications with Sentry as its first page shows it: print the events that it would send.

Run as a program, because Sentry patches a whole process: `python sentry_program.py FOLDER NAME...`.
The applications hold no picture in a variable of their own, but for `holds_a_picture`.
"""

import asyncio
import contextlib
import json
import sys
from pathlib import Path

import sentry_sdk
from sentry_sdk.transport import Transport

import facematch_core as fm
from facematch_core.base.deadline import SystemClock

FOLDER = Path(sys.argv[1])
#: No server listens there.
NOWHERE = {"api_key": "canary-key-5e3f9a77c1", "base_url": "http://127.0.0.1:9"}
PLAN = {
    "workflow_id": "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10",
    "workflow_takes_reference": True,
    "environment": "mock",
    "require_environment": "mock",
}
SENT = []


class Recorder(Transport):
    def capture_envelope(self, envelope):
        SENT.extend(json.loads(item.get_bytes()) for item in envelope if item.type == "event")


def selfie():
    return (FOLDER / "selfie.png").read_bytes()


def document():
    return (FOLDER / "document.png").read_bytes()


def verify():
    with fm.open_verifier("didit", **NOWHERE) as verifier:
        verifier.verify(selfie(), document(), metadata={"branch": "north"})


def unknown_option():
    with fm.open_verifier("didit", **NOWHERE) as verifier:
        verifier.verify(selfie(), document(), treshold=50)


def picture_in_metadata():
    with fm.open_verifier("didit", **NOWHERE) as verifier:
        verifier.verify(selfie(), document(), metadata={"picture": selfie()})


def invalid_picture():
    fm.Image.from_bytes(selfie()[:-900])


def start():
    with fm.open_sessions("didit", **NOWHERE, **PLAN) as sessions:
        record = sessions.plan("customer-17", purpose="payout")
        sessions.start(record, reference=document(), return_url="https://evil.example/")


def failed_opening():
    fm.open_verifier("didit", **NOWHERE, treshold=50)


async def verify_async():
    async with fm.open_async_verifier("didit", **NOWHERE) as verifier:
        await verifier.verify(selfie(), document())


class StoppedClock(SystemClock):
    """The test kit has one, too, but takes longer to import than all else here."""

    def monotonic(self):
        return 0.0


async def deadline_async():
    verifier = fm.FaceVerifier(fm.open_verifier("didit", **NOWHERE).backend, clock=StoppedClock())
    async with fm.AsyncFaceVerifier(verifier) as opened:
        await opened.verify(selfie(), document(), deadline_s=1e-9)


async def start_async():
    async with fm.open_async_sessions("didit", **NOWHERE, **PLAN) as sessions:
        record = sessions.plan("customer-17", purpose="payout")
        await sessions.start(record, reference=document())


def fastapi():
    from fastapi import FastAPI, UploadFile
    from fastapi.testclient import TestClient

    @contextlib.asynccontextmanager
    async def lifespan(app):
        async with fm.open_async_verifier("didit", **NOWHERE) as app.state.verifier:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/verify")
    async def verify(selfie: UploadFile, document: UploadFile):
        await app.state.verifier.verify(await selfie.read(), await document.read())

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.post("/verify", files={"selfie": selfie(), "document": document()})
    assert answer.status_code == 500


def holds_a_picture():
    picture = selfie()
    with fm.open_verifier("didit", **NOWHERE) as verifier:
        verifier.verify(picture, document())


def run(name):
    # No event is in a variable here, because the next event would contain it.
    try:
        ended = globals()[name]()
        if ended is not None:
            asyncio.run(ended)
    except Exception as error:  # noqa: BLE001 - as an application's outermost handler does
        sentry_sdk.capture_exception(error)


if __name__ == "__main__":
    sentry_sdk.init(dsn="https://key@sentry.example/1", transport=Recorder)
    names = sys.argv[2:]
    for each in names:
        run(each)
    sys.stdout.write(json.dumps(dict(zip(names, SENT, strict=True))))
