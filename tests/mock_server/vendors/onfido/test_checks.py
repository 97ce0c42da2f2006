"""Uploads, checks and reports of the mock of Onfido."""

import json

import attrs
import pytest
from kit.cards import CARDS
from kit.mock_webhooks import carry
from kit.mock_world import control_of, new_engine
from vendors.onfido import (
    APPLICANTS,
    HOOK,
    LIVE_TOKEN,
    NAME,
    NOBODY,
    RUNS,
    SANDBOX_TOKEN,
    WEBHOOKS,
    WORKFLOW,
    ask,
    check,
    new_applicant,
    pictured_applicant,
    upload,
)

from facematch_mock_server import Fault
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.vendors import vendor_named

CHECKS = "/v3.6/checks"
REPORTS = "/v3.6/reports"
FACE = CARDS["p1-again"]
DOCUMENT = CARDS["p1"]
BOTH = ("document", "facial_similarity_photo")


@pytest.fixture
def engine():
    return new_engine(Recognizer(), vendor="onfido")


def checked(engine, document, photo, *names, **fields):
    """Return a complete check of a new applicant, and its reports by name."""
    applicant_id = pictured_applicant(engine, document, photo)
    made = engine.handle(check(applicant_id, *(names or BOTH), **fields))
    assert made.status == 201
    return read(engine, made.json()["id"])


def read(engine, check_id, **how):
    """Return a check, and its reports by name."""
    shown = engine.handle(ask(f"{CHECKS}/{check_id}", **how)).json()
    listed = engine.handle(ask(REPORTS, check_id=check_id, **how)).json()["reports"]
    assert [report["id"] for report in listed] == shown["report_ids"]
    return shown, {report["name"]: report for report in listed}


# Uploads


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("documents", {"type": "passport", "side": "front", "issuing_country": "DEU"}),
        ("live_photos", {}),
    ],
)
def test_upload_is_listed(engine, kind, fields):
    applicant_id = new_applicant(engine)
    answer = engine.handle(upload(kind, applicant_id, FACE, **fields))
    made = answer.json()
    assert answer.status == 201
    assert made["href"] == f"/v3.6/{kind}/{made['id']}"
    assert (made["file_name"], made["file_type"]) == ("a.png", "png")
    assert made["file_size"] == len(FACE)
    assert {name: made[name] for name in fields} == fields
    listed = engine.handle(ask(f"/v3.6/{kind}", applicant_id=applicant_id)).json()
    assert listed == {kind: [made]}


@pytest.mark.parametrize("kind", ["documents", "live_photos"])
def test_upload_is_seen_by_tokens_of_its_environment_alone(engine, kind):
    applicant_id = new_applicant(engine)
    listing = {"path": f"/v3.6/{kind}", "applicant_id": applicant_id}
    assert engine.handle(upload(kind, applicant_id, FACE)).status == 201
    assert engine.handle(upload(kind, applicant_id, FACE, token=SANDBOX_TOKEN)).status == 422
    assert engine.handle(upload(kind, applicant_id, FACE, token="api_live.nobody")).status == 401
    assert engine.handle(ask(**listing, token=SANDBOX_TOKEN)).status == 422
    engine.handle(ask(f"{APPLICANTS}/{applicant_id}", method="DELETE"))
    assert engine.handle(ask(**listing)).status == 422


@pytest.mark.parametrize(
    ("kind", "picture", "fields", "names"),
    [
        ("documents", None, {}, ["file"]),
        ("documents", FACE, {"type": ""}, ["type"]),
        ("documents", FACE, {"type": "drivers_license"}, ["type"]),
        ("documents", FACE, {"side": "left"}, ["side"]),
        ("documents", FACE, {"issuing_country": "DE"}, ["issuing_country"]),
        ("documents", FACE, {"applicant_id": NOBODY}, ["applicant_id"]),
        ("documents", b"GIF89a", {}, ["file"]),
        ("documents", b"%PDF-" + b"0" * 3_000_000, {}, ["file"]),
        ("live_photos", CARDS["no-face"], {}, ["face_detection"]),
        ("live_photos", CARDS["two-faces"], {}, ["face_detection"]),
    ],
)
def test_invalid_upload_is_422_and_its_field_is_named(engine, kind, picture, fields, names):
    answer = engine.handle(upload(kind, new_applicant(engine), picture, **fields))
    assert answer.status == 422
    assert list(answer.json()["error"]["fields"]) == names
    assert engine.world.records.uploads.all() == ()


def test_sdks_tell_several_faces_from_none_by_the_text(engine):
    applicant_id = new_applicant(engine)
    texts = []
    for name in ("no-face", "two-faces"):
        error = engine.handle(upload("live_photos", applicant_id, CARDS[name])).json()["error"]
        texts += error["fields"]["face_detection"]
    assert ["Multiple faces" in text for text in texts] == [False, True]


# Checks


def test_new_check_is_in_progress_and_complete_at_the_next_read(engine):
    applicant_id = pictured_applicant(engine, DOCUMENT, FACE)
    made = engine.handle(check(applicant_id, *BOTH, tags=["a"])).json()
    assert (made["status"], made["result"]) == ("in_progress", None)
    assert (made["applicant_id"], made["tags"], made["sandbox"]) == (applicant_id, ["a"], False)
    shown, _ = read(engine, made["id"])
    assert shown == {**made, "status": "complete", "result": "clear"}
    at_once = engine.handle(check(applicant_id, "document", asynchronous=False)).json()
    assert (at_once["status"], at_once["result"]) == ("complete", "clear")


@pytest.mark.parametrize(
    ("document", "photo", "results", "part"),
    [
        (DOCUMENT, FACE, ("clear", "clear"), None),
        (DOCUMENT, CARDS["p2"], ("clear", "consider"), "face_comparison"),
        (DOCUMENT, CARDS["spoof"], ("clear", "consider"), "visual_authenticity"),
        (DOCUMENT, CARDS["no-face"], ("clear", "consider"), "image_integrity"),
        (DOCUMENT, CARDS["two-faces"], ("clear", "consider"), "image_integrity"),
        (CARDS["no-face"], FACE, ("consider", "consider"), "image_integrity"),
    ],
)
def test_reports_say_what_the_pictures_show(engine, document, photo, results, part):
    shown, reports = checked(engine, document, photo)
    face = reports["facial_similarity_photo"]
    assert (reports["document"]["result"], face["result"]) == results
    assert shown["result"] == ("clear" if results == ("clear", "clear") else "consider")
    parts = {name: each["result"] for name, each in face["breakdown"].items()}
    assert part is None or parts[part] == "consider"
    assert engine.handle(ask(f"{REPORTS}/{face['id']}")).json() == face
    assert len(face["documents"]) == len(face["live_photos"]) == 1


@pytest.mark.parametrize(("card", "result"), [("p1", "clear"), ("no-face", "consider")])
def test_document_alone_needs_no_live_photo(engine, card, result):
    shown, reports = checked(engine, CARDS[card], None, "document")
    assert shown["result"] == reports["document"]["result"] == result
    assert bool(reports["document"]["properties"]) is (result == "clear")


def test_newest_document_is_compared_unless_another_is_named(engine):
    applicant_id = pictured_applicant(engine, DOCUMENT, FACE)
    first = engine.handle(ask("/v3.6/documents", applicant_id=applicant_id)).json()["documents"][0]
    engine.handle(upload("documents", applicant_id, CARDS["p2"]))
    engine.handle(upload("documents", applicant_id, CARDS["no-face"], side="back"))
    results = []
    for more in ({}, {"document_ids": [first["id"]]}):
        made = engine.handle(check(applicant_id, *BOTH, **more)).json()
        results.append(read(engine, made["id"])[0]["result"])
    assert results == ["consider", "clear"]


@pytest.mark.parametrize(
    ("names", "fields", "problem"),
    [
        ((), {}, "report_names"),
        (("facial_similarity_video",), {}, "report_names"),
        (("document",), {"applicant_id": NOBODY}, "applicant_id"),
        (("document",), {"document_ids": [NOBODY]}, "document_ids"),
        (("document",), {"document_ids": "x"}, "document_ids"),
        (("document",), {"tags": "x"}, "tags"),
        (("document",), {"applicant_provides_data": True}, "applicant_provides_data"),
    ],
)
def test_invalid_check_is_422_and_its_field_is_named(engine, names, fields, problem):
    body = {"applicant_id": pictured_applicant(engine, DOCUMENT, FACE), **fields}
    answer = engine.handle(ask(CHECKS, {"report_names": names, **body}))
    assert answer.status == 422
    assert problem in answer.json()["error"]["fields"]
    assert engine.world.sessions.all() == ()


def test_report_that_the_mock_lacks_is_refused_with_a_hint(engine):
    answer = engine.handle(check(pictured_applicant(engine, DOCUMENT, FACE), "watchlist_standard"))
    assert (answer.status, [*answer.json()["error"]["fields"]]) == (422, ["report_names"])
    assert "documents and photos of faces" in answer.header("X-Facematch-Hint")


@pytest.mark.parametrize(
    ("document", "photo", "word"), [(None, FACE, "documents"), (DOCUMENT, None, "live photo")]
)
def test_check_without_a_picture_is_refused_in_onfidos_words(engine, document, photo, word):
    answer = engine.handle(check(pictured_applicant(engine, document, photo), *BOTH))
    assert answer.status == 422
    (text,) = answer.json()["error"]["fields"]["applicant"]
    assert word in text


def test_check_is_seen_by_tokens_of_its_environment_alone(engine):
    shown, reports = checked(engine, DOCUMENT, FACE)
    sandbox = {"token": SANDBOX_TOKEN}
    assert engine.handle(check(shown["applicant_id"], *BOTH, **sandbox)).status == 422
    assert engine.handle(check(shown["applicant_id"], *BOTH, token="api_live.nobody")).status == 401
    for path in (f"{CHECKS}/{shown['id']}", f"{REPORTS}/{reports['document']['id']}"):
        assert engine.handle(ask(path, **sandbox)).status == 404
    assert engine.handle(ask(REPORTS, check_id=shown["id"], **sandbox)).status == 422
    # A check is no workflow run, and a run is no check.
    assert engine.handle(ask(f"{RUNS}/{shown['id']}")).status == 404
    assert engine.handle(ask(RUNS)).json() == []


def test_sandbox_takes_the_results_to_return(engine):
    applicant_id = pictured_applicant(engine, DOCUMENT, FACE, token=SANDBOX_TOKEN)
    sent = check(applicant_id, *BOTH, token=SANDBOX_TOKEN, consider=["document"])
    made = engine.handle(sent).json()
    shown, reports = read(engine, made["id"], token=SANDBOX_TOKEN)
    assert made["sandbox"] is True
    assert [report["result"] for report in reports.values()] == ["consider", "clear"]
    assert [report["sub_result"] for report in reports.values()] == ["caution", None]
    assert shown["result"] == "consider"
    assert control_of(engine).charges() == ()


@pytest.mark.parametrize(
    ("sub_result", "shown", "result"),
    [("clear", "clear", "clear"), ("suspected", "suspected", "consider"), ("x", "clear", "clear")],
)
def test_sub_result_is_set_in_the_sandbox_alone(engine, sub_result, shown, result):
    applicant_id = pictured_applicant(engine, DOCUMENT, FACE, token=SANDBOX_TOKEN)
    sent = check(applicant_id, *BOTH, token=SANDBOX_TOKEN, sub_result=sub_result)
    made = engine.handle(sent).json()
    overall, reports = read(engine, made["id"], token=SANDBOX_TOKEN)
    document, face = reports.values()
    assert (document["sub_result"], document["result"]) == (shown, result)
    assert (face["sub_result"], face["result"]) == (None, "clear")
    assert overall["result"] == result
    live_id = pictured_applicant(engine, DOCUMENT, FACE)
    live = engine.handle(check(live_id, *BOTH, sub_result=sub_result)).json()
    assert read(engine, live["id"])[0]["result"] == "clear"


def flawed(report):
    """Return the names of the breakdowns and their parts that are consider."""
    names = []
    for name, each in report["breakdown"].items():
        assert each["result"] in {"clear", "consider"}
        if each["result"] == "consider":
            names.append(name)
        for part, detail in each.get("breakdown", {}).items():
            assert detail["result"] in {"clear", "consider"}
            if detail["result"] == "consider":
                names.append(f"{name}.{part}")
    return names


def test_document_report_has_the_documented_breakdowns(engine):
    _, reports = checked(engine, DOCUMENT, None, "document")
    breakdown = reports["document"]["breakdown"]
    assert sorted(breakdown) == [
        "age_validation",
        "compromised_document",
        "data_comparison",
        "data_consistency",
        "data_validation",
        "image_integrity",
        "police_record",
        "visual_authenticity",
    ]
    assert breakdown["police_record"] == {"result": "clear"}
    assert breakdown["age_validation"] == {
        "result": "clear",
        "breakdown": {"minimum_accepted_age": {"result": "clear", "properties": {}}},
    }
    assert flawed(reports["document"]) == []


def test_document_without_a_face_is_not_authentic(engine):
    _, reports = checked(engine, CARDS["no-face"], None, "document")
    assert flawed(reports["document"]) == [
        "visual_authenticity",
        "visual_authenticity.face_detection",
        "visual_authenticity.other",
    ]


@pytest.mark.parametrize(
    ("card", "fields", "sub_result", "part"),
    [
        ("p1", {"sub_result": "rejected"}, "rejected", "image_integrity.image_quality"),
        ("p1", {"sub_result": "suspected"}, "suspected", "visual_authenticity.digital_tampering"),
        ("p1", {"sub_result": "caution"}, "caution", "data_comparison.last_name"),
        ("p1", {"consider": ["document"]}, "caution", "data_comparison.last_name"),
        ("no-face", {"consider": ["document"]}, "caution", "visual_authenticity.face_detection"),
        ("no-face", {"sub_result": "clear"}, "clear", None),
    ],
)
def test_breakdown_agrees_with_the_result_that_a_test_sets(engine, card, fields, sub_result, part):
    applicant_id = pictured_applicant(engine, CARDS[card], None, token=SANDBOX_TOKEN)
    sent = check(applicant_id, "document", token=SANDBOX_TOKEN, **fields)
    made = engine.handle(sent).json()
    _, reports = read(engine, made["id"], token=SANDBOX_TOKEN)
    report = reports["document"]
    assert report["sub_result"] == sub_result
    names = set(flawed(report)) - {"visual_authenticity.other"}
    assert names == (set() if part is None else {part.partition(".")[0], part})


def test_face_report_that_is_to_be_consider_compares_two_persons(engine):
    applicant_id = pictured_applicant(engine, DOCUMENT, FACE, token=SANDBOX_TOKEN)
    names = ("facial_similarity_photo", "facial_similarity_photo_fully_auto")
    sent = check(applicant_id, *names, token=SANDBOX_TOKEN, consider=[names[0]])
    made = engine.handle(sent).json()
    _, reports = read(engine, made["id"], token=SANDBOX_TOKEN)
    asked, other = (reports[name] for name in names)
    assert (asked["result"], other["result"]) == ("consider", "clear")
    assert flawed(asked) == ["face_comparison", "face_comparison.face_match"]
    assert flawed(other) == []
    match = asked["breakdown"]["face_comparison"]["breakdown"]["face_match"]
    assert match["properties"] == {"score": 0.0, "document_id": asked["documents"][0]["id"]}


def test_live_check_is_charged_once(engine, control):
    checked(engine, DOCUMENT, FACE)
    (charge,) = control.charges()
    assert (charge.what, charge.amount) == ("CHECK", 0)


def test_check_and_reports_are_told(engine):
    first = engine.handle(ask(WEBHOOKS, {"url": HOOK, "events": ["check.completed"]})).json()
    engine.handle(ask(WEBHOOKS, {"url": HOOK}))
    applicant_id = pictured_applicant(engine, DOCUMENT, FACE)
    request = check(applicant_id, *BOTH)
    at_onfido = {**dict(request.headers), "host": "api.us.onfido.com"}
    made = engine.handle(attrs.evolve(request, headers=tuple(at_onfido.items()))).json()
    payloads = [json.loads(letter.body)["payload"] for _, letter, _ in carry(engine)]
    told = sorted((each["action"], each["object"]["id"]) for each in payloads)
    reports = sorted(("report.completed", each) for each in made["report_ids"])
    assert told == [("check.completed", made["id"])] * 2 + reports
    (event, *_) = (each for each in payloads if each["resource_type"] == "check")
    assert event["object"]["status"] == "complete"
    assert event["object"]["href"] == f"https://api.us.onfido.com{CHECKS}/{made['id']}"
    engine.handle(check(applicant_id, *BOTH, webhook_ids=[first["id"]]))
    assert len(carry(engine)) == 1


def test_destination_of_the_control_gets_checks_by_default(engine, control):
    control.webhooks.add(HOOK)
    applicant_id = pictured_applicant(engine, DOCUMENT, FACE)
    made = engine.handle(check(applicant_id, *BOTH)).json()
    ((_, letter, _),) = carry(engine)
    payload = json.loads(letter.body)["payload"]
    assert (payload["action"], payload["object"]["id"]) == ("check.completed", made["id"])


def test_fault_prevents_a_check(engine, control):
    applicant_id = pictured_applicant(engine, DOCUMENT, FACE)
    control.add_fault(Fault(stage="answer", kind="status", status=503, call="check"))
    assert engine.handle(check(applicant_id, *BOTH)).status == 503


# Older versions


@pytest.mark.parametrize("version", ["v3", "v3.1", "v3.4", "v3.5"])
def test_older_version_is_answered_in_the_newest_form(engine, version):
    answers = [engine.handle(ask(f"/{version}/applicants/", NAME)) for _ in range(2)]
    hints = [answer.header("X-Facematch-Hint") for answer in answers]
    assert [answer.status for answer in answers] == [201, 201]
    assert version in hints[0]
    assert hints[1] is None
    body = {"applicant_id": answers[0].json()["id"], "workflow_id": WORKFLOW}
    run = engine.handle(ask(f"/{version}/workflow_runs", body, token=LIVE_TOKEN)).json()
    assert engine.handle(ask(f"{RUNS}/{run['id']}")).json() == run


@pytest.mark.parametrize("version", ["v2", "v3.7", "v4", "v3.66"])
def test_other_version_is_404(engine, version):
    assert engine.handle(ask(f"/{version}/applicants", NAME)).status == 404


def test_host_of_older_clients_is_onfidos():
    assert vendor_named("onfido").has_host("api.onfido.com")
