"""A mock world with a scripted decider, and requests as clients send them."""

import datetime as dt
import io
import json

import attrs
from PIL import Image as Pillow

from facematch_mock_server.base.messages import Request
from facematch_mock_server.control import Control
from facematch_mock_server.http.app import App
from facematch_mock_server.recognition import outcomes
from facematch_mock_server.recognition.outcomes import MatchOutcome, SeenFace, SeenPicture
from facematch_mock_server.recognition.ready import card_sheet
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.vendors import vendor_named
from facematch_mock_server.world.accounts import Accounts
from facematch_mock_server.world.clock import VirtualClock

P1 = card_sheet()["p1"].data
P2 = card_sheet()["p2"].data
START = dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)
BOUNDARY = "6f1d2c3b4a59e8f70d1c2b3a49586776"
FACE = SeenFace(box=(212, 148, 604, 690), confidence=0.7412061, age=34.123, gender="female")
#: What a picture may begin with, for a vendor that looks at that.
STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"%PDF-")
SMALLER = SeenFace(box=(10, 20, 130, 150))


class ScriptedRecognizer(Recognizer):
    """Decides by what the pictures say: ``{"score": 41.5, "faces": 2}``; other bytes are none."""

    needs_bytes = True

    def match(self, probe, reference, *, rotate, **_more):
        probe_facts = _read_facts(probe)
        reference_facts = _read_facts(reference)
        score = None
        if _has_face(probe_facts) and _has_face(reference_facts):
            score = probe_facts.get("score", 87.36)
        return MatchOutcome(
            probe=_seen(probe_facts),
            reference=_seen(reference_facts),
            score=score,
            review=probe_facts.get("review", False),
        )

    def liveness(self, probe, *, rotate, **_more):
        facts = _read_facts(probe)
        return outcomes.LivenessOutcome(
            probe=_seen(facts),
            score=facts.get("score", 92.123),
            attack=facts.get("attack", False),
            quality=facts.get("quality", 71.8),
            luminance=facts.get("luminance", 46.02),
            blocklist=facts.get("blocklist"),
            duplicate=facts.get("duplicate"),
        )

    def detect_faces(self, picture, *, rotate, **_more):
        return _seen(_read_facts(picture))


def _read_facts(picture):
    if picture == b"broken decider":
        raise RuntimeError("the decider is broken")
    for start in STARTS:
        picture = picture.removeprefix(start)
    try:
        facts = json.loads(picture)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _has_face(facts):
    return bool(facts) and facts.get("faces", 1) > 0


def _seen(facts):
    if not facts:
        return SeenPicture(decodes=False, faces=(), angle=0)
    faces = (FACE, *[SMALLER] * 9)[: facts.get("faces", 1)]
    return SeenPicture(decodes=True, faces=faces, angle=facts.get("angle", 0))


def scene(**facts):
    return json.dumps({"face": True, **facts}).encode()


def new_engine(recognizer=None, *, vendor="didit", switches=None, **settings):
    """One vendor without a server; without a recognizer pictures say what they show."""
    settings.setdefault("clock", VirtualClock(START))
    settings.setdefault("seed", 7)
    if recognizer is None:
        recognizer = ScriptedRecognizer()
    return App(Accounts([vendor_named(vendor)], recognizer, switches=switches, **settings))


def control_of(engine):
    return Control(engine.account, engine.world.vendor_name)


def ask(engine, step):
    """Return the answer to a request, or to a step: a function that sends one."""
    return step(engine) if callable(step) else engine.handle(step)


def handle_with_fault(app, fault, request):
    app.account.faults.add(fault)
    return app.handle(request)


def multipart(fields=(), files=()):
    """A body and its content type; `fields` are (name, text), `files` (name, file name, bytes)."""
    body = b""
    for name, value in fields:
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        body += value if isinstance(value, bytes) else str(value).encode()
        body += b"\r\n"
    for name, filename, data in files:
        disposition = f'form-data; name="{name}"; filename="{filename}"'
        body += f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n".encode()
        body += b"Content-Type: application/octet-stream\r\n\r\n"
        body += data
        body += b"\r\n"
    body += f"--{BOUNDARY}--\r\n".encode()
    return body, f"multipart/form-data; boundary={BOUNDARY}"


def request_to(
    path,
    body=b"",
    content_type=None,
    *,
    method="POST",
    key="mock-live-key",
    host="127.0.0.1:8080",
    **more_headers,
):
    headers = [("Host", host)]
    if key is not None:
        headers.append(("x-api-key", key))
    if content_type is not None:
        headers.append(("Content-Type", content_type))
    headers += [(name.replace("_", "-"), value) for name, value in more_headers.items()]
    return Request.make(method=method, target=path, headers=tuple(headers), body=body)


def json_bytes(body):
    """Return a body: JSON unless it is bytes, nothing if it is None."""
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def json_request(path, body=None, *, method=None, key="mock-live-key", **headers):
    """Return a request: a GET without a body, else a POST of JSON, unless `method` says so."""
    if body is None:
        return request_to(path, method=method or "GET", key=key, **headers)
    headers.setdefault("content_type", "application/json")
    return request_to(path, json_bytes(body), method=method or "POST", key=key, **headers)


def control_request(path, body=None, **how):
    """Return a request to the control API."""
    return json_request(f"/__mock__/{path}", body, key=None, **how)


def draw_picture(kind="PNG", size=(200, 200)):
    buffer = io.BytesIO()
    Pillow.new("RGB", size, "grey").save(buffer, kind)
    return buffer.getvalue()


def without_header(request, name):
    kept = tuple(header for header in request.headers if header[0] != name)
    return attrs.evolve(request, headers=kept)
