"""Regula's web service: requests to its mock as clients send them, and its simulators."""

import base64

import attrs
from kit.mock_world import control_request, json_request, scene
from kit.scenario import Scenario, answer_with_fault
from kit.session_words import all_of

import facematch_core as fm
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.models import Box
from facematch_core.testing import PairSimulator, Refusal, Situation
from facematch_mock_server.testing import MockSimulator
from facematch_mock_server.vendors.regula.vendor import DETECT, PATH
from facematch_regula import RegulaBackend


def match_request(probe=None, reference=None, *, detect_all=True, **more):
    """A comparison; a picture that is False is left out."""
    images = []
    for picture in (probe, reference):
        if picture is not False:
            data = base64.b64encode(scene() if picture is None else picture).decode()
            images.append({"data": data, "type": 3, "detectAll": detect_all, **more})
    return request_with({"images": images})


def match_all(*pictures):
    """A comparison of any number of pictures."""
    images = []
    for index, picture in enumerate(pictures, 1):
        images.append({"data": base64.b64encode(picture).decode(), "type": 3, "index": index})
    return request_with({"images": images})


def detect_request(picture=None, **options):
    data = base64.b64encode(scene() if picture is None else picture).decode()
    return request_with({"image": data, "processParam": options}, DETECT)


def request_with(body, path=PATH):
    return json_request(path, body, key=None)


def get_request(path):
    return attrs.evolve(request_with({}, path), method="GET", body=b"")


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        match_request(scene(faces=2), scene(faces=2)),
        match_request(scene(faces=2), detect_all=False),
        match_request(scene(faces=0)),
        match_request(b"no picture"),
        match_request(reference=False),
        request_with({"images": [{"data": "not base64!"}, {"data": "AAAA"}]}),
        attrs.evolve(match_request(), body=b"{"),
        detect_request(),
        detect_request(quality=[1]),
        request_with({}, path="/api/detect"),
        request_with([1], path="/api/detect"),
        match_all(scene(), scene(), scene(faces=0)),
        get_request("/api/healthz"),
        get_request("/api/readyz"),
        get_request("/api/match"),
        answer_with_fault(400, match_request()),
        answer_with_fault(403, match_request()),
        answer_with_fault(500, match_request()),
        control_request("ledger/balance", {"balance": "0"}),
        match_request(),
    )
    return [
        Scenario("regula", calls, {"price": "0.01"}),
    ]


# The simulators of Regula: the mock server in the place of the server, and documented bodies.

#: Situations that Regula does not have, with the reason.
NEVER = {
    Situation.BAD_KEY: "The server has no key.",
    Situation.NO_CREDIT: "A licence is missing, or is not: there is no credit.",
    Situation.THROTTLED: "The server lets further requests wait.",
    Situation.SPOOF: "Regula checks liveness in sessions with a camera, never in a picture.",
}
PRICE_UNKNOWN = frozenset({Situation.NO_FACE, Situation.REJECTED})


class RegulaSimulator(MockSimulator):
    vendor = "regula"
    calls = frozenset({"/api/match"})
    keys = {}
    cannot_happen = {
        **NEVER,
    }
    price_unknown = PRICE_UNKNOWN
    switches = {"price": "0.01"}

    def understand(self, request):
        probe, reference = request.json()["images"]
        return {
            "probe": base64.b64decode(probe["data"]),
            "reference": base64.b64decode(reference["data"]),
        }

    def alter(self, request, body):
        for result in body["results"]:
            self.put_score(result, "similarity", fraction=True)
        return body


def face(number, *roi):
    landmarks = [[1.0, 2.0]] * 5
    return {"faceIndex": number, "roi": list(roi), "landmarks": landmarks, "rotationAngle": 1.2}


def pair(first, second, similarity):
    """The result for two faces, each with its picture's index and its own."""
    return {
        "firstIndex": first[0],
        "firstFaceIndex": first[1],
        "first": 3,
        "secondIndex": second[0],
        "secondFaceIndex": second[1],
        "second": 3,
        "score": 0.12,
        "similarity": similarity,
    }


def answer(probe_faces, reference_faces, *results):
    detections = []
    for index, faces in enumerate((probe_faces, reference_faces)):
        status = 0 if faces else 2
        detections.append({"imageIndex": index, "status": status, "faces": list(faces)})
    return {"code": 0, "detections": detections, "results": list(results), "metadata": {}}


#: FaceSDK-web-openapi b962589 (version 7.2.0), read 2026-11-28: match.yml, with two faces in a
#: picture only where it says so.
PROBE_FACE = face(0, 120, 90, 240, 300)
REFERENCE_FACE = face(0, 20, 30, 200, 210)
COMPARED = answer([PROBE_FACE], [REFERENCE_FACE], pair((0, 0), (1, 0), 0.93))
#: Listed in another order than their indexes have.
TWO_PROBE_FACES = (face(1, 120, 90, 240, 300), face(0, 1, 1, 20, 20))


def two_faces(smaller, larger):
    """The answer for a probe with two faces, of which that with the index 1 is the larger."""
    return answer(
        TWO_PROBE_FACES,
        [REFERENCE_FACE],
        pair((0, 0), (0, 1), 0.99),
        pair((0, 0), (1, 0), smaller),
        pair((0, 1), (1, 0), larger),
    )


def refusal(code, error, *detections, charged=fm.Charged.UNKNOWN):
    body = {"code": code, "detections": list(detections)}
    return Refusal(body=body, error=error, charged=charged)


def detection(index, status):
    return {"imageIndex": index, "status": status, "faces": []}


NO_LIST = answer([], [REFERENCE_FACE])
del NO_LIST["detections"][0]["faces"]

#: FaceSDKResultCode of regula-facesdk-webclient 8.4.875, read 2026-11-28: the statuses of a picture
#: by their error (None: the face could not be measured), then codes of a call.
STATUSES = {
    1: fm.RequestRejected,
    3: None,
    4: None,
    5: None,
    6: fm.RequestRejected,
    7: fm.OutcomeUnknown,
}
REFUSALS = all_of(
    [refusal(code, error) for code, error in STATUSES.items()],
    [refusal(0, error, detection(1, code)) for code, error in STATUSES.items()],
    [refusal(6, error, detection(0, code), detection(1, 0)) for code, error in STATUSES.items()],
    [
        refusal(6, fm.RequestRejected, detection(1, 2), detection(0, 6)),
        refusal(2, None),
        refusal(200, fm.PermissionDenied, charged=fm.Charged.NO),
        Refusal(status=403, body={}, error=fm.PermissionDenied, charged=fm.Charged.NO),
    ],
    # A picture without a face may lack the list.
    [Refusal(body=NO_LIST, error=None, charged=fm.Charged.UNKNOWN)],
    [refusal(code, fm.OutcomeUnknown) for code in (199, 201, 253)],
    [refusal(code, fm.RequestRejected) for code in (203, 224, 238)],
)


#: Without `detectAll`, only the most central face of a picture is found. Type 3 is a live portrait.
CONSTANTS = {
    ("images", number, name): value
    for number in (0, 1)
    for name, value in {"index": number, "detectAll": True, "type": 3}.items()
}


class DocumentedRegula(PairSimulator):
    backend_class = RegulaBackend
    constants = {"/api/match": CONSTANTS}
    picture_names = {
        ("images", 0, "data"): "probe",
        ("images", 1, "data"): "reference",
    }
    limits = ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.BMP}
    )
    documented_capabilities = {"default_threshold": 75.0}
    same_person = COMPARED
    different_people = answer([PROBE_FACE], [REFERENCE_FACE], pair((0, 0), (1, 0), 0.12))
    faces = {
        "probe": (Box(left=120, top=90, right=360, bottom=390),),
        "reference": (Box(left=20, top=30, right=220, bottom=240),),
    }
    score_path = ("results", 0, "similarity")
    is_fraction = True
    answers = {
        Situation.NO_FACE: (200, answer([], [REFERENCE_FACE])),
        Situation.TWO_FACES: (200, two_faces(0.02, 0.93)),
        Situation.SMALLER_FACE_MATCHES: (200, two_faces(0.96, 0.04)),
        Situation.OUTAGE: (500, {}),
        Situation.REJECTED: (200, {"code": 224, "detections": [], "results": []}),
    }
    free_situations = frozenset({Situation.NO_FACE, Situation.REJECTED})
    refusals = REFUSALS
    price_unknown = PRICE_UNKNOWN
    cannot_happen = NEVER
