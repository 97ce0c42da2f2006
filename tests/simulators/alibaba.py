"""The simulators of Alibaba Cloud's facebody: the mock server, and the documented answers."""

import base64

import facematch_core as fm
from facematch_alibaba import AlibabaBackend
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.models import Box
from facematch_core.testing import PairSimulator, Refusal, Situation
from facematch_mock_server import Fault
from facematch_mock_server.testing import MockSimulator

KEY_ID = "LTAIexample00000000000000"
KEY_SECRET = "dummySecretKey0000000000000000"
KEYS = {"access_key_id": KEY_ID, "access_key_secret": KEY_SECRET}
PICTURES = {"ImageDataA": "probe", "ImageDataB": "reference", "Tasks.1.ImageData": "probe"}
NEVER = {
    Situation.TWO_FACES: "Alibaba's answer to a comparison has no number of faces.",
    Situation.SMALLER_FACE_MATCHES: "Alibaba scores only the largest face.",
}


def refusal(code):
    return {
        "RequestId": "4F1B0E0C-9A0E-5C0B-9E6A-0B8B1C2D3E4F",
        "HostId": "facebody.cn-shanghai.aliyuncs.com",
        "Code": code,
        "Message": "The message is not documented.",
        "Recommend": "",
    }


class AlibabaSimulator(MockSimulator):
    vendor = "alibaba"
    calls = frozenset({"/"})
    client = KEY_ID
    secrets = (KEY_SECRET, KEY_ID)
    keys = KEYS
    faults = {
        Situation.REJECTED: Fault(
            stage="answer", kind="json", status=400, body=refusal("InvalidFile.Content")
        ),
        Situation.OUTAGE: Fault(
            stage="answer", kind="json", status=500, body=refusal("InternalError")
        ),
    }
    cannot_happen = {Situation.TWO_FACES: NEVER[Situation.TWO_FACES]}
    switches = {"price": "0.01"}
    scope = "second"

    def alter(self, request, body):
        if "Confidence" in body["Data"]:
            self.put_score(body["Data"], "Confidence")
        else:
            (element,) = body["Data"]["Elements"]
            (result,) = element["Results"]
            self.put_score(result, "Rate")
        return body

    def understand(self, request):
        fields = request.fields
        return {
            name: base64.b64decode(fields[key]) for key, name in PICTURES.items() if key in fields
        }


def compared(confidence):
    return {
        "RequestId": "",
        "Data": {
            "Confidence": confidence,
            "Thresholds": [61, 69, 75],
            "RectAList": [120, 90, 240, 250],
            "RectBList": [20, 30, 200, 210],
            "LandmarksAList": [180, 170, 300, 170, 240, 220, 190, 280, 290, 280],
            "LandmarksBList": [70, 100, 170, 100, 120, 140, 80, 190, 160, 190],
            "QualityScoreA": 96.1,
            "QualityScoreB": 94.7,
            "IsMaskA": 0,
            "IsMaskB": 0,
            "MessageTips": "",
        },
    }


def judged(label, suggestion, rate, face_count=1):
    result = {"Label": label, "Suggestion": suggestion, "Rate": rate}
    element = {"TaskId": "t-1", "FaceNumber": face_count, "Results": [result]}
    return {"RequestId": "", "Data": {"Elements": [element]}}


NO, UNKNOWN = fm.Charged.NO, fm.Charged.UNKNOWN
#: The codes of Alibaba's pages and of others' questions, with their statuses, by error and charge.
CODES = {
    (fm.AuthenticationFailed, NO): {
        "InvalidAccessKeyId.NotFound": 404,
        "InvalidAccessKeyId.Inactive": 400,
        "InvalidAccessKeySecret": 400,
        "SignatureDoesNotMatch": 400,
        "InvalidTimeStamp.Expired": 400,
    },
    (fm.PermissionDenied, NO): {"AuthFailed": 403, "InvalidApi.NotPurchase": 403},
    (fm.InsufficientCredit, NO): {"InvalidApi.ForbiddenInvoke": 400},
    (fm.RateLimited, NO): {"Throttling": 400, "Throttling.User": 400},
    (fm.RequestRejected, NO): {
        "ClientError.IllegalArgument": 400,
        "IllegalUrlParameter": 400,
        "InvalidAction.NotFound": 400,
        "InvalidFile.Content": 400,
        "InvalidFile.Decode": 400,
        "InvalidFile.Download": 400,
        "InvalidImage.DecodeError": 400,
        "InvalidImage.Format": 400,
        "InvalidImage.Resolution": 400,
        "InvalidImage.URL": 400,
        "InvalidParameter.TooLarge": 400,
        "ParameterError": 400,
        # A code that no table has.
        "InvalidImage.Unheard": 400,
    },
    (fm.OutcomeUnknown, UNKNOWN): {
        # A copy of the request came before it, and may have been charged.
        "SignatureNonceUsed": 400,
        "InternalError": 500,
        "InternalError.Algo": 500,
        "InternalError.Timeout": 500,
        "InternalError.Unheard": 500,
    },
}


def list_refusals():
    no_face = refusal("InvalidImage.NotFoundFace")
    refusals = [Refusal(body=no_face, status=404, error=None, charged=NO)]
    for (error, charged), codes in CODES.items():
        for code, status in codes.items():
            refusals.append(
                Refusal(body=refusal(code), status=status, error=error, charged=charged)
            )
    return tuple(refusals)


class DocumentedAlibaba(PairSimulator):
    """Answers to both calls. It looks at no signature: the mock does."""

    backend_class = AlibabaBackend
    settings = KEYS
    picture_names = PICTURES
    limits = ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.BMP, ImageFormat.WEBP},
        min_side_px=32,
        max_side_px=4096,
        max_bytes=3 * 1024 * 1024 * 3 // 4,
    )
    secrets = (KEY_SECRET, KEY_ID)
    faces = {
        "probe": [Box(left=120, top=90, right=360, bottom=340)],
        "reference": [Box(left=20, top=30, right=220, bottom=240)],
    }
    same_person = compared(93.5)
    different_people = compared(3.5)
    #: For the rate 1e-5, the default of the backend.
    vendor_thresholds = {fm.Operation.MATCH: 75.0}
    score_path = ("Data", "Confidence")
    id_path = ("RequestId",)
    answers = {
        Situation.LIVE: (200, judged("normal", "pass", 99.2)),
        Situation.SPOOF: (200, judged("liveness", "block", 98.1)),
        Situation.BAD_KEY: (404, refusal("InvalidAccessKeyId.NotFound")),
        Situation.NO_CREDIT: (400, refusal("InvalidApi.ForbiddenInvoke")),
        Situation.THROTTLED: (400, refusal("Throttling.User")),
        Situation.REJECTED: (400, refusal("InvalidImage.Resolution")),
        Situation.OUTAGE: (500, refusal("InternalError")),
        Situation.NO_FACE: (404, refusal("InvalidImage.NotFoundFace")),
    }
    refusals = list_refusals()
    cannot_happen = NEVER

    def accepts(self, request):
        return request.headers["Authorization"].startswith("ACS3-HMAC-SHA256 ")

    def constants_for(self, request):
        actions = {"CompareFace": "ImageDataA", "DetectLivingFace": "Tasks.1.ImageData"}
        action = request.headers["x-acs-action"]
        if actions.get(action) in request.fields:
            return {"x-acs-version": "2019-12-30"}
        return {"x-acs-action": " or ".join(actions)}
