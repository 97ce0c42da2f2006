"""Each vendor's answers without a verdict: the error, its charge, and the vendor's words in it."""

import attrs
import pytest
from kit.fakes import json_reply, match_call
from kit.of_vendors import of_vendors
from kit.sessions import session_record
from kit.vendors import PAID, open_backend
from vendors.alibaba import DocumentedAlibaba
from vendors.baidu import DocumentedBaidu
from vendors.deepface import DocumentedDeepface
from vendors.regula import DocumentedRegula

import facematch_core as fm
from facematch_core.backend import ReadRequest, StartRequest

RECORD = session_record("didit", session_id="3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35")
CALL = match_call(30.0, call_id="a-1", retention=fm.Retention.KEEP)
DIDIT = open_backend("didit", workflow_id="11111111-2222-3333-4444-555555555555")


@attrs.frozen
class Asked:
    """A backend and what it is asked."""

    backend: object
    request: object = CALL


#: By the name of the vendor, and of Didit's sessions.
ASKED = {
    **{name: Asked(open_backend(name)) for name in PAID},
    "didit start": Asked(DIDIT, StartRequest(record=attrs.evolve(RECORD, session_id=None))),
    "didit read": Asked(DIDIT, ReadRequest(record=RECORD)),
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
#: The names of AWS's errors, some with a namespace or an address.
AWS_ERRORS = {
    fm.AuthenticationFailed: [
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "IncompleteSignature",
        "RequestExpired",
        "com.amazon.coral.service#InvalidSignatureException",
        "ExpiredTokenException:http://internal.amazon.com/coral/",
    ],
    fm.InsufficientCredit: ["OptInRequired", "SubscriptionRequiredException"],
    fm.PermissionDenied: ["AccessDeniedException"],
    fm.RateLimited: [
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "ServiceQuotaExceededException",
    ],
    fm.RequestRejected: [
        "ImageTooLargeException",
        "InvalidImageFormatException",
        "SomethingNewException",
    ],
}


def row_of(simulator):
    """Return a documented refusal of a simulator. Rule R16 holds the error and charge of all."""
    refusal = next(refusal for refusal in simulator.refusals if refusal.error is not None)
    return refusal.status, refusal.body, refusal.error


def rows_of_aws():
    rows = []
    for error_class, names in AWS_ERRORS.items():
        for name in names:
            rows.append((400, {"__type": name, "message": "As AWS says it."}, error_class))
    # Some services write the message with a capital.
    denied = {"__type": "AccessDeniedException", "Message": "As AWS says it."}
    return [*rows, (400, denied, fm.PermissionDenied)]


#: By who is asked: a status, a body and its error. What the core makes of a gateway's answer to
#: each vendor stands in test_gateways.py.
ROWS = {
    **{
        name: [row_of(simulator), *of_vendors("REJECTIONS").get(name, [])]
        for name, simulator in of_vendors("DOCUMENTED").items()
    },
    "azure": [
        (403, {"error": {"message": "Out of call volume quota."}}, fm.InsufficientCredit),
        (403, {"error": {"code": "403", "message": "It may not."}}, fm.PermissionDenied),
    ],
    "baidu": [row_of(DocumentedBaidu)],
    "compreface": [
        (400, {"message": "Service API key should be UUID", "code": 26}, fm.AuthenticationFailed),
        (400, {"message": "Limit should be at least 0; ", "code": 26}, fm.RequestRejected),
        # It charges nobody.
        (500, {"message": "It is down."}, fm.VendorUnavailable),
    ],
    "deepface": [row_of(DocumentedDeepface), (405, HTML, fm.RequestRejected)],
    "deepvue": [
        (400, {"detail": "Inactive client_id"}, fm.AuthenticationFailed),
        (400, {"message": "Bad Request"}, fm.RequestRejected),
        (403, {"detail": "Not a valid token"}, fm.AuthenticationFailed),
        (403, {"detail": "This is not a valid token, is it"}, fm.PermissionDenied),
        (404, {"detail": "Not Found"}, fm.RequestRejected),
        (422, {"detail": "Face not detected", "transaction_id": "t-2"}, fm.RequestRejected),
        (503, {"detail": "Source Unavailable"}, fm.OutcomeUnknown),
    ],
    "didit": [
        # Documented answers of every edition.
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
        (519, DETAIL, fm.VendorUnavailable),
        (500, FIELDS, fm.OutcomeUnknown),
        (500, ["so"], fm.OutcomeUnknown),
        (500, NUMBER, fm.OutcomeUnknown),
        (500, {}, fm.OutcomeUnknown),
        (400, ["so", 7], fm.OutcomeUnknown),
        (403, FIELDS, fm.PermissionDenied),
        # A gateway may have lost a call that goes on.
        (502, DETAIL, fm.OutcomeUnknown),
        (504, DETAIL, fm.OutcomeUnknown),
        (520, DETAIL, fm.OutcomeUnknown),
    ],
    "didit start": [
        (400, {"detail": "You don't have enough credits to perform it."}, fm.InsufficientCredit),
        (400, {"portrait_image": "Image size exceeds 2MB."}, fm.RequestRejected),
        (403, {"detail": "You do not have permission."}, fm.AuthenticationFailed),
        (404, {"detail": "Not found."}, fm.RequestRejected),
        (500, {"detail": "Oh."}, fm.OutcomeUnknown),
    ],
    "didit read": [
        (404, {"detail": "Not found."}, fm.SessionNotFound),
        (404, HTML, fm.RequestRejected),
        (403, {"detail": "No."}, fm.AuthenticationFailed),
        (500, {"detail": "Oh."}, fm.VendorUnavailable),
        (502, HTML, fm.VendorUnavailable),
    ],
    "alibaba": [row_of(DocumentedAlibaba)],
    "regula": [
        row_of(DocumentedRegula),
        (403, {"code": 200}, fm.PermissionDenied),
        (200, {"code": 237}, fm.UnexpectedResponse),
        (500, NUMBER, fm.OutcomeUnknown),
    ],
    "rekognition": rows_of_aws(),
    # Its codes stand in test_tencent.py.
    "tencent": [
        (
            200,
            {"Response": {"Error": {"Code": "UnsupportedRegion", "Message": "It is so."}}},
            fm.RequestRejected,
        ),
    ],
}


def test_each_vendor_that_compares_has_rows():
    assert set(ROWS) == set(ASKED)


def each_row():
    rows = []
    for name, rows_of_name in ROWS.items():
        for status, body, error_class in rows_of_name:
            rows.append(pytest.param(name, status, body, error_class))
    return rows


def charge_of(asked, error_class):
    """Return what an error costs, by the documents of the vendor."""
    if asked in ("compreface", "deepface"):
        return fm.Charged.NO
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
    reply = json_reply(body, status, **{"Retry-After": "3600"})
    return ASKED[asked].backend.read_reply(ASKED[asked].request, reply)


@pytest.mark.parametrize(("asked", "status", "body", "error_class"), each_row())
def test_each_rejection_has_its_error_charge_and_message(asked, status, body, error_class):
    error = error_for(asked, status, body)
    assert type(error) is error_class
    assert error.billing.charged is charge_of(asked, error_class)
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


def test_didits_error_names_the_call_and_why_it_is_free():
    error = error_for("didit", 403, {"error": NO_CREDIT})
    assert error.ids.call == "a-1"
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
    result = ASKED["regula"].backend.read_reply(CALL, json_reply(body))
    assert result.decision is fm.Decision.INCONCLUSIVE
    (warning,) = result.warnings
    assert warning.code is fm.WarningCode.LOW_QUALITY
    assert name in warning.text
    assert result.billing.charged is fm.Charged.UNKNOWN
