"""Print how random calls end, one line a case: to compare two versions of the code.

    cd tests; python -m kit.replies SEED COUNT

Odd cases are calls of a vendor's backend, with canned replies that are almost the vendor's own.
Even cases are calls of `StepsBackend`: random requests, waits and clean-ups, and random replies.
A line has every attribute of the result or error. A case depends on the seed and its number alone.
"""

import copy
import datetime as dt
import json
import random
import re
import sys
from pathlib import Path

import attrs
from kit.fakes import picture
from kit.vendors import AWS_KEYS
from simulators.baidu import DocumentedBaidu
from simulators.deepface import DocumentedDeepface
from simulators.facepp import DocumentedFacepp
from simulators.regula import DocumentedRegula
from simulators.tencent import DocumentedTencent

import facematch_core as fm
from facematch_azure import AzureBackend
from facematch_compreface import ComprefaceBackend
from facematch_core import errors, models
from facematch_core.backend import Capabilities, LivenessRequest, MatchRequest
from facematch_core.backend.requests import LookUpRequest
from facematch_core.base.deadline import Deadline
from facematch_core.http import (
    BodyShape,
    ErrorRow,
    HttpBackend,
    HttpReply,
    HttpRequest,
    InconclusiveRow,
    Wait,
)
from facematch_deepvue import DeepvueBackend
from facematch_didit import DiditBackend
from facematch_rekognition import RekognitionBackend

ANSWERS_OF_DIDIT = Path(__file__).parents[1] / "backends/didit/answers"
FACE_OF_AZURE = {
    "faceId": "c5c24a82-6845-4031-9d5d-978df9175426",
    "recognitionModel": "recognition_04",
    "faceRectangle": {"top": 78, "left": 394, "width": 10, "height": 20},
}
BOX_OF_COMPREFACE = {"probability": 0.9, "x_min": 1, "y_min": 2, "x_max": 3, "y_max": 4}
FACE_OF_AWS = {
    "BoundingBox": {"Left": 0.1, "Top": 0.1, "Width": 0.2, "Height": 0.2},
    "Confidence": 99.9,
}

#: Vendors whose simulators have the documents.
DOCUMENTED = (
    DocumentedBaidu,
    DocumentedDeepface,
    DocumentedFacepp,
    DocumentedRegula,
    DocumentedTencent,
)
#: Documents that each other vendor answers with.
DOCUMENTS = {
    "azure": [
        [FACE_OF_AZURE],
        [FACE_OF_AZURE],
        [],
        {"isIdentical": True, "confidence": 0.8},
        {"isIdentical": False, "confidence": 0.2},
        {"error": {"code": "429", "message": "Rate limit is exceeded."}},
    ],
    "compreface": [
        {
            "result": [
                {
                    "source_image_face": {"box": BOX_OF_COMPREFACE},
                    "face_matches": [{"box": BOX_OF_COMPREFACE, "similarity": 0.97}],
                }
            ]
        },
        {"message": "No face is found in the given image", "code": 28},
        {"message": "Service API key should be UUID", "code": 26},
    ],
    "deepvue": [
        {
            "code": 200,
            "sub_code": "SUCCESS",
            "transaction_id": "t-1",
            "timestamp": 1700000000000,
            "data": {"match": True, "confidence": 91.5, "is_live": True, "score": 0.9},
        },
        {"detail": "Face not detected", "transaction_id": "t-2"},
        {"detail": [{"loc": ["body", "image"], "msg": "field required"}]},
    ],
    "didit": [
        *(json.loads(path.read_bytes()) for path in sorted(ANSWERS_OF_DIDIT.glob("*.json"))),
        {"detail": "Invalid API Key."},
        {"ref_image": ["No file was submitted."]},
    ],
    "rekognition": [
        {
            "SourceImageFace": FACE_OF_AWS,
            "FaceMatches": [{"Similarity": 98.5, "Face": FACE_OF_AWS}],
            "UnmatchedFaces": [],
        },
        {"__type": "InvalidParameterException", "Message": "Request has invalid parameters"},
        {"__type": "ThrottlingException", "message": "Rate exceeded"},
    ],
}
#: What takes the place of a part of a document.
ODD_VALUES = [None, True, 0, 28, -1.5, 101, "", "abc", "x" * 300, [], {}, ["so"], {"code": 7}]
#: Bodies that are no document of a vendor.
ODD_BODIES = [b"", b" null ", b"7", b"[1]", b"{broken", b"<html>a gateway</html>"]
#: 200 stands for two replies in three.
OTHER_STATUSES = [
    201,
    202,
    204,
    302,
    307,
    400,
    401,
    402,
    403,
    404,
    408,
    413,
    422,
    429,
    500,
    502,
    599,
]
HEADERS = [
    {},
    {},
    {"X-Facematch-Mock": "1"},
    {"Retry-After": "3"},
    {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT", "Content-Type": "text/html"},
    {"x-amzn-RequestId": "q-1", "x-request-id": "q-2", "apim-request-id": "q-3"},
]

STEPS_URL = "http://127.0.0.1:1"
#: Bodies of replies to `StepsBackend`, which reads the keys `id`, `code` and `echo`.
STEPS_BODIES = [
    b"{}",
    b'{"id": "job-1"}',
    b'{"id": "job-1", "message": "The job is running."}',
    b'{"id": "job-2"}',
    b'{"id": 5}',
    b'{"id": "a bug"}',
    b'{"code": "no face"}',
    b'{"code": "bad picture", "id": "job-1"}',
    b'{"echo": "of another call"}',
    *ODD_BODIES,
]
#: How the steps end, once all their requests were answered.
STEPS_ENDS = ["result", "result", "charged", "free", "unknown", "bug", "no result", "refusal"]
BILLS = {
    "charged": models.Billing(models.Charged.YES),
    "free": models.Billing(models.Charged.NO, "the vendor says so"),
    "unknown": models.Billing(models.Charged.UNKNOWN, "the vendor says nothing"),
}
RECORD = models.CallRecord(
    id="00000000-0000-4000-8000-000000000000",
    operation=models.Operation.MATCH,
    backend="steps",
    started_at=dt.datetime(2026, 11, 28, tzinfo=dt.UTC),
    retention=models.Retention.KEEP,
)
NO_FACE = models.ResultWarning(code=models.WarningCode.NO_FACE, severity=models.Severity.ERROR)

ERROR_TABLE = {
    (404, BodyShape.JSON_OBJECT): ErrorRow(
        errors.RequestRejected, models.Charged.NO, "documented", "there is no such job"
    ),
    (422, BodyShape.JSON_OBJECT): ErrorRow(
        errors.RequestRejected, models.Charged.YES, "documented", "the picture has no face"
    ),
}
ERROR_CODES = {
    "no face": InconclusiveRow(NO_FACE, models.Charged.UNKNOWN, "not documented"),
    "bad picture": ErrorRow(
        errors.RequestRejected, models.Charged.NO, "documented", "the picture is bad"
    ),
}


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class StepsBackend(HttpBackend):
    """A backend that yields given steps, and then ends in one of `STEPS_ENDS`."""

    name = "steps"
    capabilities = Capabilities(
        retention=frozenset(fm.Retention), billed_operations=frozenset({fm.Operation.MATCH})
    )
    error_table = ERROR_TABLE
    error_codes = ERROR_CODES
    base_url: str = STEPS_URL
    mode: models.Environment | None = None
    items: tuple = ()
    end: str = "result"
    #: What the steps do with an error that is raised at a `yield`.
    on_error: str = "go on"

    @property
    def environment(self):
        return self.mode

    def error_code(self, reply):
        return reply.at("code")

    def vendor_id(self, reply):
        if reply.at("id") == "a bug":
            raise RuntimeError("a bug")
        return reply.at("id")

    def echoes(self, reply):
        return {"caller_ref": reply.at("echo")}

    def steps(self, request):
        for item in self.items:
            try:
                yield item
            except errors.VendorError:
                if self.on_error == "raise it":
                    raise
                if self.on_error == "raise another":
                    raise errors.VendorUnavailable("gave up") from None
        if self.end == "bug":
            raise KeyError("face")
        if self.end == "no result":
            return 7
        if self.end == "refusal":
            raise errors.RequestRejected("the steps refuse", billing=BILLS["unknown"])
        if isinstance(request, LookUpRequest):
            return models.Reconciliation(
                outcome=models.Reconciled.NOT_YET, call=RECORD, reason="not in the records"
            )
        return models.MatchResult(
            decision=fm.Decision.MATCH,
            backend=self.name,
            billing=BILLS.get(self.end, models.Billing()),
        )

    def _fetch_steps(self, look_up):
        return self.steps(look_up)


def open_backends():
    """Return a backend of each vendor, by name."""
    azure = AzureBackend(api_key="k" * 32, base_url="https://contoso.cognitiveservices.azure.com")
    backends = [
        azure,
        ComprefaceBackend(api_key="k" * 36),
        DeepvueBackend(client_id="c" * 20, client_secret="s" * 30),
        DiditBackend(api_key="k" * 30),
        RekognitionBackend(region="eu-west-1", **AWS_KEYS),
    ]
    backends += [vendor.backend_class(**vendor.settings) for vendor in DOCUMENTED]
    return {backend.name: backend for backend in backends}


def documents_by_vendor():
    """Return the documents that each vendor answers with, by name."""
    documents = dict(DOCUMENTS)
    for vendor in DOCUMENTED:
        documents[vendor.backend_class.name] = [
            vendor.same_person,
            vendor.different_people,
            *(body for _status, body in vendor.answers.values()),
            *(refusal.body for refusal in vendor.refusals),
        ]
    return documents


def change_document(chance, document):
    """Return a document, one time in two with one value replaced or left out."""
    document = copy.deepcopy(document)
    if not document or chance.random() < 0.5:
        return document
    part = document
    while True:
        key = chance.choice(list(part) if isinstance(part, dict) else range(len(part)))
        inner = part[key]
        if not isinstance(inner, (dict, list)) or not inner or chance.random() < 0.3:
            break
        part = inner
    if chance.random() < 0.3:
        del part[key]
    else:
        part[key] = chance.choice(ODD_VALUES)
    return document


def draw_reply(chance, bodies):
    status = 200
    if chance.random() < 1 / 3:
        status = chance.choice(OTHER_STATUSES)
    return HttpReply(
        status=status,
        body=chance.choice(bodies),
        headers=chance.choice(HEADERS),
        is_free=chance.random() < 0.1,
    )


def draw_request(chance, number, backend):
    """Return a comparison or a liveness check; of `StepsBackend` perhaps a look-up."""
    about = {"call_id": f"00000000-0000-4000-8000-{number:012}"}
    if chance.random() < 0.1:
        about["deadline"] = Deadline.after(1e-9)  # over when the call begins
    if isinstance(backend, StepsBackend) and chance.random() < 0.25:
        return LookUpRequest(record=RECORD, vendor_id=chance.choice([None, "job-1"]), **about)
    about["caller_ref"] = chance.choice([None, "ours"])
    if chance.random() < 0.5:
        about["threshold"] = models.Threshold(80, models.ThresholdRule.AT_LEAST)
    operation = chance.choice(sorted(backend.capabilities.operations))
    if operation is fm.Operation.LIVENESS:
        return LivenessRequest(probe=picture(), **about)
    return MatchRequest(probe=picture(), reference=picture((1, 2, 3)), **about)


def draw_item(chance):
    """Return a request or a wait for `StepsBackend`."""
    if chance.random() < 0.2:
        return Wait(chance.choice([0, 0.5, 9]))
    url = f"{STEPS_URL}/jobs"
    if chance.random() < 0.05:
        url = "https://another.example/jobs"
    charges = chance.choice([0, 0, 1, 1, 2])
    about = {}
    if charges == 0 and chance.random() < 0.3:
        about["on_refusal"] = "raise"
    elif charges == 0 and chance.random() < 0.2:
        about["is_cleanup"] = True
    expects = chance.choice([{200}, {200, 202}, {200, 201, 204}])
    return HttpRequest(url=url, charges=charges, expects=expects, **about)


def call_vendor(chance, number, backends):
    """Return a vendor's name, and how its backend reads random replies."""
    name = chance.choice(list(backends))
    bodies = list(ODD_BODIES)
    for document in documents_by_vendor()[name]:
        for _ in range(6):
            bodies.append(json.dumps(change_document(chance, document)).encode())
    replies = [draw_reply(chance, bodies) for _ in range(5)]
    return name, end_of(backends[name], draw_request(chance, number, backends[name]), replies)


def call_steps(chance, number):
    """Return what kind of end the steps have, and how a call of them ends."""
    environment = chance.choice(
        [None, None, None, models.Environment.MOCK, models.Environment.SANDBOX]
    )
    backend = StepsBackend(
        mode=environment,
        items=tuple(draw_item(chance) for _ in range(chance.randint(1, 6))),
        end=chance.choice(STEPS_ENDS),
        on_error=chance.choice(["go on", "raise it", "raise another"]),
    )
    replies = [draw_reply(chance, STEPS_BODIES) for _ in range(9)]
    return f"steps, {backend.end}", end_of(backend, draw_request(chance, number, backend), replies)


def end_of(backend, request, replies):
    """Return the result or error of a request, also if it is raised."""
    try:
        return backend.read_reply(request, *replies)
    except Exception as error:  # noqa: BLE001 - a broken plug-in raises anything
        return error


def show(value):
    """Return a value as text, with every attribute of results and errors, and no line number."""
    if isinstance(value, BaseException):
        fields = {"args": value.args, **vars(value)}
    elif attrs.has(type(value)):
        fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
    elif isinstance(value, (list, tuple)):
        return f"[{', '.join(map(show, value))}]"
    else:
        return re.sub(r"line \d+", "line N", repr(value))
    shown = [f"{name}={show(field)}" for name, field in sorted(fields.items())]
    return f"{type(value).__name__}({', '.join(shown)})"


def cases(seed, count):
    """Yield a line a case."""
    backends = open_backends()
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        if number % 2:
            name, end = call_vendor(chance, number, backends)
        else:
            name, end = call_steps(chance, number)
        yield f"{number} {name}: {show(end)}"


if __name__ == "__main__":
    _, seed, count = sys.argv
    for line in cases(seed, int(count)):
        print(line)
