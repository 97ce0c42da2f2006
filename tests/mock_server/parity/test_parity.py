"""`facematch parity`: a recording of a vendor is compared with the vendor's mock."""

import datetime as dt
import hashlib
import json
import os
import re
import subprocess
import sys

import pytest
import requests
from kit.commands import invoke_facematch
from kit.first_calls import OF_A_CUSTOMER, start_recording
from kit.mock_world import ask, control_request, new_engine
from kit.vendors import BUNDLED_VENDORS
from vendors import rekognition

from facematch_mock_server import MockServer, make_card
from facematch_mock_server.recognition.recognizer import Recognizer

MATCH = "/v3/face-match/"


@pytest.fixture
def compare(tmp_path):
    """Compare a recording with the mock; return the report."""

    def run(document, *options, code):
        file = tmp_path / "recording.json"
        file.write_text(json.dumps(document))
        answer = invoke_facematch("parity", str(file), "--json", *options)
        assert answer.exit_code == code, answer.output
        return json.loads(answer.stdout) if code < 2 else None

    return run


#: Their largest pictures take long to encode: 3 MB in a form, 64 and 17 MB.
SLOW = {"alibaba", "sumsub", "veriff"}


@pytest.mark.parametrize(
    "vendor",
    [
        pytest.param(vendor, marks=[pytest.mark.slow] * (vendor in SLOW))
        for vendor in BUNDLED_VENDORS
    ],
)
def test_vendor_that_answers_as_its_mock_has_no_difference(vendor, recorded, compare):
    document = recorded(vendor)
    report = compare(document, code=0)
    number = len(document["mappings"])
    assert report["counts"] == {"alike": number, "different": 0, "not imitated": 0}
    assert report["claims"]["in_doubt"] == []
    assert len(report["claims"]["held"]) > 5


def _mapping(document, method, end, status, number=0):
    found = []
    for mapping in document["mappings"]:
        target = mapping["metadata"]["sent"]["target"]
        call = (mapping["request"]["method"], mapping["response"]["status"])
        if call == (method, status) and target.endswith(end):
            found.append(mapping)
    return found[number]


def _in_response(method, end, status, change, number=0):
    return lambda document: change(_mapping(document, method, end, status, number)["response"])


def _in_match(number=0, **values):
    """Return a change of the verdict in a comparison."""

    def change(response):
        response["jsonBody"]["face_match"].update(values)

    return _in_response("POST", MATCH, 200, change, number)


def _in_body(method, end, status, /, **values):
    return _in_response(method, end, status, lambda response: response["jsonBody"].update(values))


def _without_score(response):
    del response["jsonBody"]["face_match"]["score"]


def _with_header(name, value):
    return lambda response: response["headers"].update({name: value})


def _with_another_box(response):
    (entity,) = response["jsonBody"]["face_match"]["user_image"]["entities"]
    entity["bbox"] = {"x": 1}


#: What a vendor does otherwise, and the call and the aspect that show it.
CHANGES = {
    "status": (
        _in_response("POST", MATCH, 401, lambda reply: reply.update(status=403)),
        1,
        "status",
    ),
    "words of an error": (_in_body("POST", MATCH, 401, detail="Wrong key."), 1, "words detail"),
    "a field less": (_in_response("POST", MATCH, 200, _without_score), 4, "shape face_match.score"),
    "a field more": (_in_match(model="v7"), 4, "shape face_match.model"),
    "a text for a number": (_in_match(score="95.4"), 4, "shape face_match.score"),
    "another scale": (_in_match(score=0.954), 4, "side face_match.score"),
    "another constant": (_in_match(status="APPROVED"), 4, "words face_match.status"),
    "null for a list": (_in_match(warnings=None), 4, "shape face_match.warnings"),
    "another time": (
        _in_body("POST", MATCH, 200, created_at="{{now format='unix'}}"),
        4,
        "time created_at",
    ),
    "another id": (_in_body("POST", MATCH, 200, request_id="0" * 30 + "9a"), 4, "form request_id"),
    "another type": (
        _in_response("POST", MATCH, 200, _with_header("Content-Type", "text/html")),
        4,
        "type",
    ),
    "a header less": (
        _in_response("POST", MATCH, 401, lambda reply: reply["headers"].pop("WWW-Authenticate")),
        1,
        "header www-authenticate",
    ),
    "a rate limit": (
        _in_response("POST", MATCH, 200, _with_header("X-RateLimit-Limit", "77")),
        4,
        "header x-ratelimit-limit",
    ),
    "a yes at the threshold": (
        _in_match(1, status="Approved", warnings=[]),
        5,
        "words face_match.status",
    ),
    "a read after deletion": (
        _in_response("GET", "/decision/", 404, lambda reply: reply.update(status=200)),
        22,
        "status",
    ),
    "an object for a list": (_in_body("GET", "/sessions/", 200, results={}), 23, "shape results"),
    "another box": (
        _in_response("POST", MATCH, 200, _with_another_box),
        4,
        "shape face_match.user_image.entities[].bbox",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_vendor_does_otherwise_is_found_in_its_place(name, recorded, compare):
    change, number, aspect = CHANGES[name]
    document = recorded("didit")
    change(document)
    report = compare(document, code=1)
    differences = {}
    for exchange in report["exchanges"]:
        for difference in exchange["differences"]:
            differences[difference["aspect"]] = exchange["number"]
    assert differences.pop(aspect) == number
    # Below an object is one that a list has no place for.
    assert all(other.startswith(("shape", aspect)) for other in differences)
    assert report["claims"]["in_doubt"] != []


def _first_verdict(document):
    return next(
        mapping["response"]["jsonBody"]
        for mapping in document["mappings"]
        if "verified" in mapping["response"].get("jsonBody", ())
    )


def test_field_that_differs_weighs_less_than_a_status(recorded, compare):
    document = recorded("deepface")
    areas = _first_verdict(document)["facial_areas"]
    areas["img1"] |= {"left_eye": {"x": 1}, "right_eye": {"x": 1}}
    (differing,) = [
        each for each in compare(document, code=1)["exchanges"] if each["result"] == "different"
    ]
    assert {each["aspect"].split()[0] for each in differing["differences"]} == {"shape"}


def test_refused_token_shows_that_the_server_has_one(recorded, compare):
    document = recorded("deepface")
    refused = [each for each in document["mappings"] if each["response"]["status"] == 401]
    assert len(refused) == 2
    assert compare(document, code=0)["counts"]["different"] == 0
    report = compare(document, "--switch", "auth=none", code=1)
    differing = [each for each in report["exchanges"] if each["result"] == "different"]
    assert [each["differences"][0]["aspect"] for each in differing] == ["status"] * 2
    file = ("--switch", "auth=sideways")
    compare(document, *file, code=2)


def test_stack_trace_is_not_compared(recorded, compare):
    document = recorded("deepface")
    changed = 0
    for mapping in document["mappings"]:
        body = mapping["response"].get("jsonBody", {})
        if "Traceback" in body.get("error", ""):
            body["error"] = body["error"].partition("Traceback")[0] + (
                "Traceback (most recent call last):\n  File /srv/x.py\nOSError: sideways"
            )
            changed += 1
    assert changed > 3
    compare(document, code=0)


def test_equally_likely_pictures_are_counted(recorded, compare):
    report = compare(recorded("deepface"), code=0)
    calls = [each["as_if"] or "" for each in report["exchanges"]]
    # An error about a face that was not found fits, whichever picture has none.
    assert any(text.endswith("other cases") for text in calls)
    held = report["claims"]["held"]
    assert "deepface.face.none" not in held


@pytest.mark.parametrize("vendor", ["deepface", "facepp", "rekognition"])
def test_picture_shows_the_same_in_all_calls(vendor, recorded, compare):
    shown = {}
    for exchange in compare(recorded(vendor), code=0)["exchanges"]:
        for name, what in re.findall(r"(r\d+) shows ([a-z]+ [a-z]+)", exchange["as_if"] or ""):
            is_person = what in ("a person", "the same", "another person")
            shown.setdefault(name, set()).add("a person" if is_person else what)
    assert {name: kinds for name, kinds in shown.items() if len(kinds) > 1} == {}
    assert shown["r1"] == shown["r2"] == {"a person"}
    assert shown["r4"] == {"no face"}


def test_search_that_finds_nobody_is_alike(tmp_path):
    file = tmp_path / "recording.json"
    recording, host = start_recording("rekognition", file)
    engine = new_engine(Recognizer(), vendor="rekognition")
    customer = {"key": "AKIACUSTOMERS0WN8KQ2", "secret": "customers-own-secret-8kQ2mPlT5vWn3R"}
    sent = {"key": customer["secret"], "client": customer["key"]}
    assert ask(engine, control_request("keys", sent)).status == 200
    people = {"CollectionId": "people"}
    calls = [("CreateCollection", None)]
    calls += [("IndexFaces", {"person": person}) for person in ("ada", "bob")]
    for person in ("ada", "eve", "bob"):
        calls.append(("SearchFacesByImage", {"person": person, "quality": 50}))
    found = []
    for operation, card in calls:
        pictured = {} if card is None else {"Image": rekognition.image(make_card(**card))}
        at = dt.datetime.now(dt.UTC)
        request = rekognition.signed_request({**people, **pictured}, operation, at=at, **customer)
        answer = engine.handle(request)
        recording.add("rekognition", host, request, answer)
        if operation == "SearchFacesByImage":
            found.append(bool(answer.json()["FaceMatches"]))
    assert found == [True, False, True]
    answer = invoke_facematch("parity", str(file), "--json")
    assert answer.exit_code == 0, answer.output
    exchanges = json.loads(answer.stdout)["exchanges"]
    assert exchanges[4]["as_if"] == "r4 shows another person"


def test_wrong_verdict_is_found_once_the_user_says_what_the_picture_shows(recorded, compare):
    document = recorded("didit")
    _in_match(4, status="Approved", score=99.5, warnings=[])(document)
    explained = compare(document, code=0)
    (sent,) = [each for each in explained["exchanges"] if each["number"] == 8]
    assert "r4 shows the same person" in sent["as_if"]
    # In two earlier calls, only r4 can be the picture without a face.
    assert sent["as_if"].endswith("which other calls contradict")
    report = compare(document, "--picture", "r4=no-face", code=1)
    (differing,) = [each for each in report["exchanges"] if each["result"] == "different"]
    assert differing["number"] == 8


def test_match_that_amazon_did_not_find_is_noticed(recorded, compare):
    document = recorded("rekognition")
    matches = [
        (number, mapping)
        for number, mapping in enumerate(document["mappings"], 1)
        if mapping["response"].get("jsonBody", {}).get("FaceMatches")
        and len(mapping["metadata"]["sent"]["pictures"]) == 2
    ]
    number, mapping = matches[0]
    mapping["response"]["jsonBody"]["FaceMatches"] = []
    first, second = mapping["metadata"]["sent"]["pictures"]
    report = compare(document, "--picture", f"{first}=p1", "--picture", f"{second}=p1", code=1)
    differing = {each["number"]: each for each in report["exchanges"]}[number]
    assert {each["aspect"] for each in differing["differences"]} == {"found FaceMatches"}


def test_claim_about_faces_holds_only_if_the_pictures_are_known(recorded, compare):
    document = recorded("compreface")
    guessed = compare(document, code=0)
    assert guessed["claims"]["held_as_if"]
    assert "compreface.face.many" not in guessed["claims"]["held"]
    known = {"r1": "p1", "r2": "p1-again", "r3": "p2", "r4": "no-face", "r5": "two-faces"}
    # r6 and r7 are r1 with more bytes.
    known |= {"r6": "p1", "r7": "p1"}
    options = [word for name, card in known.items() for word in ("--picture", f"{name}={card}")]
    report = compare(document, *options, code=0)
    assert report["claims"]["held_as_if"] == []
    assert "compreface.face.many" in report["claims"]["held"]
    assert not any(exchange["as_if"] for exchange in report["exchanges"])


def test_call_that_the_mock_lacks_is_not_imitated_and_no_difference(recorded, compare):
    document = recorded("didit")
    mapping = _mapping(document, "GET", "/balance/", 200)
    mapping["request"]["urlPathTemplate"] = "/v3/lists/"
    mapping["metadata"]["sent"]["target"] = "/v3/lists/"
    report = compare(document, code=0)
    assert report["counts"]["not imitated"] == 1


def test_report_names_the_file_and_the_hosts(recorded, compare, tmp_path):
    document = recorded("compreface")
    report = compare(document, code=0)
    content = (tmp_path / "recording.json").read_bytes()
    assert report["sha256"] == hashlib.sha256(content).hexdigest()
    host = {"vendor": "compreface", "host": "127.0.0.1", "is_the_vendors_own": False}
    assert report["hosts"] == [host]
    (host,) = compare(recorded("didit"), code=0)["hosts"]
    assert host["is_the_vendors_own"] is True


def test_picture_is_sent_in_the_format_in_which_it_was_recorded(recorded, compare):
    document = recorded("onfido")
    for mapping in document["mappings"]:
        body = mapping["response"].get("jsonBody", {})
        if body.get("file_type") == "png":
            body["file_type"] = "jpg"
    assert compare(document, code=1)["counts"]["different"] == 4
    for mapping in document["mappings"]:
        for facts in mapping["metadata"]["sent"].get("pictures", {}).values():
            facts["format"] = "JPEG"
    compare(document, code=0)


def test_marked_recording_answers_where_it_differs(recorded, tmp_path):
    document = recorded("didit")
    _in_body("GET", "/balance/", 200, balance=99.7)(document)
    file = tmp_path / "recording.json"
    file.write_text(json.dumps(document))
    assert invoke_facematch("parity", str(file), "--mark").exit_code == 1
    marks = [
        each["metadata"].get("instead", False) for each in json.loads(file.read_text())["mappings"]
    ]
    assert sum(marks) == 1
    with MockServer(replies=[file]) as mock:
        url = f"{mock.url}/v3/billing/balance/"
        answer = requests.get(url, headers={"x-api-key": mock.live_key}, timeout=10)
    assert answer.json()["balance"] == 99.7


def test_private_fields_are_compared_by_type_and_not_shown(recorded, tmp_path):
    document = recorded("didit")
    private = {"nickname": "McDonald", "person": {"surname": "DE_LA_CRUZ", "age": 41}}
    _in_body("GET", "/balance/", 200, **private)(document)
    file = tmp_path / "recording.json"
    file.write_text(json.dumps(document))
    for options in ((), ("--json",)):
        answer = invoke_facematch("parity", str(file), *options)
        assert answer.exit_code == 1
        assert "shape person.surname" in answer.output
        assert not [
            word for word in ("McDonald", "DE_LA_CRUZ", "41") if word in answer.output.split()
        ]
        assert "McDonald" not in answer.output


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("{", ()),
        ('{"mappings": []}', ()),
        ('{"request": {"urlPath": "/a"}, "response": {}}', ()),
        (None, ("--picture", "r99=p1")),
        (None, ("--picture", "r1=nobody")),
        (None, ("--picture", "r1")),
    ],
)
def test_what_cannot_be_compared_is_a_usage_error(text, options, recorded, tmp_path):
    file = tmp_path / "recording.json"
    file.write_text(text or json.dumps(recorded("didit")))
    assert invoke_facematch("parity", str(file), *options).exit_code == 2


def test_missing_package_is_named_with_its_remedy(tmp_path, monkeypatch):
    (tmp_path / "recording.json").write_text("{}")
    for name in [name for name in sys.modules if name.startswith("facematch_mock_server.parity.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "facematch_mock_server.door.keys", None)
    answer = invoke_facematch("parity", str(tmp_path / "recording.json"))
    assert (answer.exit_code, "trustme" in answer.output) == (4, True), answer.output


def test_calls_are_recorded_and_compared_by_the_commands(tmp_path):
    file = tmp_path / "didit.json"
    facematch = [sys.executable, "-c", "from facematch_core.cli import main; main()"]
    with MockServer(vendor="didit") as vendor:
        options = ["--vendor", "didit", "--door", "--record", str(file), "--max-calls", "26"]
        options += ["--upstream", vendor.url]
        calls = [sys.executable, "-m", "facematch_mock_server.first_calls", "didit"]
        keys = {
            "DIDIT_API_KEY": vendor.live_key,
            "DIDIT_WORKFLOW_ID": OF_A_CUSTOMER["DIDIT_WORKFLOW_ID"],
        }
        made = subprocess.run(
            [*facematch, "mock", *options, "--", *calls],
            env={**os.environ, **keys},
            check=False,
            capture_output=True,
            text=True,
        )
    assert made.returncode == 0, made.stderr
    answer = invoke_facematch("parity", str(file))
    assert (answer.exit_code, "26 alike" in answer.output) == (0, True), answer.output
