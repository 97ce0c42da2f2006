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
DETAIL = {"detail": "so"}
FIELDS = {"user_image": ["so"]}
NUMBER = {"code": 7}
NO_CREDIT = (
    "You don't have enough credits to perform this request. Please top up at "
    "https://business.didit.me"
)
EXTENSION = (
    "File extension “txt” is not allowed. Allowed extensions are: tiff, jpg, jpeg, png, webp."
)
TOO_FAST = "Write request rate limit exceeded. You can make up to 300 requests per minute."


def rows_of(simulator):
    """Return the documented refusals of a simulator; one without an error is a result."""
    rows = []
    for refusal in simulator.refusals:
        if refusal.error is not None:
            rows.append((refusal.status, refusal.body, refusal.error))
    return rows


def aws(name, error_class, word="message"):
    """Return a row for a name of AWS; it writes `message` and `Message`."""
    return 400, {"__type": name, word: "As AWS says it."}, error_class


#: By who is asked: a status, a body and its error.
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
        (502, HTML, fm.VendorUnavailable),
        (504, HTML, fm.VendorUnavailable),
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
        (501, DETAIL, fm.VendorUnavailable),
        (519, DETAIL, fm.VendorUnavailable),
        (501, {"error": "so"}, fm.VendorUnavailable),
        # A gateway may have lost a call that goes on.
        (502, DETAIL, fm.OutcomeUnknown),
        (504, DETAIL, fm.OutcomeUnknown),
        (520, DETAIL, fm.OutcomeUnknown),
        (599, DETAIL, fm.OutcomeUnknown),
        (500, FIELDS, fm.OutcomeUnknown),
        (500, ["so"], fm.OutcomeUnknown),
        (500, NUMBER, fm.OutcomeUnknown),
        (500, {}, fm.OutcomeUnknown),
        (500, HTML, fm.OutcomeUnknown),
        (500, b"", fm.OutcomeUnknown),
        (100, DETAIL, fm.OutcomeUnknown),
        (302, DETAIL, fm.OutcomeUnknown),
        (408, DETAIL, fm.OutcomeUnknown),
        (499, DETAIL, fm.OutcomeUnknown),
        (400, HTML, fm.OutcomeUnknown),
        (400, b"", fm.OutcomeUnknown),
        (400, b"7", fm.OutcomeUnknown),
        (400, ["so", 7], fm.OutcomeUnknown),
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
        (400, HTML, fm.OutcomeUnknown),
        (502, HTML, fm.OutcomeUnknown),
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
        (500, HTML, fm.VendorUnavailable),
        (502, HTML, fm.VendorUnavailable),
        (405, HTML, fm.RequestRejected),
    ],
    "facepp": [
        *rows_of(DocumentedFacepp),
        (413, b"Request Entity Too Large", fm.RequestRejected),
        (500, {"error_message": "INTERNAL_ERROR"}, fm.OutcomeUnknown),
    ],
    "regula": [
        (403, b"", fm.PermissionDenied),
        (403, HTML, fm.PermissionDenied),
        (403, {"code": 200}, fm.PermissionDenied),
        (403, {}, fm.PermissionDenied),
        *rows_of(DocumentedRegula),
        (200, {"code": 237}, fm.UnexpectedResponse),
        (500, {"code": 7}, fm.OutcomeUnknown),
    ],
    "rekognition": [
        aws("UnrecognizedClientException", fm.AuthenticationFailed),
        aws("InvalidClientTokenId", fm.AuthenticationFailed),
        aws("MissingAuthenticationToken", fm.AuthenticationFailed),
        aws("IncompleteSignature", fm.AuthenticationFailed),
        aws("RequestExpired", fm.AuthenticationFailed),
        aws("com.amazon.coral.service#InvalidSignatureException", fm.AuthenticationFailed),
        aws("ExpiredTokenException:http://internal.amazon.com/coral/", fm.AuthenticationFailed),
        aws("OptInRequired", fm.InsufficientCredit),
        aws("SubscriptionRequiredException", fm.InsufficientCredit),
        aws("AccessDeniedException", fm.PermissionDenied),
        aws("AccessDeniedException", fm.PermissionDenied, word="Message"),
        aws("ThrottlingException", fm.RateLimited),
        aws("ProvisionedThroughputExceededException", fm.RateLimited),
        aws("LimitExceededException", fm.RateLimited),
        aws("ServiceQuotaExceededException", fm.RateLimited),
        aws("ImageTooLargeException", fm.RequestRejected),
        aws("InvalidImageFormatException", fm.RequestRejected),
        aws("SomethingNewException", fm.RequestRejected),
    ],
    # Its codes stand in test_tencent.py.
    "tencent": [
        (
            200,
            {"Response": {"Error": {"Code": "UnsupportedRegion", "Message": "It is so."}}},
            fm.RequestRejected,
        ),
        (500, HTML, fm.OutcomeUnknown),
    ],
}


def cases_of(*asked):
    """Return the rows of these, each as a parameter of a test."""
    cases = []
    for name in asked:
        for status, body, error_class in ROWS[name]:
            cases.append(pytest.param(name, status, body, error_class))
    return cases


def charge_of(asked, status, body, error_class):
    """Return what an error costs, by the documents of the vendor."""
    if asked in ("compreface", "deepface"):
        return fm.Charged.NO
    # Baidu does not document the charge of a refusal by its face service.
    if asked == "baidu" and body["error_code"] > 1000:
        return fm.Charged.UNKNOWN
    # Face++ does not document the charge of a refused field or picture.
    if asked == "facepp" and status == 400:
        return fm.Charged.UNKNOWN
    # Regula documents no charge of a refusal.
    if asked == "regula" and error_class is fm.RequestRejected:
        return fm.Charged.UNKNOWN
    if error_class is fm.OutcomeUnknown:
        return fm.Charged.UNKNOWN
    if error_class is fm.UnexpectedResponse:
        return fm.Charged.YES
    return fm.Charged.NO


def sentences_in(body):
    """Return the texts of more than one word in a body."""
    if isinstance(body, str):
        return [body] if " " in body else []
    if isinstance(body, dict):
        body = list(body.values())
    sentences = []
    if isinstance(body, list):
        for part in body:
            sentences.extend(sentences_in(part))
    return sentences


def error_for(asked, status, body):
    backend, call = ASKED[asked]
    return backend.read_reply(call, json_reply(body, status, **{"Retry-After": "3600"}))


@pytest.mark.parametrize(("asked", "status", "body", "error_class"), cases_of(*ROWS))
def test_each_rejection_has_its_error_charge_and_message(asked, status, body, error_class):
    error = error_for(asked, status, body)
    assert type(error) is error_class
    assert error.billing.charged is charge_of(asked, status, body, error_class)
    assert error.retryable is (error_class in (fm.VendorUnavailable, fm.RateLimited))
    assert error.status_code == status
    assert error.retry_after_s == 3600
    for sentence in sentences_in(body):
        assert sentence.strip()[:60] in str(error)
    if error_class is fm.OutcomeUnknown and "didit" not in asked:
        assert not error.reconcilable


@pytest.mark.parametrize(
    ("asked", "body", "field_errors"),
    [
        (
            "didit",
            {"user_image": [EXTENSION], "ref_image": ["It is empty."]},
            {"user_image": (EXTENSION,), "ref_image": ("It is empty.",)},
        ),
        (
            "didit start",
            {"workflow_id": ["It is required."]},
            {"workflow_id": ("It is required.",)},
        ),
        ("didit start", {"portrait_image": "Too large."}, {"portrait_image": ("Too large.",)}),
    ],
)
def test_fields_that_didit_refuses_are_named(asked, body, field_errors):
    assert error_for(asked, 400, body).field_errors == field_errors


@pytest.mark.parametrize(("asked", "status", "body", "error_class"), cases_of("didit"))
def test_didits_error_names_the_call_and_why_it_is_free(asked, status, body, error_class):
    error = error_for(asked, status, body)
    assert error.ids.call == "a-1"
    if error_class is not fm.OutcomeUnknown and sentences_in(body):
        assert "only 200 responses are charged" in error.billing.ground


@pytest.mark.parametrize(
    ("status", "body", "vendor_id"),
    [
        (422, {"detail": "Face not detected", "transaction_id": "t-2"}, "t-2"),
        (202, {"transaction_id": "t-1"}, "t-1"),
        (404, {"detail": "Not Found"}, None),
    ],
)
def test_deepvues_error_names_its_transaction(status, body, vendor_id):
    assert error_for("deepvue", status, body).ids.vendor == vendor_id


@pytest.mark.parametrize("status", [3, 4, 5])
@pytest.mark.parametrize(("index", "name"), [(0, "probe"), (1, "reference")])
def test_regulas_face_that_cannot_be_measured_is_inconclusive_and_names_its_picture(
    status, index, name
):
    detection = {"imageIndex": index, "status": status, "faces": []}
    body = {"code": status, "detections": [detection], "results": []}
    backend, call = ASKED["regula"]
    result = backend.read_reply(call, json_reply(body))
    assert result.decision is fm.Decision.INCONCLUSIVE
    (warning,) = result.warnings
    assert warning.code is fm.WarningCode.LOW_QUALITY
    assert name in warning.text
    assert result.billing.charged is fm.Charged.UNKNOWN
