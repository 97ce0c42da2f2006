"""Requests to Face++ as clients send them."""

from urllib.parse import urlencode

from kit import mock_didit as didit
from kit import mock_rekognition as rekognition
from kit.mock_didit import control_request, multipart, scene
from kit.scenario import Scenario, answer_with_fault, limit

from facematch_mock_server.vendors.facepp.vendor import API_KEY, DETECT, PATH, SECRET

KEYS = {"api_key": API_KEY, "api_secret": SECRET}


def compare_request(image_file1=None, image_file2=None, *, keys=KEYS, path=PATH, **fields):
    """A comparison of two files; a file that is False is left out."""
    files = []
    for name, content in (("image_file1", image_file1), ("image_file2", image_file2)):
        if content is not False:
            files.append((name, "a.jpg", scene() if content is None else content))
    sent = multipart({**keys, **fields}.items(), files)
    return didit.didit_request(path, *sent, key=None)


def detect_request(image_file=None, **fields):
    """A search for faces in a file; a file that is False is left out."""
    files = []
    if image_file is not False:
        files.append(("image_file", "a.jpg", scene() if image_file is None else image_file))
    sent = multipart({**KEYS, **fields}.items(), files)
    return didit.didit_request(DETECT, *sent, key=None)


def detect_by_query(body=b"", **fields):
    """A search for faces whose fields stand in the query, as jQuery sends it without data."""
    sent = {name: text for name, text in {**KEYS, **fields}.items() if text is not None}
    kind = "application/x-www-form-urlencoded"
    return didit.didit_request(f"{DETECT}?{urlencode(sent)}", body, kind, key=None)


def request_of_type(kind, body=b"api_key=1"):
    return didit.didit_request(PATH, body, kind, key=None)


def facepp_compare_by_token(engine):
    (face,) = engine.handle(detect_request()).json()["faces"]
    return engine.handle(compare_request(False, face_token1=face["face_token"]))


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        compare_request(scene(faces=0)),
        compare_request(b"no picture"),
        compare_request(False, image_base64_1="not base64!"),
        compare_request(image_file2=False),
        compare_request(b"x" * (2 * 1024 * 1024 + 1)),
        compare_request(rekognition.draw_picture(size=(40, 40))),
        compare_request(rekognition.draw_picture("WEBP")),
        compare_request(keys={"api_key": API_KEY}),
        compare_request(keys={**KEYS, "api_secret": "wrong"}),
        request_of_type("text/plain"),
        request_of_type("multipart/form-data"),
        compare_request(path="/facepp/v3/nothing"),
        compare_request(face_token1="unknown"),
        compare_request(False, image_url1="ftp://no-link"),
        detect_request(return_attributes="age,emotion"),
        detect_by_query(),
        detect_request(return_landmark="1"),
        facepp_compare_by_token,
        answer_with_fault(400, compare_request()),
        answer_with_fault(403, compare_request()),
        answer_with_fault(500, compare_request()),
        limit("second", 0),
        compare_request(),
        limit("second", None),
        control_request("ledger/balance", {"balance": "0"}),
        compare_request(),
    )
    return [
        Scenario("facepp", calls, {"price": "0.01"}),
        Scenario("facepp", calls, {"limit": "together"}),
    ]
