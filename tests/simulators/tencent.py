"""The simulators of Tencent Cloud IAI: the mock server, and the documented answers."""

import base64

import facematch_core as fm
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.testing import PairSimulator, Refusal, Situation
from facematch_mock_server import Fault
from facematch_mock_server.testing import MockSimulator
from facematch_tencent import TencentBackend

SECRET_ID = "AKIDEXAMPLE0000000000000000000000000"
SECRET_KEY = "dummySecretKey00000000000000000x"
KEYS = {"secret_id": SECRET_ID, "secret_key": SECRET_KEY, "region": "ap-singapore"}
PICTURES = {"ImageA": "probe", "ImageB": "reference", "Image": "probe"}


def refusal(code, request_id="3c140219-cfe9-470e-b241-907877d6fb03"):
    error = {"Code": code, "Message": "The message is not documented."}
    return {"Response": {"Error": error, "RequestId": request_id}}


def fault(code):
    return Fault(stage="answer", kind="json", status=200, body=refusal(code))


class TencentSimulator(MockSimulator):
    vendor = "tencent"
    calls = frozenset({"/"})
    client = SECRET_ID
    secrets = (SECRET_KEY, SECRET_ID)
    keys = KEYS
    faces = {}
    faults = {
        Situation.REJECTED: fault("FailedOperation.ImageDecodeFailed"),
        Situation.OUTAGE: fault("InternalError"),
    }
    cannot_happen = {
        Situation.TWO_FACES: "Tencent's answer does not say how many faces there were.",
    }
    price_unknown = frozenset({Situation.NO_FACE, Situation.REJECTED})
    switches = {"price": "0.01"}
    scope = "second"

    def alter(self, request, body):
        if "Error" not in body["Response"]:
            self.put_score(body["Response"], "Score")
        return body

    def understand(self, request):
        body = request.json()
        return {name: base64.b64decode(body[key]) for key, name in PICTURES.items() if key in body}


def answer(score):
    body = {"Score": score, "FaceModelVersion": "3.0", "RequestId": ""}
    return {"Response": body}


NO, UNKNOWN, YES = fm.Charged.NO, fm.Charged.UNKNOWN, fm.Charged.YES
#: The codes of tencentcloud-sdk-python-iai, by error and charge.
CODES = {
    (fm.AuthenticationFailed, NO): (
        "AuthFailure.InvalidAuthorization",
        "AuthFailure.InvalidSecretId",
        "AuthFailure.MFAFailure",
        "AuthFailure.SecretIdNotFound",
        "AuthFailure.SignatureExpire",
        "AuthFailure.SignatureFailure",
        "AuthFailure.TokenFailure",
    ),
    (fm.PermissionDenied, NO): (
        "AuthFailure.UnauthorizedOperation",
        "IpInBlacklist",
        "IpNotInWhitelist",
        "ResourceUnavailable.NotExist",
        "ResourceUnavailable.NotReady",
    ),
    (fm.InsufficientCredit, NO): (
        "ResourceUnavailable.ChargeStatusException",
        "ResourceUnavailable.Freeze",
        "ResourceUnavailable.InArrears",
        "ResourceUnavailable.LowBalance",
        "ResourceUnavailable.StopUsing",
    ),
    (fm.RateLimited, NO): (
        "RequestLimitExceeded",
        "RequestLimitExceeded.IPLimitExceeded",
        "RequestLimitExceeded.UinLimitExceeded",
    ),
    (fm.RateLimited, UNKNOWN): ("FailedOperation.RequestLimitExceeded",),
    (fm.RequestRejected, NO): (
        "InvalidAction",
        "MissingParameter",
        "NoSuchVersion",
        "UnsupportedRegion",
    ),
    (fm.RequestRejected, UNKNOWN): (
        "InvalidParameterValue.FaceModelVersionIllegal",
        "InvalidParameterValue.ImageEmpty",
        "MissingParameter.ErrorParameterEmpty",
        "FailedOperation.FaceQualityNotQualified",
        "FailedOperation.ImageDecodeFailed",
        "FailedOperation.ImageResolutionExceed",
        "FailedOperation.ImageResolutionTooSmall",
        "FailedOperation.ImageSizeExceed",
    ),
    (fm.OutcomeUnknown, UNKNOWN): (
        "FailedOperation.CompareFail",
        "FailedOperation.RequestTimeout",
        "FailedOperation.RpcFail",
        "FailedOperation.ServerError",
        "FailedOperation.UnKnowError",
        "InternalError",
    ),
    # A code without a row: nothing is known but that the vendor answered.
    (fm.UnexpectedResponse, YES): ("LimitExceeded.ErrorFaceNumExceed",),
}
#: A face was not found in a picture.
NO_FACE = ("InvalidParameterValue.NoFaceInPhoto", "FailedOperation.ImageFacedetectFailed")


def list_refusals():
    refusals = [Refusal(body=refusal(code), error=None, charged=UNKNOWN) for code in NO_FACE]
    for (error, charged), codes in CODES.items():
        refusals += [Refusal(body=refusal(code), error=error, charged=charged) for code in codes]
    return tuple(refusals)


#: What a request must have, by its action: the model, and the largest face instead of the clearest.
CONSTANTS = {
    "CompareFace": {
        "X-TC-Version": "2020-03-03",
        "FaceModelVersion": "3.0",
        "FaceMatchingStrategy": 1,
    },
    "DetectLiveFaceAccurate": {"X-TC-Version": "2020-03-03", "FaceModelVersion": "3.0"},
}


class DocumentedTencent(PairSimulator):
    """Answers to comparisons. It looks at no signature: the mock does."""

    backend_class = TencentBackend
    settings = KEYS
    limits = ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.BMP},
        min_side_px=64,
        max_side_px=4000,
        max_bytes=5 * 1024 * 1024 * 3 // 4,
    )
    secrets = (SECRET_KEY, SECRET_ID)
    same_person = answer(93.5)
    different_people = answer(3.5)
    score_path = ("Response", "Score")
    id_path = ("Response", "RequestId")
    answers = {
        Situation.LIVE: (200, answer(93.5)),
        Situation.SPOOF: (200, answer(3.5)),
        Situation.NO_FACE: (200, refusal("InvalidParameterValue.NoFaceInPhoto")),
        Situation.BAD_KEY: (200, refusal("AuthFailure.SignatureFailure")),
        Situation.NO_CREDIT: (200, refusal("ResourceUnavailable.InArrears")),
        Situation.THROTTLED: (200, refusal("RequestLimitExceeded")),
        Situation.REJECTED: (200, refusal("FailedOperation.ImageDecodeFailed")),
        Situation.OUTAGE: (200, refusal("InternalError")),
    }
    free_situations = frozenset(answers) - {Situation.LIVE, Situation.SPOOF}
    refusals = list_refusals()
    price_unknown = frozenset({Situation.NO_FACE, Situation.REJECTED})
    cannot_happen = {
        Situation.TWO_FACES: "Tencent's answer does not say how many faces there were.",
        Situation.SMALLER_FACE_MATCHES: "Tencent scores only the largest face.",
    }

    def accepts(self, request):
        return request.headers["Authorization"].startswith("TC3-HMAC-SHA256 ")

    picture_names = PICTURES

    def constants_for(self, request):
        action = request.headers["X-TC-Action"]
        return CONSTANTS.get(action, {"X-TC-Action": " or ".join(CONSTANTS)})
