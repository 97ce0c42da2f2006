"""Tencent Cloud IAI: requests to its mock, signed by Tencent's own function, and its simulators."""

import base64
import datetime as dt
import hashlib

from kit.mock_world import START, control_request, draw_picture, json_bytes, scene, without_header
from kit.scenario import BIG, Scenario, beyond_limit_and_credit
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.common.sign import Sign
from tencentcloud.iai.v20200303 import models
from tencentcloud.iai.v20200303.iai_client import IaiClient

import facematch_core as fm
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.models import ThresholdRule
from facematch_core.testing import PairSimulator, Refusal, Situation
from facematch_mock_server import Fault
from facematch_mock_server.base.messages import Request
from facematch_mock_server.testing import MockSimulator
from facematch_mock_server.vendors.tencent.vendor import SECRET_ID, SECRET_KEY
from facematch_tencent import TencentBackend

HOST = "iai.tencentcloudapi.com"


def encoded(content):
    return base64.b64encode(content).decode()


def signed_request(
    body,
    action="CompareFace",
    *,
    secret_id=SECRET_ID,
    secret_key=SECRET_KEY,
    at=START,
    signed_headers=("content-type", "host"),
    service="iai",
    **headers,
):
    """A request whose further headers are named like X-TC-Region: `region`; None leaves one out."""
    data = json_bytes(body)
    timestamp = str(int(at.timestamp()))
    sent = {"content-type": "application/json", "host": HOST, "x-tc-timestamp": timestamp}
    values = {"action": action, "version": "2020-03-03", "region": "ap-singapore", **headers}
    for name, value in values.items():
        if value is not None:
            sent[f"x-tc-{name.replace('_', '-')}"] = value
    payload = b"UNSIGNED-PAYLOAD" if "x-tc-content-sha256" in sent else data
    lines = [f"{name}:{sent[name].lower()}\n" for name in signed_headers]
    names = ";".join(signed_headers)
    digest = hashlib.sha256(payload).hexdigest()
    canonical = f"POST\n/\n\n{''.join(lines)}\n{names}\n{digest}".encode()
    date = at.astimezone(dt.UTC).strftime("%Y-%m-%d")
    scope = f"{date}/{service}/tc3_request"
    text = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
    sent["authorization"] = (
        f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders={names}, "
        f"Signature={Sign.sign_tc3(secret_key, date, service, text)}"
    )
    return Request.make(method="POST", target="/", headers=tuple(sent.items()), body=data)


def compare_request(image_a=None, image_b=None, *, fields=None, **more):
    """A comparison; a picture that is False is left out."""
    body = {"FaceMatchingStrategy": 1}
    for name, content in (("ImageA", image_a), ("ImageB", image_b)):
        if content is not False:
            body[name] = encoded(scene() if content is None else content)
    return signed_request({**body, **(fields or {})}, **more)


def liveness_request(image=None, *, action="DetectLiveFaceAccurate", **more):
    body = {"Image": encoded(scene() if image is None else image)}
    return signed_request(body, action, **more)


def detect_request(image=None, *, fields=None, **more):
    body = {"Image": encoded(scene() if image is None else image)}
    return signed_request({**body, **(fields or {})}, "DetectFace", **more)


def group_request(group_id="staff", name="Staff", **fields):
    return signed_request({"GroupId": group_id, "GroupName": name, **fields}, "CreateGroup")


def person_request(person_id="ada", image=None, *, group_id="staff", **fields):
    """A new person, whose picture is left out if it is False."""
    body = {"GroupId": group_id, "PersonId": person_id, "PersonName": "Ada-Lovelace"}
    return about_a_picture("CreatePerson", image, {**body, **fields})


def face_request(*images, person_id="ada", **fields):
    """Further pictures of a person; a text is sent as it is."""
    texts = [each if isinstance(each, str) else encoded(each) for each in images]
    return signed_request({"PersonId": person_id, "Images": texts, **fields}, "CreateFace")


def search_request(image=None, *group_ids, action="SearchFaces", **fields):
    return about_a_picture(action, image, {"GroupIds": [*group_ids] or ["staff"], **fields})


def verify_request(image=None, *, person_id="ada", action="VerifyFace", **fields):
    return about_a_picture(action, image, {"PersonId": person_id, **fields})


def deletion(person_id="ada"):
    return signed_request({"PersonId": person_id}, "DeletePerson")


def delete_faces(engine):
    """Delete the first of Ada's faces, and then, in a call that is refused, all of them."""
    ids = [face.id for face in engine.world.records.persons.find("ada").faces]
    engine.handle(signed_request({"PersonId": "ada", "FaceIds": ids[:1]}, "DeleteFace"))
    return engine.handle(signed_request({"PersonId": "ada", "FaceIds": ids}, "DeleteFace"))


def about_a_picture(action, image, fields):
    picture = {} if image is False else {"Image": encoded(scene() if image is None else image)}
    return signed_request({**picture, **fields}, action)


def tencents_client(url, *, secret_id=SECRET_ID, secret_key=SECRET_KEY, token=None, **settings):
    """Tencent's own client, unmodified, whose endpoint is the mock."""
    http_profile = HttpProfile(protocol="http", endpoint=url.removeprefix("http://"))
    profile = ClientProfile(httpProfile=http_profile)
    vars(profile).update(settings)
    return IaiClient(Credential(secret_id, secret_key, token), "ap-singapore", profile)


def ask(call, request_class, **fields):
    """Make a call with Tencent's client; return its answer, or the code of its exception."""
    request = request_class()
    for name, value in fields.items():
        setattr(request, name, encoded(value) if isinstance(value, bytes) else value)
    try:
        return call(request)
    except TencentCloudSDKException as error:
        return error.get_code()


def compare(client, image_a, image_b, **fields):
    fields = {"ImageA": image_a, "ImageB": image_b, "FaceMatchingStrategy": 1, **fields}
    return ask(client.CompareFace, models.CompareFaceRequest, **fields)


def check_liveness(client, image, **fields):
    request_class = models.DetectLiveFaceAccurateRequest
    return ask(client.DetectLiveFaceAccurate, request_class, Image=image, **fields)


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        liveness_request(),
        liveness_request(scene(faces=0)),
        liveness_request(region=None),
        liveness_request(region="eu-frankfurt"),
        compare_request(b"no picture"),
        compare_request(fields={"ImageA": "not base64!"}),
        compare_request(fields={"UrlA": "https://faces.example/a.jpg"}),
        compare_request(fields={"UrlA": "a.jpg"}),
        compare_request(fields={"QualityContol": 1}),
        compare_request(fields={"FaceModelVersion": "1.0"}),
        compare_request(False),
        compare_request(b"x" * BIG),
        compare_request(draw_picture("GIF")),
        compare_request(draw_picture(size=(63, 200))),
        compare_request(draw_picture(size=(2001, 200))),
        compare_request(action="NoSuchAction"),
        compare_request(version="2018-03-01"),
        compare_request(version="2017-03-12"),
        liveness_request(action="DetectLiveFace"),
        detect_request(fields={"NeedQualityDetection": 1, "NeedRotateDetection": 1}),
        detect_request(fields={"MinFaceSize": 1000}),
        compare_request(scene(quality=10), fields={"QualityControl": 1}),
        compare_request(fields={"QualityControl": 5}),
        group_request(FaceModelVersion="2.0"),
        group_request("staff", "Other"),
        group_request("a b"),
        group_request("x" * 65),
        group_request(None),
        search_request(),
        person_request(group_id="none"),
        person_request(Gender=3),
        person_request(),
        person_request("bob", UniquePersonControl=4),
        person_request("bob", UniquePersonControl=5),
        face_request(scene(), "not base64!"),
        face_request(*[scene()] * 5),
        face_request(*[scene()] * 4),
        search_request(FaceMatchThreshold=60, NeedPersonInfo=1),
        search_request(FaceMatchThreshold=101),
        search_request(None, *["staff"] * 101),
        search_request(MaxPersonNum=101),
        search_request(action="SearchPersons"),
        group_request("guests", "Guests"),
        person_request("eve", group_id="guests"),
        search_request(None, "guests", action="SearchPersons"),
        verify_request(NeedRotateDetection=1),
        delete_faces,
        deletion(),
        signed_request({"GroupId": "guests"}, "DeleteGroup"),
        signed_request(b"["),
        signed_request(b" " * (10 * 1024 * 1024 + 1)),
        without_header(compare_request(), "authorization"),
        compare_request(service="cvm"),
        compare_request(at=START - dt.timedelta(minutes=6)),
        compare_request(secret_id="another-id"),
        compare_request(secret_key="another-key"),
        control_request("keys", {"key": "old-key", "client": "old", "expires": "2026-07-01"}),
        compare_request(secret_id="old", secret_key="old-key"),
        control_request("keys", {"key": "weak-key", "client": "weak", "allowed": False}),
        compare_request(secret_id="weak", secret_key="weak-key"),
        *beyond_limit_and_credit(compare_request),
    )
    return [
        Scenario("tencent", calls, {"price": "0.01"}),
    ]


# The simulators of Tencent Cloud IAI: the mock server, and the documented answers.

SIMULATOR_SECRET_ID = "AKIDEXAMPLE0000000000000000000000000"
SIMULATOR_SECRET_KEY = "dummySecretKey00000000000000000x"
SIMULATOR_TOKEN = "simulator-token-of-a-temporary-key-5d1c"
KEYS = {
    "secret_id": SIMULATOR_SECRET_ID,
    "secret_key": SIMULATOR_SECRET_KEY,
    "region": "ap-singapore",
}
PICTURES = {"ImageA": "probe", "ImageB": "reference", "Image": "probe"}


def refusal(code, request_id="3c140219-cfe9-470e-b241-907877d6fb03"):
    error = {"Code": code, "Message": "The message is not documented."}
    return {"Response": {"Error": error, "RequestId": request_id}}


def fault(code):
    return Fault(stage="answer", kind="json", status=200, body=refusal(code))


class TencentSimulator(MockSimulator):
    vendor = "tencent"
    calls = frozenset({"/"})
    client = SIMULATOR_SECRET_ID
    secrets = (SIMULATOR_SECRET_KEY, SIMULATOR_SECRET_ID)
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


class TencentWithATemporaryKey(TencentSimulator):
    """Takes a temporary key."""

    secrets = (*TencentSimulator.secrets, SIMULATOR_TOKEN)
    keys = {**KEYS, "session_token": SIMULATOR_TOKEN}

    def accepts(self, request):
        return request.headers["X-TC-Token"] == SIMULATOR_TOKEN


def answer(score, model="3.0"):
    body = {"Score": score, "FaceModelVersion": model, "RequestId": ""}
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
    # Each model has its own scale.
    refusals.append(
        Refusal(body=answer(93.5, model="2.0"), error=fm.UnexpectedResponse, charged=YES)
    )
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
    secrets = (SIMULATOR_SECRET_KEY, SIMULATOR_SECRET_ID)
    documented_capabilities = {
        "threshold_rule": ThresholdRule.ABOVE,
        "default_threshold": 50.0,
        "default_liveness_threshold": 40.0,
    }
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
