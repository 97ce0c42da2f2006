"""The simulators of Regula: the mock server in the place of the server, and documented bodies."""

import base64

import facematch_core as fm
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.models import Box
from facematch_core.testing import PairSimulator, Refusal, Situation
from facematch_mock_server.testing import MockSimulator
from facematch_regula import RegulaBackend

from .words import all_of

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
