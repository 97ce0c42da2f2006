"""The script and the frame by which a page asks the person, in place of Onfido's web SDK.

Sources: the paths of the script are those of the loader in npm onfido-sdk-ui 14.80.0, of its README
(030dd57) and of public pages, read 2026-11-30. The frame is ours.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib import resources

import attrs

from facematch_mock_server.base.messages import Response, Upload
from facematch_mock_server.vendors.base import Call
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import PersonCheck, hosted_of, web_sdk_path
from facematch_mock_server.world.sessions import Session

from .calls.uploads import DOCUMENTS, LIVE_PHOTOS, UploadKind, store
from .wire import AWAITING_INPUT, CAPTURED, SDK_TOKEN_S, read_sdk_token

#: The host of the script, and that of versions before 12.
HOSTS = frozenset({"sdk.onfido.com", "assets.onfido.com"})
#: The paths of the script; `Onfido.js` is a module, the others are plain scripts.
PATHS = (
    "/{word}",
    "/{word}/Onfido.js",
    "/capture/core/{word}/Onfido.iife.js",
    "/web-sdk-releases/{word}/onfido.min.js",
)
VERSION = re.compile(r"v?\d+(\.\d+){0,2}|latest")
_AS_MODULE = b"\nexport const { Onfido } = window;\n"


@functools.cache
def _read_script() -> bytes:
    return resources.files(__package__).joinpath("onfido.js").read_bytes()


def send_script(call: Call) -> Response:
    """Return the mock's own web SDK, as a module or as a plain script."""
    script = _read_script()
    if call.request.path.endswith("/Onfido.js"):
        script += _AS_MODULE
    # A page of another origin imports the module.
    headers = (("Access-Control-Allow-Origin", "*"),)
    return call.answer_file("web_sdk.script", "text/javascript", script, headers)


def open_frame(call: Call) -> Response:
    """Redirect a frame to the page of its run, or of a capture that begins now.

    The page reports an error for a token of nobody, or one that has expired.
    """
    path = web_sdk_path(call.world, None)
    token = read_sdk_token(call.query.get("token", ""))
    if token is not None and token.expires_at <= call.now.timestamp():
        path += "#expired"
    elif token is not None:
        for world in call.world.of_all_accounts():
            session = _find_session(call, world, token.applicant_id)
            if session is not None:
                path = web_sdk_path(world, hosted.expire_if_due(world, session))
    return call.answer("web_sdk.opened", headers=(("Location", path),))


def _find_session(call: Call, world: World, applicant_id: str) -> Session | None:
    """Return the run that the query names, or a new capture of its steps; None of another's."""
    applicant = world.records.applicants.find(applicant_id)
    if applicant is None or applicant.is_deleted:
        return None
    run_id = call.query.get("run")
    if run_id is not None:
        run = world.sessions.find(run_id)
        is_own = run is not None and run.hosted and run.internal_id == applicant_id
        return run if is_own else None
    steps = call.query.get("steps", "").split(",")
    # OURS: A page with steps begins a session of its own, which is no run, free, and without
    # webhooks. The document is a passport. A back side and a proof of address are not captured.
    return hosted.start(
        world,
        call.now,
        SDK_TOKEN_S,
        {"status": AWAITING_INPUT, "internal_id": applicant_id, "metadata": {"steps": steps}},
        kind="kyc" if "document" in steps else "biometric",
        is_live=False,
    )


def is_capture(session: Session) -> bool:
    """Return whether a session is a page's with steps, and not a run."""
    return hosted_of(session).workflow is None


def capture(world: World, session: Session, check: PersonCheck) -> Session:
    """Return the session with the pictures, uploaded as the API does.

    Its result is what `onComplete` gets. Raise ValueError unless the face is one.
    """
    has_face_step = "face" in session.metadata_or_empty["steps"]
    if has_face_step and len(check.liveness.probe.faces) != 1:
        raise ValueError("a live photo must show exactly one face")
    result = {}
    if check.reference is not None:
        texts = {"type": "passport", "side": "front", "applicant_id": session.internal_id}
        document_id = _store(world, check, check.reference, DOCUMENTS, texts)
        result["document_front"] = {"id": document_id, "type": "passport", "side": "front"}
    if has_face_step:
        texts = {"applicant_id": session.internal_id}
        photo_id = _store(world, check, check.face, LIVE_PHOTOS, texts)
        result["face"] = {"id": photo_id, "variant": "standard"}
    return attrs.evolve(session, status=CAPTURED, result=result)


def _store(
    world: World, check: PersonCheck, digest: str, kind: UploadKind, texts: Mapping[str, str]
) -> str:
    """Store one of the check's pictures as an upload of an applicant; return its id."""
    file = Upload(f"{kind.name}.png", check.contents[digest], digest)
    return store(world, kind, texts["applicant_id"], file, texts).id
