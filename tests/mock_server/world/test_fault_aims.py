"""What a fault is aimed at, what can never strike, and several of them in order."""

import json
import re
from typing import Any

import attrs
import pytest
from kit.of_vendors import of_vendors

from facematch_mock_server import Fault, MockServer
from facematch_mock_server.recognition.outcomes import SetOutcome
from facematch_mock_server.vendors import vendor_names

ITSELF = []
ITSELF.append(ITSELF)
DOWN = {"stage": "answer", "kind": "status", "status": 503}


def test_fault_for_a_person_is_not_used_by_a_call_rejected_for_credit(asking):
    asking.control.add_fault(Fault(**DOWN, person="p1"))
    asking.control.set_balance(0)
    assert asking.didit().status_code == 403
    asking.control.set_balance(1)
    assert asking.didit(call="liveness").status_code == 503


def test_delay_fault_for_a_person_counts_the_call_once(asking):
    """It is carried out at once, so that the rate limit sees it once, too."""
    late = Fault(stage="after_upload", kind="delay", seconds=0.01, person="p1")
    assert late.is_carried_out
    asking.control.add_fault(late)
    asking.control.set_limit("write", 1)
    assert asking.didit().status_code == 200
    assert asking.charged == 1
    assert len(asking.control.journal()) == 1


def test_delay_fault_for_a_person_is_always_executed():
    with pytest.raises(ValueError, match="always executed"):
        Fault(stage="after_upload", kind="delay", person="p1", executed=False)


# Aims by field

CASE_7 = {"vendor_data": "case-7"}
#: Longer than the journal shows, with what it hides of an address.
ADDRESS = f"https://user:pass@shop.example/{'x' * 90}?case=7"


@pytest.mark.parametrize("text", ["case-7", "", "é ☂", ADDRESS])
def test_fault_or_outcome_with_a_field_is_for_its_complete_unmasked_value(asking, text):
    field = {"vendor_data": text}
    others = [{}, {"vendor_data": f"{text}x"}, {"vendor_data": text[:-1] or "x"}]
    asking.control.set_outcome("match", score=3, field=field)
    for fields in others:
        assert asking.didit(**fields).json()["face_match"]["score"] != 3
    assert asking.didit(**field).json()["face_match"]["score"] == 3
    asking.control.add_fault(Fault(**DOWN, field=field))
    for fields in others:
        assert asking.didit(**fields).status_code == 200
    assert asking.didit(**field).status_code == 503
    assert asking.control.unused() == ()


@pytest.mark.parametrize(
    ("aim", "probe", "reference"),
    [
        ({"person": "p1"}, "p1", "p2"),
        ({"card": "spoof"}, "p2", "spoof"),
        ({"call": "match", "method": "POST", "path": "/v3/face"}, "p1", "p2"),
    ],
)
def test_field_filter_combines_with_other_filters(asking, aim, probe, reference):
    asking.control.add_fault(Fault(**DOWN, **aim, field=CASE_7))
    assert asking.didit(probe, reference).status_code == 200
    assert asking.didit("p2", call="liveness", **CASE_7).status_code == 200
    assert asking.didit(probe, reference, **CASE_7).status_code == 503
    assert asking.control.faults() == ()


@attrs.frozen
class FieldCall:
    """A call with a field in its query, its form or its JSON."""

    path: str
    #: As a filter has it.
    field: dict[str, str]
    query: str = ""
    json: Any = None
    data: Any = None

    def send(self, asking, **headers):
        url = f"{self.path}{self.query}"
        return asking.post(url, json=self.json, data=self.data, headers=headers)


CALLS = {
    **{name: FieldCall(**call) for name, call in of_vendors("FIELD_CALL").items()},
    "deepvue": FieldCall("/v1/authorize", {"client_id": "x"}, data={"client_id": "x"}),
    "azure": FieldCall(
        "/face/v1.2/detect", {"returnFaceId": "false"}, query="?returnFaceId=false", data=b"x"
    ),
    "compreface": FieldCall("/api/v1/verification/verify", {"limit": "2"}, query="?limit=2"),
    "baidu": FieldCall("/oauth/2.0/token", {"client_id": "x"}, query="?client_id=x"),
    "alibaba": FieldCall("/?Action=CompareFace", {"ImageURLA": "x"}, data={"ImageURLA": "x"}),
    "tencent": FieldCall("/", {"FaceModelVersion": "3.0"}, json={"FaceModelVersion": "3.0"}),
    "deepface": FieldCall("/verify", {"img1": "a"}, json={"img1": "a"}),
    "onfido": FieldCall("/v3.6/applicants", {"first_name": "a"}, json={"first_name": "a"}),
    "sumsub": FieldCall(
        "/resources/applicants", {"externalUserId": "a"}, json={"externalUserId": "a"}
    ),
    "persona": FieldCall("/api/v1/inquiries", {"data": "a"}, json={"data": "a"}),
    "stripe": FieldCall(
        "/v1/identity/verification_sessions", {"type": "document"}, data={"type": "document"}
    ),
    "regula": FieldCall("/api/match", {"tag": "a"}, json={"tag": "a"}),
    "rekognition": FieldCall(
        "/", {"SimilarityThreshold": "80.5"}, json={"SimilarityThreshold": 80.50}
    ),
    "didit": FieldCall("/v3/session/", {"x": "true"}, json={"workflow_id": "a", "x": True}),
}


@pytest.mark.parametrize("vendor", vendor_names())
def test_field_filter_reads_query_form_and_json_of_every_vendor(open_asking, vendor):
    call = CALLS[vendor]
    asking = open_asking(vendor=vendor)
    asking.control.add_fault(Fault(stage="answer", kind="status", status=418, field=call.field))
    assert asking.post(call.path, json={"x": [{}]}).status_code != 418
    assert call.send(asking).status_code == 418
    assert call.send(asking).status_code != 418


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"", None),
        (b"[1]", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"vendor_data": ["case-7"]}', "application/json"),
        (b'{"vendor_data": null}', "application/json"),
        (b"\xff\xd8", "application/octet-stream"),
        (b"vendor_data", "multipart/form-data"),
    ],
    ids=repr,
)
def test_fault_with_a_field_skips_bodies_without_that_field(asking, body, media):
    asking.control.add_fault(Fault(**DOWN, field=CASE_7))
    headers = {"Content-Type": media} if media else {}
    assert asking.post("/v3/session/", data=body, headers=headers).status_code != 503
    assert len(asking.control.faults()) == 1


def test_http_list_of_faults_is_added_completely_or_not_at_all(asking):
    url = "/__mock__/faults"
    down = {**DOWN, "headers": {"Retry-After": 1}}
    limited = {**DOWN, "status": 429}
    added = asking.post(url, json={"faults": [down, limited]}).json()["faults"]
    assert [fault["status"] for fault in added] == [503, 429]
    for wrong in (503, [503], [down, limited, {"stage": "answer"}], [{**DOWN, "sattus": 1}]):
        assert asking.post(url, json={"faults": wrong}).status_code == 400
    assert asking.post(url, json={"faults": [], **DOWN}).status_code == 400
    assert [asking.didit().status_code for _ in range(3)] == [503, 429, 200]


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"method": "post"}, "'post'"),
        ({"path": "https://verification.didit.me/v3/face-match/"}, "'/v3/face-match/'"),
        ({"path": "/__mock__/clock"}, "control API"),
        ({"path": "/v3/face-mtch/"}, "/v3/face-match/"),
        ({"path": "/v3/face-match/", "call": "liveness"}, "/v3/passive-liveness/"),
        ({"call": "mtach"}, "match"),
        ({"card": "no_face"}, "no-face"),
        ({"card": "p1", "person": "p1"}, "both"),
        ({"stage": "connect", "kind": "reset", "method": "POST"}, "mid_upload"),
        ({"stage": "mid_upload", "kind": "reset", "person": "p1"}, "after_upload"),
        ({"stage": "mid_body", "kind": "reset", "headers": {"A": "b"}}, "answer"),
        ({"seconds": None}, "seconds must be a number"),
        ({"path": "/v3/poa/"}, "/v3/"),
        ({"call": "match", "method": "GET"}, "POST"),
        ({"person": "p1", "method": "PUT"}, "POST"),
        ({"field": {}}, "vendor_data"),
        ({"field": "vendor_data=7"}, "'vendor_data=7'"),
        ({"field": {"vendor_data": 7}}, "7"),
        ({"field": {"": "7"}}, "field names"),
        ({"field": CASE_7, "stage": "mid_upload", "kind": "reset"}, "after_upload"),
        ({"field": CASE_7, "stage": "connect", "kind": "reset"}, "leave field out"),
        ({"field": {"vendor_date": "7"}, "call": "match"}, "vendor_data"),
        ({"executed": 1}, "executed must be true or false"),
        ({"method": 1}, "method of a fault must be a string"),
        ({"kind": "json"}, "needs a body"),
        ({"kind": "json", "body": b"{}"}, "must be JSON"),
        ({"kind": "json", "body": ITSELF}, "must be JSON"),
        # These would break the framing, or take the mock's mark away.
        ({"headers": {"X": "a\r\nSet-Cookie: b"}}, "X"),
        ({"headers": {"X": 1.5}}, "X"),
        ({"kind": "never"}, "the kind of a fault must be one of reset, "),
        ({"stage": "connect"}, "a fault at connect must be one of"),
        ({"headers": 5}, "must be a mapping, not 5"),
        ({"status": 600}, "from 200 to 599"),
        ({"claim": "auth.missing"}, "leave status or claim out"),
        ({"headers": {"": "a"}}, "header"),
        ({"headers": {"Content-Length": "1"}}, "Content-Length"),
        ({"headers": {"transfer-encoding": "1"}}, "transfer-encoding"),
        ({"headers": {"Date": "1"}}, "Date"),
        ({"headers": {"X-Facematch-Mock": None}}, "X-Facematch-Mock"),
    ],
    ids=str,
)
def test_impossible_fault_is_rejected_with_a_suggestion(changes, hint):
    mock = MockServer()
    with pytest.raises((TypeError, ValueError)) as refused:
        mock.control.add_fault(Fault(**{**DOWN, **changes}))
    assert hint in str(refused.value)
    assert "poa" not in str(refused.value).partition(";")[2]
    assert mock.control.faults() == ()


def test_unused_faults_and_outcomes_are_listed_with_the_closest_call(asking):
    outcome = asking.control.set_outcome("match", score=3, field=CASE_7)
    assert asking.control.closest(outcome) == "no call"
    asking.get("/v3/billing/balance/")
    asking.didit(vendor_data="case-8")
    asking.didit(call="liveness")
    closest = "POST /v3/face-match/, answered 200"
    assert asking.control.closest(outcome) == closest
    assert asking.control.unused() == (outcome,)
    (shown,) = asking.get("/__mock__/unused").json()["unused"]
    assert (shown["kind"], shown["score"], shown["closest"]) == ("match", 3, closest)
    fault = Fault(**DOWN, method="POST", path="/v3/passive")
    asking.control.clear_outcomes()
    asking.control.add_fault(fault)
    assert asking.control.closest(fault) == "POST /v3/passive-liveness/, answered 200"


def test_faults_and_outcomes_show_no_secret(asking):
    secret = {"client_secret": "s3cret"}
    asking.control.add_fault(Fault(**DOWN, field=secret))
    for name in ("unused", "faults"):
        assert "s3cret" not in asking.get(f"/__mock__/{name}").text
    assert "s3cret" not in repr(asking.control.unused())
    body = {"token": "s3cret"}
    fault = Fault(stage="answer", kind="json", headers={"X-Api-Key": "s3cret"}, body=body)
    assert "s3cret" not in repr(fault)
    assert "s3cret" not in repr(SetOutcome(kind="match", field=secret))


def test_fault_repr_shows_only_the_fields_that_were_set():
    assert repr(Fault(**DOWN)) == "Fault(stage='answer', kind='status', status=503)"
    long = Fault(stage="answer", kind="json", body={"text": "x" * 900})
    assert len(repr(long)) < 300


# An answer by its claim

WITH_CLAIMS = {"X-Facematch-Claims": "1"}


@pytest.mark.parametrize(
    ("vendor", "key", "known"),
    [
        ("didit", "method.refused", "POST"),
        ("compreface", "path.method", "POST"),
        ("compreface", "part.missing", "source_image"),
        ("compreface", "key.unknown", "key-of-a-test"),
    ],
)
def test_fault_by_claim_says_what_is_known_of_the_call(open_asking, vendor, key, known):
    asking = open_asking(vendor=vendor)
    asking.control.add_fault(Fault(claim=key))
    assert known in CALLS[vendor].send(asking, **{"x-api-key": "key-of-a-test"}).text


def test_fault_by_claim_can_be_added_over_http_by_the_id_of_the_claim(open_asking):
    asking = open_asking(vendor="azure")
    added = asking.post("/__mock__/faults", json={"claim": "azure.rate.exceeded"}).json()
    assert added["claim"] == "azure.rate.exceeded"
    assert CALLS["azure"].send(asking).status_code == 429


@pytest.mark.parametrize("vendor", vendor_names())
def test_each_written_answer_of_each_vendor_can_be_asked_for(open_asking, vendor):
    asking = open_asking(vendor=vendor)
    answers = asking.control.world.claims.answers
    assert len(answers) > 10
    for claim in answers:
        asking.control.add_fault(Fault(claim=claim, headers={"X-Own": "1"}))
        answer = CALLS[vendor].send(asking, **WITH_CLAIMS)
        assert answers[claim] in answer.headers["X-Facematch-Claims"], claim
        assert answer.headers["X-Own"] == "1"
        assert answer.status_code == asking.control.world.claims[answers[claim]].status
        assert not re.search(r"\{\w+\}", answer.text), "a name that was not filled in"


def test_fault_by_claim_can_charge_the_call_and_be_for_a_person(asking):
    asking.control.add_fault(Fault(claim="credit.refused", person="p1", executed=True))
    assert asking.didit("p2", "p3").status_code == 200
    assert asking.didit("p1").status_code == 403
    assert asking.charged == 2


def test_fault_by_claim_fails_only_calls_to_a_vendor_that_has_it(open_asking):
    asking = open_asking(vendor=("didit", "tencent"))
    asking.control.add_fault(Fault(claim="tencent.rate.exceeded"))
    assert asking.didit().status_code == 200
    answer = CALLS["tencent"].send(asking, Host="iai.tencentcloudapi.com")
    assert answer.json()["Response"]["Error"]["Code"] == "RequestLimitExceeded"


@pytest.mark.parametrize(
    ("claim", "hint"),
    [
        ("rate.exceeding", "no claim rate.exceeding; did you mean rate.exceeded?"),
        ("baidu.rate.exceeding", "did you mean rate.exceeded?"),
        ("busy", "known: body.wrong_count, "),
        ("match.answer", "built for each call"),
        ("faceset.most_faces", "a fact"),
        ("fault.html", "known: "),
        (7, "key or id"),
    ],
)
def test_unknown_claim_is_refused_with_the_nearest_ones(open_asking, claim, hint):
    asking = open_asking(vendor="baidu")
    with pytest.raises((TypeError, ValueError), match="claim") as refused:
        asking.control.add_fault(Fault(claim=claim))
    answer = asking.post("/__mock__/faults", json={"claim": claim})
    assert answer.status_code == 400
    assert hint in str(refused.value)
    assert hint in json.dumps(answer.json())
    assert asking.control.faults() == ()


def test_unknown_claim_is_refused_with_those_of_its_area(open_asking):
    asking = open_asking(vendor="didit")
    with pytest.raises(ValueError, match=r"known: rate\.get\.refused, ") as refused:
        asking.control.add_fault(Fault(claim="didit.rate.limited"))
    assert "auth." not in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"kind": "status"},
        {"stage": "answer"},
        {"claim": "rate.exceeded", "status": 502},
        {"claim": "rate.exceeded", "kind": "html"},
        {"claim": "rate.exceeded", "stage": "mid_body", "kind": "reset"},
    ],
    ids=str,
)
def test_fault_needs_either_stage_and_kind_or_a_claim(wrong):
    with pytest.raises(ValueError, match=r"stage|kind|claim"):
        Fault(**wrong)


def test_fault_by_claim_shows_only_the_claim():
    assert repr(Fault(claim="rate.exceeded")) == "Fault(claim='rate.exceeded')"
