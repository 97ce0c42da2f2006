"""The simulators of Face++: the mock server in the place of the vendor, and documented bodies."""

import facematch_core as fm
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.models import Box
from facematch_core.testing import PairSimulator, Refusal, Situation
from facematch_facepp import FaceppBackend
from facematch_mock_server.testing import MockSimulator

#: Situations that Face++ does not have, with the reason.
NEVER = {
    Situation.SPOOF: "Face++ has no liveness check of one picture here.",
    Situation.SMALLER_FACE_MATCHES: "Face++ scores only the largest face.",
}
PRICE_UNKNOWN = frozenset({Situation.NO_FACE, Situation.REJECTED})


class FaceppSimulator(MockSimulator):
    vendor = "facepp"
    calls = frozenset({"/facepp/v3/compare"})
    pictures = {"image_file1": "probe", "image_file2": "reference"}
    client = "an-example-of-a-key-5c1e88"
    secrets = ("an-example-of-a-secret-90ab3f", client)
    keys = {"api_key": client, "api_secret": secrets[0]}
    cannot_happen = {
        **NEVER,
    }
    price_unknown = PRICE_UNKNOWN
    switches = {"price": "0.01"}
    scope = "second"

    def alter(self, request, body):
        self.put_score(body, "confidence")
        return body


def face(left, top, width, height):
    box = {"left": left, "top": top, "width": width, "height": height}
    return {"face_token": "c2fc0ad7c8da3af5a34b9c70ff764da0", "face_rectangle": box}


def error(message):
    return {"error_message": message, "time_used": 4, "request_id": "-"}


#: Face++, "Compare API, version 3.0" (changelog to 2017-03-28), read 2026-11-28: its example, with
#: sizes of faces that differ.
COMPARED = {
    "request_id": "1469761507,07174361-027c-46e1-811f-ba0909760b18",
    "time_used": 473,
    "confidence": 96.46,
    "thresholds": {"1e-3": 65.3, "1e-4": 71.8, "1e-5": 76.5},
    "image_id1": "oIIhsXWUFVSBbMOmbuyNeg==",
    "image_id2": "lNqMKmGgTtFwHUKsnbjZgw==",
    "faces1": [face(120, 90, 240, 240)],
    "faces2": [face(20, 30, 200, 210)],
}
NO_FACE = {name: COMPARED[name] for name in COMPARED if name not in ("confidence", "thresholds")}


#: Texts of Face++'s errors, some with a blank after the colon.
FACEPP_TEXTS = [
    (401, "AUTHENTICATION_ERROR", fm.AuthenticationFailed),
    (403, "AUTHORIZATION_ERROR:Denied by Admin", fm.PermissionDenied),
    (403, "AUTHORIZATION_ERROR: Insufficient Account Balance", fm.InsufficientCredit),
    (403, "AUTHORIZATION_ERROR:Insufficient Account Balance", fm.InsufficientCredit),
    (403, "CONCURRENCY_LIMIT_EXCEEDED", fm.RateLimited),
    (400, "MISSING_ARGUMENTS: image_file1", fm.RequestRejected),
    (400, "BAD_ARGUMENTS:api_key", fm.RequestRejected),
    (400, "COEXISTENCE_ARGUMENTS", fm.RequestRejected),
    (400, "IMAGE_ERROR_UNSUPPORTED_FORMAT:image_file1", fm.RequestRejected),
    (400, "INVALID_IMAGE_SIZE:image_file1", fm.RequestRejected),
    (400, "IMAGE_FILE_TOO_LARGE:image_file1", fm.RequestRejected),
    (404, "API_NOT_FOUND", fm.RequestRejected),
]


def refusals():
    """A refusal for each text. The charge of a refused field or picture is not documented."""
    listed = []
    for status, text, kind in FACEPP_TEXTS:
        charged = fm.Charged.UNKNOWN if status == 400 else fm.Charged.NO
        body = {"error_message": text}
        listed.append(Refusal(status=status, body=body, error=kind, charged=charged))
    return tuple(listed)


class DocumentedFacepp(PairSimulator):
    backend_class = FaceppBackend
    secrets = ("an-example-of-a-key-5c1e88", "an-example-of-a-secret-90ab3f")
    credentials = {"api_key": secrets[0], "api_secret": secrets[1]}
    settings = credentials
    picture_names = {"image_file1": "probe", "image_file2": "reference"}
    faces = {
        "probe": [Box(left=120, top=90, right=360, bottom=330)],
        "reference": [Box(left=20, top=30, right=220, bottom=240)],
    }
    limits = ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG},
        min_side_px=48,
        max_side_px=4096,
        max_bytes=2 * 1024 * 1024,
    )
    same_person = COMPARED
    different_people = {**COMPARED, "confidence": 12.345}
    #: For the rate 1e-5, the default of the backend.
    vendor_thresholds = {fm.Operation.MATCH: 76.5}
    score_path = ("confidence",)
    id_path = ("request_id",)
    answers = {
        Situation.NO_FACE: (200, {**NO_FACE, "faces1": []}),
        Situation.TWO_FACES: (200, {**COMPARED, "faces1": [face(9, 9, 90, 90), face(1, 1, 8, 8)]}),
        Situation.REJECTED: (400, error("INVALID_IMAGE_SIZE:image_file1")),
        Situation.BAD_KEY: (401, error("AUTHENTICATION_ERROR")),
        Situation.NO_CREDIT: (403, error("AUTHORIZATION_ERROR:Insufficient Account Balance")),
        Situation.THROTTLED: (403, error("CONCURRENCY_LIMIT_EXCEEDED")),
        Situation.OUTAGE: (500, error("INTERNAL_ERROR")),
    }
    free_situations = frozenset({Situation.NO_FACE})
    refusals = refusals()
    price_unknown = PRICE_UNKNOWN
    cannot_happen = NEVER
