"""`facematch parity --shapes`: what a recording's answers look like, without a customer's word."""

import json
import tomllib

import pytest
from kit.commands import invoke_facematch
from kit.recorded import read_body
from kit.vendors import BUNDLED_VENDORS

CANARY = "zq7-canary"
NUMBER = 7_313_377

#: All recordings are published by the same code.
QUICK = {"azure", "deepvue", "didit"}


@pytest.fixture
def publish(tmp_path):
    """Write the shapes of a recording; return the text and what was printed."""

    def run(document, *options):
        recording = tmp_path / "recording.json"
        recording.write_text(json.dumps(document), "utf-8")
        file = tmp_path / "shapes.toml"
        file.unlink(missing_ok=True)
        answer = invoke_facematch("parity", str(recording), "--shapes", str(file), *options)
        assert answer.exit_code == 0, answer.output
        return file.read_text("utf-8"), answer.stdout

    return run


def with_canaries(value, *, in_keys):
    """Return JSON with a canary in each key, or else in each text and number."""
    if isinstance(value, dict):
        changed = {}
        for number, (name, item) in enumerate(value.items()):
            shown = f"{CANARY}-{number}" if in_keys else name
            changed[shown] = with_canaries(item, in_keys=in_keys)
        return changed
    if isinstance(value, list):
        return [with_canaries(item, in_keys=in_keys) for item in value]
    if in_keys or value is None or isinstance(value, bool):
        return value
    return CANARY if isinstance(value, str) else NUMBER


EACH_VENDOR = pytest.mark.parametrize(
    "vendor",
    [
        pytest.param(vendor, marks=[pytest.mark.slow] * (vendor not in QUICK))
        for vendor in BUNDLED_VENDORS
    ],
)


@EACH_VENDOR
@pytest.mark.parametrize("in_keys", [True, False], ids=["keys", "values"])
def test_no_key_and_no_value_of_a_recording_is_published(vendor, in_keys, recorded, publish):
    document = recorded(vendor)
    for mapping in document["mappings"]:
        response = mapping["response"]
        response["headers"] = {"Content-Type": "application/json", f"X-{CANARY}": CANARY}
        if "jsonBody" in response:
            response["jsonBody"] = with_canaries(response["jsonBody"], in_keys=in_keys)
        sent = mapping["metadata"]["sent"]
        for part in sent.keys() & {"json", "form"}:
            if not in_keys:
                sent[part] = with_canaries(sent[part], in_keys=False)
            if isinstance(sent[part], dict):
                sent[part][CANARY] = CANARY
        mapping["metadata"]["host"] = f"{CANARY}.example"
    text, _ = publish(document)
    assert len(tomllib.loads(text)["shape"]) == len(document["mappings"])
    for private in (CANARY, str(NUMBER)):
        assert private not in text


def shape_of_call(text, call, status=200):
    """Return the facts of the first answer to a call."""
    for shape in tomllib.loads(text)["shape"]:
        if (shape["call"], shape["status"]) == (call, status):
            return read_body(shape["body"])
    raise AssertionError(f"{call} has no shape")


def answer_to(document, method, target, status=200):
    """Return the mapping of a call."""
    for mapping in document["mappings"]:
        made = mapping["request"]["method"], mapping["metadata"]["sent"]["target"]
        if made == (method, target) and mapping["response"]["status"] == status:
            return mapping
    raise AssertionError(f"{target} was not recorded")


def test_word_stands_only_if_the_mock_answers_it_at_the_same_place(recorded, publish):
    document = recorded("didit")
    body = answer_to(document, "POST", "/v3/face-match/")["response"]["jsonBody"]
    body["face_match"]["status"] = "Approved"
    body["face_match"]["ref_image"]["approved"] = "Approved"
    body["face_match"]["ada"] = {"lovelace": 1}
    facts = shape_of_call(publish(document)[0], "POST /v3/face-match/")
    assert facts.words["face_match.status"] == {'"Approved"'}
    assert facts.forms["request_id"] == {"uuid"}
    assert facts.forms["created_at"] == {"time"}
    assert facts.forms["face_match.*.*"] == {"number"}
    assert "face_match.ref_image.approved" not in facts.words


def test_word_that_the_request_sent_does_not_stand(recorded, publish):
    document = recorded("didit")
    start = answer_to(document, "POST", "/v3/session/", 201)
    start["metadata"]["sent"]["json"]["vendor_data"] = "Approved"
    start["response"]["jsonBody"]["vendor_data"] = "Approved"
    facts = shape_of_call(publish(document)[0], "POST /v3/session/", 201)
    assert facts.words["status"] == {'"Not Started"'}
    assert facts.forms["vendor_data"] == {"text"}
    assert "vendor_data" not in facts.words


def test_unknown_step_of_a_path_does_not_stand(recorded, publish):
    document = recorded("didit")
    call = answer_to(document, "GET", "/v3/billing/balance/")
    call["request"] = {"method": "GET", "urlPath": f"/v3/{CANARY}/"}
    call["metadata"]["sent"]["target"] = f"/v3/{CANARY}/"
    text, _ = publish(document)
    assert shape_of_call(text, "GET /v3/*/")
    assert CANARY not in text


def test_shapes_are_printed_before_they_are_written(recorded, publish):
    document = recorded("didit")
    text, printed = publish(document, "--show")
    assert printed == f"{text}\n"
    assert publish(document)[1] == ""


def test_shapes_are_neither_put_into_a_file_that_exists_nor_printed_as_json(recorded, tmp_path):
    file = tmp_path / "recording.json"
    file.write_text(json.dumps(recorded("didit")), "utf-8")
    content = file.read_bytes()
    assert invoke_facematch("parity", str(file), "--shapes", str(file)).exit_code == 2
    assert file.read_bytes() == content
    assert invoke_facematch("parity", str(file), "--show").exit_code == 2
    named = invoke_facematch("parity", str(file), "--shapes", str(tmp_path / "new"), "--json")
    assert (named.exit_code, (tmp_path / "new").exists()) == (2, False)


def test_two_recordings_have_no_shapes(recorded, tmp_path):
    file = tmp_path / "recording.json"
    file.write_text(json.dumps(recorded("didit")), "utf-8")
    answer = invoke_facematch("parity", str(file), str(file), "--shapes", str(tmp_path / "s.toml"))
    assert answer.exit_code == 2
