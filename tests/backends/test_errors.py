"""Each vendor's answers without a verdict: the error, its charge, and the vendor's words in it."""

import attrs
import pytest
from kit.fakes import json_reply, match_call
from kit.sessions import session_record
from kit.vendors import AWS_KEYS
from simulators.baidu import DocumentedBaidu
from simulators.deepface import DocumentedDeepface
from simulators.facepp import DocumentedFacepp
from simulators.regula import DocumentedRegula

import facematch_core as fm
from facematch_azure import AzureBackend
from facematch_baidu import BaiduBackend
from facematch_compreface import ComprefaceBackend
from facematch_core.backend import ReadRequest, StartRequest
from facematch_deepface import DeepfaceBackend
from facematch_deepvue import DeepvueBackend
from facematch_didit import DiditBackend
from facematch_facepp import FaceppBackend
from facematch_regula import RegulaBackend
from facematch_rekognition import RekognitionBackend
from facematch_tencent import TencentBackend

SESSION_ID = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"
RECORD = session_record("didit")
DIDIT = DiditBackend(api_key="k-1", workflow_id="11111111-2222-3333-4444-555555555555")
CALL = match_call(30.0, call_id="a-1", retention=fm.Retention.KEEP)
AZURE = AzureBackend(api_key="k", base_url="https://contoso.cognitiveservices.azure.com")
#: Who is asked what.
ASKED = {
    "azure": (AZURE, CALL),
    "compreface": (ComprefaceBackend(api_key="k"), CALL),
    "deepvue": (DeepvueBackend(client_id="client-1", client_secret="secret-1"), CALL),
    "didit": (DIDIT, CALL),
    "didit start": (DIDIT, StartRequest(record=RECORD)),
    "didit read": (DIDIT, ReadRequest(record=attrs.evolve(RECORD, session_id=SESSION_ID))),
    "baidu": (BaiduBackend(api_key="bce-v3/k"), CALL),
    "deepface": (DeepfaceBackend(model_name="SFace"), CALL),
    "facepp": (FaceppBackend(api_key="k", api_secret="s"), CALL),
    "regula": (RegulaBackend(), CALL),
    "rekognition": (RekognitionBackend(region="eu-west-1", **AWS_KEYS), CALL),
    "tencent": (TencentBackend(secret_id="i", secret_key="k", region="ap-singapore"), CALL),
}

HTML = b"<html>It is so.</html>"
DETAIL, FIELDS, NUMBER = {"detail": "so"}, {"user_image": ["so"]}, {"code": 7}
NO_CREDIT = (
    "You don't have enough credits to perform this request. Please top up at "
    "https://business.didit.me"
)
EXTENSION = (
    "File extension “txt” is not allowed. Allowed extensions are: tiff, jpg, jpeg, png, webp."
)
TOO_FAST = "Write request rate limit exceeded. You can make up to 300 requests per minute."
AWS_NAMES = {
    fm.AuthenticationFailed: (
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "IncompleteSignature",
        "RequestExpired",
        "com.amazon.coral.service#InvalidSignatureException",
        "ExpiredTokenException:http://internal.amazon.com/coral/",
    ),
    fm.InsufficientCredit: ("OptInRequired", "SubscriptionRequiredException"),
    fm.PermissionDenied: ("AccessDeniedException",),
    fm.RateLimited: (
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "ServiceQuotaExceededException",
    ),
    fm.RequestRejected: (
        "ImageTooLargeException",
        "InvalidImageFormatException",
        "SomethingNewException",
    ),
}


def rows_of(simulator):
    """The documented refusals that are errors, from a simulator."""
    refusals = [refusal for refusal in simulator.refusals if refusal.error is not None]
    return [(refusal.status, refusal.body, refusal.error) for refusal in refusals]


#: Codes of Tencent's refusals whose charge is inferred; the others stand in test_tencent.py.
TENCENT_CODES = {
    "AuthFailure.SignatureFailure": fm.AuthenticationFailed,
    "AuthFailure.UnauthorizedOperation": fm.PermissionDenied,
    "ResourceUnavailable.InArrears": fm.InsufficientCredit,
    "RequestLimitExceeded": fm.RateLimited,
    "UnsupportedRegion": fm.RequestRejected,
    "InternalError": fm.OutcomeUnknown,
    "InvalidParameterValue.UrlIllegal": fm.UnexpectedResponse,
}
ROWS = {
    "baidu": rows_of(DocumentedBaidu),
    "azure": [
        (403, {"error": {"message": "Out of call volume quota."}}, fm.InsufficientCredit),
        (403, {"error": {"code": "403", "message": "It may not."}}, fm.PermissionDenied),
        (429, {"error": {"code": "429", "message": "Rate limit is exceeded."}}, fm.RateLimited),
    ],
    "compreface": [
        (400, {"message": "Service API key should be UUID", "code": 26}, fm.AuthenticationFailed),
        (400, {"message": "Limit should be at least 0; ", "code": 26}, fm.RequestRejected),
        # It charges nobody: its own nginx answers 502 and 504 in HTML while its API starts.
        *((status, HTML, fm.VendorUnavailable) for status in (502, 504)),
        (500, {"message": "It is down."}, fm.VendorUnavailable),
    ],
    "deepvue": [
        (202, {"transaction_id": "t-1"}, fm.UnexpectedResponse),
        (307, b"", fm.RequestRejected),
        (400, {"detail": "Inactive client_id"}, fm.AuthenticationFailed),
        (400, {"message": "Bad Request"}, fm.RequestRejected),
        (401, {"detail": "Not authenticated"}, fm.AuthenticationFailed),
        (402, {"detail": "?"}, fm.InsufficientCredit),
        (403, {"detail": "Not a valid token"}, fm.AuthenticationFailed),
        (403, {"detail": "This is not a valid token, is it"}, fm.PermissionDenied),
        (403, HTML, fm.PermissionDenied),
        (404, {"detail": "Not Found"}, fm.RequestRejected),
        (422, {"detail": "Face not detected", "transaction_id": "t-2"}, fm.RequestRejected),
        (422, HTML, fm.OutcomeUnknown),
        (429, {"detail": "Rate limit exceeded. Please retry after some time."}, fm.RateLimited),
        (500, {"detail": "Internal Server Error"}, fm.OutcomeUnknown),
        (502, HTML, fm.OutcomeUnknown),
        (503, {"detail": "Source Unavailable"}, fm.OutcomeUnknown),
    ],
    "didit": [
        # Documented answers of every edition.
        (400, {"ref_image": ["No file was submitted."]}, fm.RequestRejected),
        (400, {"user_image": [EXTENSION], "ref_image": ["It is empty."]}, fm.RequestRejected),
        (400, {"error": "Invalid user image format."}, fm.RequestRejected),
        (400, ["A bare list."], fm.RequestRejected),
        (401, {"detail": "Invalid API Key."}, fm.AuthenticationFailed),
        (403, {"detail": "You do not have permission."}, fm.AuthenticationFailed),
        (403, {"error": NO_CREDIT}, fm.InsufficientCredit),
        (429, {"detail": TOO_FAST}, fm.RateLimited),
        (500, {"detail": "A server error occurred."}, fm.VendorUnavailable),
        (503, {"error": "Try again later."}, fm.VendorUnavailable),
        # Answers in another form have the core's meaning.
        *((status, DETAIL, fm.VendorUnavailable) for status in (501, 519)),
        (501, {"error": "so"}, fm.VendorUnavailable),
        # A gateway may have lost a call that goes on.
        *((status, DETAIL, fm.OutcomeUnknown) for status in (502, 504, 520, 599)),
        *((500, body, fm.OutcomeUnknown) for body in (FIELDS, ["so"], NUMBER, {}, HTML, b"")),
        *((status, DETAIL, fm.OutcomeUnknown) for status in (100, 302, 408, 499)),
        *((400, body, fm.OutcomeUnknown) for body in (HTML, b"", b"7", ["so", 7])),
        (400, NUMBER, fm.RequestRejected),
        (307, HTML, fm.RequestRejected),
        (403, FIELDS, fm.PermissionDenied),
        (403, HTML, fm.PermissionDenied),
        (201, DETAIL, fm.UnexpectedResponse),
    ],
    "didit start": [
        (400, {"detail": "You don't have enough credits to perform it."}, fm.InsufficientCredit),
        (400, {"workflow_id": ["This field is required."]}, fm.RequestRejected),
        (400, {"portrait_image": "Image size exceeds 2MB."}, fm.RequestRejected),
        (400, ["A bare list."], fm.RequestRejected),
        (401, {"detail": "Invalid API Key."}, fm.AuthenticationFailed),
        (403, {"detail": "You do not have permission."}, fm.AuthenticationFailed),
        (404, {"detail": "Not found."}, fm.RequestRejected),
        (429, {"detail": "Sandbox session quota exceeded."}, fm.RateLimited),
        (500, {"detail": "Oh."}, fm.OutcomeUnknown),
        *((status, HTML, fm.OutcomeUnknown) for status in (400, 502)),
    ],
    "didit read": [
        (404, {"detail": "Not found."}, fm.SessionNotFound),
        (404, {"detail": "Session not found."}, fm.SessionNotFound),
        (404, HTML, fm.RequestRejected),
        (403, {"detail": "No."}, fm.AuthenticationFailed),
        (429, {"detail": "Slowly."}, fm.RateLimited),
        (500, {"detail": "Oh."}, fm.VendorUnavailable),
        (502, HTML, fm.VendorUnavailable),
    ],
    "deepface": [
        *rows_of(DocumentedDeepface),
        *((status, HTML, fm.VendorUnavailable) for status in (500, 502)),
        (405, HTML, fm.RequestRejected),
    ],
    "facepp": [
        *rows_of(DocumentedFacepp),
        (413, b"Request Entity Too Large", fm.RequestRejected),
        (500, {"error_message": "INTERNAL_ERROR"}, fm.OutcomeUnknown),
    ],
    "regula": [
        *((403, body, fm.PermissionDenied) for body in (b"", HTML, {"code": 200}, {})),
        *rows_of(DocumentedRegula),
        (200, {"code": 237}, fm.UnexpectedResponse),
        (500, {"code": 7}, fm.OutcomeUnknown),
    ],
    "rekognition": [
        (400, {"__type": name, word: "As AWS says it."}, kind)
        for kind, names in AWS_NAMES.items()
        for name in names
        for word in ("message", "Message")
    ],
    "tencent": [
        *(
            (200, {"Response": {"Error": {"Code": code, "Message": "It is so."}}}, kind)
            for code, kind in TENCENT_CODES.items()
        ),
        (500, HTML, fm.OutcomeUnknown),
    ],
}
CHARGED = {fm.OutcomeUnknown: fm.Charged.UNKNOWN, fm.UnexpectedResponse: fm.Charged.YES}


def charge_of(asked, status, body, kind):
    if asked in ("compreface", "deepface"):
        return fm.Charged.NO
    # Baidu does not document the charge of a refusal by its face service.
    if asked == "baidu" and body["error_code"] > 1000:
        return fm.Charged.UNKNOWN
    # Face++ does not document the charge of a refused field or picture.
    if asked == "facepp" and status == 400:
        return fm.Charged.UNKNOWN
    # Regula documents no charge of a refusal.
    if asked == "regula" and kind is fm.RequestRejected:
        return fm.Charged.UNKNOWN
    return CHARGED.get(kind, fm.Charged.NO)


def sentences(body):
    if isinstance(body, str):
        return [body] if " " in body else []
    parts = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    return [sentence for part in parts for sentence in sentences(part)]


@pytest.mark.parametrize(
    ("asked", "status", "body", "kind"),
    [(asked, *row) for asked, rows in ROWS.items() for row in rows],
)
def test_each_rejection_has_its_error_charge_and_message(asked, status, body, kind):
    backend, call = ASKED[asked]
    error = backend.read_reply(call, json_reply(body, status, **{"Retry-After": "3600"}))
    assert type(error) is kind
    assert error.billing.charged is charge_of(asked, status, body, kind)
    assert error.retryable is (kind in (fm.VendorUnavailable, fm.RateLimited))
    assert (error.status_code, error.retry_after_s) == (status, 3600)
    assert all(sentence.strip()[:60] in str(error) for sentence in sentences(body))
    if isinstance(body, dict) and {*body} & {"ref_image", "workflow_id", "portrait_image"}:
        assert {*error.field_errors} == {*body}
        assert sentences([*map(list, error.field_errors.values())]) == sentences(body)
    if kind is fm.OutcomeUnknown and "didit" not in asked:
        assert not error.reconcilable
    if asked == "didit":
        assert error.ids.call == "a-1"
        if sentences(body):
            assert "only 200 responses are charged" in error.billing.ground
    if asked == "deepvue" and isinstance(body, dict):
        assert error.ids.vendor == body.get("transaction_id")


@pytest.mark.parametrize("status", [3, 4, 5])
@pytest.mark.parametrize(("index", "name"), [(0, "probe"), (1, "reference")])
def test_regulas_face_that_cannot_be_measured_is_inconclusive_and_names_its_picture(
    status, index, name
):
    backend, call = ASKED["regula"]
    detection = {"imageIndex": index, "status": status, "faces": []}
    body = {"code": status, "detections": [detection], "results": []}
    result = backend.read_reply(call, json_reply(body))
    assert result.decision is fm.Decision.INCONCLUSIVE
    (warning,) = result.warnings
    assert warning.code is fm.WarningCode.LOW_QUALITY
    assert name in warning.text
    assert result.billing.charged is fm.Charged.UNKNOWN
