"""Face++: requests to its mock as clients send them, and its simulators."""

import base64
from urllib.parse import urlencode

from kit.mock_world import P1, draw_picture, multipart, request_to, scene
from kit.scenario import Scenario, answer_with_fault, beyond_limit_and_credit

import facematch_core as fm
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.models import Box, ThresholdRule
from facematch_core.testing import PairSimulator, Refusal, Situation
from facematch_facepp import FaceppBackend
from facematch_mock_server.testing import MockSimulator
from facematch_mock_server.vendors.facepp.vendor import (
    ANALYZE,
    API_KEY,
    DETECT,
    PATH,
    SECRET,
)

KEYS = {"api_key": API_KEY, "api_secret": SECRET}


def compare_request(image_file1=None, image_file2=None, *, keys=KEYS, path=PATH, **fields):
    """A comparison of two files; a file that is False is left out."""
    files = []
    for name, content in (("image_file1", image_file1), ("image_file2", image_file2)):
        if content is not False:
            files.append((name, "a.jpg", scene() if content is None else content))
    sent = multipart({**keys, **fields}.items(), files)
    return request_to(path, *sent, key=None)


def detect_request(image_file=None, **fields):
    """A search for faces in a file; a file that is False is left out."""
    files = []
    if image_file is not False:
        files.append(("image_file", "a.jpg", scene() if image_file is None else image_file))
    sent = multipart({**KEYS, **fields}.items(), files)
    return request_to(DETECT, *sent, key=None)


def detect_by_query(body=b"", **fields):
    """A search for faces whose fields stand in the query, as jQuery sends it without data."""
    sent = {name: text for name, text in {**KEYS, **fields}.items() if text is not None}
    kind = "application/x-www-form-urlencoded"
    return request_to(f"{DETECT}?{urlencode(sent)}", body, kind, key=None)


def request_of_type(kind, body=b"api_key=1"):
    return request_to(PATH, body, kind, key=None)


def analyze_request(*tokens, **fields):
    """A description of faces by their tokens, as Python's clients send it: in a form."""
    sent = {**KEYS, "face_tokens": ",".join(tokens), **fields}
    kind = "application/x-www-form-urlencoded"
    return request_to(ANALYZE, urlencode(sent).encode(), kind, key=None)


def analyze_by_query(*tokens, **fields):
    """A description of faces whose fields stand in the query, as jQuery sends it."""
    sent = {**KEYS, "face_tokens": ",".join(tokens), **fields}
    return request_to(f"{ANALYZE}?{urlencode(sent)}", key=None)


def faceset_request(name, **fields):
    """A call about a set of faces, such as `addface`."""
    kind = "application/x-www-form-urlencoded"
    body = urlencode({**KEYS, **fields}).encode()
    return request_to(f"/facepp/v3/faceset/{name}", body, kind, key=None)


def search_request(image_file=None, **fields):
    """A search in a set; a file that is False is left out."""
    files = []
    if image_file is not False:
        files.append(("image_file", "a.jpg", scene() if image_file is None else image_file))
    sent = multipart({**KEYS, **fields}.items(), files)
    return request_to("/facepp/v3/search", *sent, key=None)


def add_new_face(engine):
    token = token_of_new_face(engine)
    return engine.handle(faceset_request("addface", outer_id="people", face_tokens=token))


def token_of_new_face(engine, picture=None):
    (face,) = engine.handle(detect_request(picture)).json()["faces"]
    return face["face_token"]


def facepp_compare_by_token(engine):
    return engine.handle(compare_request(False, face_token1=token_of_new_face(engine)))


def analyzed(**fields):
    """A step: the description of a face that was just found."""
    return lambda engine: engine.handle(analyze_request(token_of_new_face(engine), **fields))


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        faceset_request("create", outer_id="people"),
        faceset_request("create", outer_id="people"),
        search_request(outer_id="people"),
        search_request(outer_id="nobody"),
        add_new_face,
        search_request(outer_id="people"),
        search_request(outer_id="people", return_result_count=6),
        faceset_request("delete", outer_id="people"),
        faceset_request("delete"),
        compare_request(scene(faces=0)),
        compare_request(b"no picture"),
        compare_request(False, image_base64_1="not base64!"),
        compare_request(image_file2=False),
        compare_request(b"x" * (2 * 1024 * 1024 + 1)),
        compare_request(draw_picture(size=(40, 40))),
        compare_request(draw_picture("WEBP")),
        compare_request(keys={"api_key": API_KEY}),
        compare_request(keys={**KEYS, "api_secret": "wrong"}),
        request_of_type("text/plain"),
        request_of_type("multipart/form-data"),
        compare_request(path="/facepp/v3/nothing"),
        compare_request(face_token1="unknown"),
        compare_request(False, image_url1="ftp://no-link"),
        detect_request(return_attributes="age,emotion,ethnicity"),
        detect_by_query(),
        facepp_compare_by_token,
        analyzed(return_landmark="1", return_attributes="age"),
        analyzed(),
        analyze_request("unknown", return_attributes="age"),
        analyze_request(*"123456", return_attributes="age"),
        answer_with_fault(400, compare_request()),
        answer_with_fault(403, compare_request()),
        answer_with_fault(413, compare_request()),
        answer_with_fault(500, compare_request()),
        *beyond_limit_and_credit(compare_request),
    )
    return [
        Scenario("facepp", calls, {"price": "0.01"}),
    ]


# The simulators of Face++: the mock server in the place of the vendor, and documented bodies.

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
    documented_capabilities = {"threshold_rule": ThresholdRule.ABOVE}
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


class Tables:
    """The vendor's rows in the tables of the tests, which kit.of_vendors adds there."""

    HOME = "https://api-cn.faceplusplus.com"
    TITLE = "Face++"
    CONTRACT = FaceppSimulator
    DOCUMENTED = DocumentedFacepp
    NEEDED = {"api_key": "some-key", "api_secret": "some-secret"}
    KEYS_AT_MOCK = ("api_key", "api_secret")
    REJECTIONS = [
        (413, b"Request Entity Too Large", fm.RequestRejected),
        (500, {"error_message": "INTERNAL_ERROR"}, fm.OutcomeUnknown),
    ]
    LIMITS = [
        ("second", 1, compare_request(), 403, "CONCURRENCY_LIMIT_EXCEEDED"),
    ]
    DOCUMENTED_LIMITS = {"second": None}
    UNKNOWN_PATH = "/facepp/v3/searching"
    JSON_FIELDS = []
    COMPARISON = compare_request()
    NO_CREDIT = (403, "AUTHORIZATION_ERROR:Insufficient Account Balance")
    WORDS_OF_FAULTS = (
        compare_request(),
        {
            400: "BAD_ARGUMENTS:return_landmark",
            401: "AUTHENTICATION_ERROR",
            403: "AUTHORIZATION_ERROR:Denied by Admin",
            500: "INTERNAL_ERROR",
        },
    )
    ID_NAME = [
        ("request_id",),
    ]
    HIDDEN = [
        (compare_request(), SECRET),
        (compare_request(False, image_base64_1=base64.b64encode(scene()).decode()), SECRET),
    ]
    FIELD_CALL = {"path": "/facepp/v3/compare", "field": {"api_key": "x"}, "data": {"api_key": "x"}}
    PROGRAM_PAIR = {"threshold": 60}
    VARIABLES = ["FACEPP_API_KEY", "FACEPP_API_SECRET"]
    PASTED = [
        (f"{HOME}/facepp/v3/compare", HOME),
    ]
    WRONG_SETTINGS = [
        ({"error_rate": "1e-6"}, "error_rate"),
        ({"error_rate": 0.001}, "error_rate"),
    ]
    SECRET_SETTINGS = [
        ("api_key",),
        ("api_secret",),
    ]
    CALLED_HOST = "api-us.faceplusplus.com"

    @staticmethod
    def own_key_calls(client, key):
        """Calls with a program's own key."""
        return [compare_request(P1, P1, keys={"api_key": client, "api_secret": key})]
