"""Which requests own replies answer, with what, and what is said of it."""

import base64
import json
from urllib.parse import quote

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from kit.mock_world import START

from facematch_mock_server import Fault, MockServer, VirtualClock, make_card
from facematch_mock_server.base.messages import Request
from facematch_mock_server.replies import digest_pictures

P1 = make_card("p1")
P2 = make_card("p2")
HINT = "X-Facematch-Hint"


def reply(path="/v3/extra/", body="own", *, metadata=None, response=None, **more):
    request = {"urlPath": path, **more.pop("request", {})}
    mapping = {"request": request, "response": {"jsonBody": body, **(response or {})}, **more}
    return mapping | ({} if metadata is None else {"metadata": metadata})


def test_own_reply_answers_without_a_key_or_a_charge_and_says_so(open_asking):
    asking = open_asking()
    before = asking.get("/v3/extra/")
    assert before.status_code == 404
    (added,) = asking.control.add_replies(reply(response={"status": 201, "headers": {"X-A": "b"}}))
    assert asking.control.unused() == (added,)
    answer = asking.post("/v3/extra/", headers={"X-Facematch-Claims": "1"})
    assert (answer.status_code, answer.json(), answer.headers["X-A"]) == (201, "own", "b")
    assert answer.headers[HINT] == "own reply, not the mock's: control #1"
    assert answer.headers["X-Facematch-Claims"] == "mock.reply.own"
    entry = asking.control.journal()[-1]
    assert (entry.key, entry.charge, entry.vendor) == ("none", None, "didit")
    assert (entry.reply.source, entry.reply.recorded) == ("control #1", None)
    assert entry.note == answer.headers[HINT]
    assert asking.control.unused() == ()


def test_mock_answers_what_it_imitates_unless_the_reply_stands_instead(open_asking):
    asking = open_asking()
    asking.control.add_replies(reply("/v3/face-match/"))
    silent = asking.didit()
    assert silent.json() != "own"
    assert '"instead": true' in silent.headers[HINT]
    assert asking.get("/v3/face-match/").json() == "own"  # the mock has no GET there
    asking.control.add_replies(
        reply(
            "/v3/face-match/",
            "instead",
            metadata={"instead": True},
            request={"formParameters": {"vendor_data": {"equalTo": "case-7"}}},
        )
    )
    assert asking.didit(vendor_data="case-7").json() == "instead"
    assert asking.didit(vendor_data="case-8").json() not in ("own", "instead")
    assert asking.charged == 2


@pytest.mark.parametrize(
    ("vendor", "header", "known", "unknown"),
    [
        ("tencent", "X-TC-Action", "CompareFace", "NewAction"),
        ("alibaba", "x-acs-action", "CompareFace", "BlurFace"),
        (
            "rekognition",
            "X-Amz-Target",
            "RekognitionService.CompareFaces",
            "RekognitionService.New",
        ),
    ],
)
def test_action_in_a_header_is_what_the_mock_imitates_or_not(
    open_asking, vendor, header, known, unknown
):
    asking = open_asking(vendor=vendor)
    asking.control.add_replies(reply("/"))
    assert asking.post("/", headers={header: unknown}).json() == "own"
    assert asking.post("/", headers={header: known}).json() != "own"


CONDITIONS = [
    ({"method": "POST"}, {}, True),
    ({"method": "PUT"}, {}, False),
    ({"headers": {"X-Kind": {"equalTo": "a"}}}, {"headers": {"x-kind": "a"}}, True),
    ({"headers": {"X-Kind": {"equalTo": "a"}}}, {"headers": {"x-kind": "ab"}}, False),
    ({"headers": {"X-Kind": {"absent": True}}}, {}, True),
    ({"headers": {"X-Kind": {"absent": True}}}, {"headers": {"x-kind": ""}}, False),
    ({"queryParameters": {"q": {"matches": "a.*"}}}, {"params": {"q": ["b", "ab"]}}, True),
    ({"queryParameters": {"q": {"matches": "a"}}}, {"params": {"q": "ab"}}, False),
    ({"queryParameters": {"q": {"matches": "a"}}}, {}, False),
    ({"formParameters": {"f": {"equalTo": "x"}}}, {"data": {"f": "x"}}, True),
    ({"formParameters": {"f": {"equalTo": "x"}}}, {"json": {"f": "x"}}, False),
    ({"formParameters": {"f": {"equalTo": "x"}}}, {"files": {"f": ("", "x")}}, True),
    ({"bodyPatterns": [{"matchesJsonPath": "$.a"}]}, {"json": {"a": 0}}, True),
    ({"bodyPatterns": [{"matchesJsonPath": "$.a"}]}, {"json": {"a": None}}, False),
    ({"bodyPatterns": [{"matchesJsonPath": "$.a"}]}, {"json": {"b": 0}}, False),
    ({"bodyPatterns": [{"matchesJsonPath": "$.a"}]}, {"data": "no JSON"}, False),
    ({"bodyPatterns": [{"matchesJsonPath": "$.a[?(@.b > 5)]"}]}, {"json": {"a": [{"b": 6}]}}, True),
    (
        {"bodyPatterns": [{"matchesJsonPath": "$.a[?(@.b > 5)]"}]},
        {"json": {"a": [{"b": "x"}, 3]}},
        False,
    ),
    (
        {"bodyPatterns": [{"matchesJsonPath": {"expression": "$[0].a-b", "equalTo": "true"}}]},
        {"json": [{"a-b": True}]},
        True,
    ),
    # What the library parses but cannot find.
    ({"bodyPatterns": [{"matchesJsonPath": "$.`parent`"}]}, {"json": {"a": 1}}, False),
    (
        {"bodyPatterns": [{"matchesJsonPath": {"expression": "$.a", "absent": True}}]},
        {"json": {"a": 1}},
        False,
    ),
]


@pytest.mark.parametrize(("request_", "sent", "fits"), CONDITIONS)
def test_reply_answers_only_if_all_conditions_fit(open_asking, request_, sent, fits):
    asking = open_asking()
    asking.control.add_replies(reply(request=request_))
    answer = asking.post("/v3/extra/", **sent)
    assert (answer.status_code == 200) is fits
    if not fits and request_ != {"method": "PUT"}:
        assert answer.headers[HINT].startswith("control #1 has this path, but not all")


@pytest.mark.parametrize(
    ("place", "path", "sent", "fits"),
    [
        ("urlPath", "/a.c", "/abc", False),
        ("urlPath", "/a b", "/a%20b?x=1", True),
        ("urlPathTemplate", "/v1/{id}/x", "/v1/7/x", True),
        ("urlPathTemplate", "/v1/{id}/x", "/v1/7/8/x", False),
        ("urlPathPattern", "/v1/.*", "/v1/7/8", True),
        ("urlPathPattern", "/v1", "/v1/7", False),
    ],
)
def test_path_matches_as_a_whole(open_asking, place, path, sent, fits):
    asking = open_asking()
    asking.control.add_replies({"request": {place: path}, "response": {"body": "own"}})
    assert (asking.get(sent).text == "own") is fits


def test_lowest_priority_goes_first_and_then_the_newest(open_asking):
    asking = open_asking()
    asking.control.add_replies(reply(body="old"), reply(body="new"))
    assert asking.get("/v3/extra/").json() == "new"
    asking.control.add_replies(reply(body="first", priority=1), reply(body="late", priority=9))
    assert asking.get("/v3/extra/").json() == "first"


def test_scenario_answers_equal_requests_in_turn_until_a_reset(tmp_path, open_asking):
    turns = [
        reply(body="a", scenarioName="s", requiredScenarioState="Started", newScenarioState="2"),
        reply(body="b", scenarioName="s", requiredScenarioState="2"),
    ]
    (tmp_path / "turns.json").write_text(json.dumps({"mappings": turns}))
    asking = open_asking(replies=tmp_path / "turns.json")
    asking.control.add_replies(reply("/v3/other/"))

    def ask():
        return [asking.get("/v3/extra/").json() for _ in range(3)]

    assert ask() == ["a", "b", "b"]
    # Another account has states of its own.
    other = asking.mock.new_account("other")
    named = {"X-Facematch-Account": other.name}
    answer = asking.session.get(f"{asking.url}/v3/extra/", headers=named)
    assert answer.json() == "a"
    asking.control.reset()
    assert ask() == ["a", "b", "b"]
    assert [one.source for one in asking.control.replies()] == ["turns.json #1", "turns.json #2"]
    assert asking.control.unused() == ()


def test_reply_of_another_state_says_why_it_does_not_answer(open_asking):
    asking = open_asking()
    asking.control.add_replies(reply(scenarioName="s", requiredScenarioState="later"))
    answer = asking.get("/v3/extra/")
    assert answer.status_code == 404
    assert "scenario" in answer.headers[HINT]


def test_reply_of_an_account_answers_its_callers_alone(open_asking):
    asking = open_asking(vendor=["didit", "deepvue"])
    other = asking.mock.new_account("other")
    other.control.add_replies(reply("/of/no/vendor"))
    assert asking.get("/of/no/vendor").status_code == 404
    with_key = {"x-api-key": other.live_key}
    assert asking.session.get(f"{asking.url}/of/no/vendor", headers=with_key).json() == "own"
    assert other.control.journal()[-1].reply.source == "control #1"


def test_vendor_of_a_reply_takes_the_path_of_no_vendor(open_asking):
    asking = open_asking(vendor=["didit", "onfido", "veriff"])
    asking.control.add_replies(
        reply("/of/no/vendor", metadata={"vendor": "veriff"}),
        reply("/v3/extra/", metadata={"vendor": "onfido"}),
    )
    assert asking.get("/of/no/vendor").json() == asking.get("/v3/extra/").json() == "own"
    assert [entry.vendor for entry in asking.control.journal()] == ["veriff", "onfido"]
    at_didit = {"Host": "verification.didit.me"}
    answer = asking.session.get(f"{asking.url}/v3/extra/", headers=at_didit)
    assert answer.status_code == 404


FILLED = [
    ("{{request.path.id}}", "7"),
    ("{{request.query.q}}", "a b"),
    ("{{request.form.f}}", "x"),
    ("id_{{request.path.id}}-{{ request.query.q }}", "id_7-a b"),
    ("{{now}}", "2026-07-02T09:15:27Z"),
    ("{{now offset='-3 days' format='yyyy-MM-dd'}}", "2026-06-29"),
    ("{{now offset='2 hours' format=\"HH:mm:ss.SSSXXX 'at' ''\"}}", "11:15:27.104Z at '"),
    ("{{now format='unix'}}", 1782983727),
    ("{{now format='epoch'}}", 1782983727104),
    ("at {{now format='unix'}}", "at 1782983727"),
    ({"{{now}}": ["{{request.path.id}}", 1, None]}, {"{{now}}": ["7", 1, None]}),
]


@pytest.mark.parametrize(("template", "filled"), FILLED)
def test_template_becomes_its_value(open_asking, template, filled):
    asking = open_asking(clock=VirtualClock(START))
    asking.control.add_replies(
        {"request": {"urlPathTemplate": "/v3/{id}/x"}, "response": {"jsonBody": template}}
    )
    answer = asking.post("/v3/7/x?q=a+b", data={"f": "x"})
    assert answer.json() == filled


@pytest.mark.parametrize(
    ("expression", "value"),
    [("$.a", 'with "quotes"'), ("$.b", {"c": [1]}), ("$.b.c[0]", 1), ("$..d", None)],
)
def test_value_of_the_body_keeps_its_type_and_cannot_leave_its_place(
    open_asking, expression, value
):
    asking = open_asking()
    body = {"id": f"{{{{jsonPath request.body '{expression}'}}}}", "admin": False}
    asking.control.add_replies(reply(body=body))
    answer = asking.post("/v3/extra/", json={"a": 'with "quotes"', "b": {"c": [1]}, "d": None})
    assert answer.json() == {"id": value, "admin": False}


@pytest.mark.parametrize(
    "template",
    ["{{jsonPath request.body '$.a'}}", "{{request.query.a}}", "a {{request.form.a}}"],
)
def test_template_that_finds_nothing_is_a_500_that_names_it(open_asking, template):
    asking = open_asking()
    asking.control.add_replies(reply(body=[{"id": template}]))
    answer = asking.post("/v3/extra/", json={})
    assert answer.status_code == 500
    assert answer.json()["mock"].startswith("control #1 response.jsonBody[0].id: ")
    assert answer.headers[HINT] == "own reply, not the mock's: control #1"
    assert "mock.reply.unfilled" in asking.control.journal()[-1].claims


def test_sent_value_adds_no_header(open_asking):
    asking = open_asking()
    asking.control.add_replies(reply(response={"headers": {"X-A": "{{request.query.a}}"}}))
    answer = asking.get("/v3/extra/?a=x%0d%0aX-B:%20y")
    assert answer.status_code == 500
    assert "X-B" not in answer.headers
    assert asking.get("/v3/extra/?a=x").headers["X-A"] == "x"


def test_random_values_and_cards(open_asking):
    asking = open_asking()
    body = {"id": "{{randomValue type='UUID'}}", "p": "{{card 'p1'}}", "q": "{{card 'q'}}"}
    asking.control.add_replies(reply(body=body))
    first = asking.get("/v3/extra/").json()
    second = asking.get("/v3/extra/").json()
    assert len(first["id"]) == len(second["id"]) == 36
    assert first["id"] != second["id"]
    assert base64.b64decode(first["p"]) == P1
    assert base64.b64decode(first["q"]) == make_card("q")


def test_delay_body_and_content_type_are_as_written(open_asking):
    asking = open_asking()
    as_written = {"body": "<a/>", "headers": {"Content-Type": "text/xml"}}
    as_written |= {"fixedDelayMilliseconds": 1500, "status": 503}
    asking.control.add_replies({"request": {"urlPath": "/v3/extra/"}, "response": as_written})
    answer = asking.get("/v3/extra/")
    assert (answer.status_code, answer.text) == (503, "<a/>")
    assert answer.headers["Content-Type"] == "text/xml"
    assert asking.seconds == [1.5]


def test_fault_goes_before_an_own_reply(open_asking):
    asking = open_asking()
    asking.control.add_replies(reply("/v3/face-match/", metadata={"instead": True}))
    asking.control.add_fault(Fault(stage="answer", kind="status", status=503))
    assert asking.didit().status_code == 503
    assert asking.didit().json() == "own"


ALL_TEMPLATES = {
    "path": "{{request.path.rest}}",
    "body": "{{request.body}}",
    "found": "{{jsonPath request.body '$..a'}}",
    "filtered": "{{jsonPath request.body '$[?(@.a > 5)]'}} and {{now}}",
}


@given(
    body=st.binary(max_size=40)
    | st.recursive(
        st.none() | st.floats() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("a"), inner),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
    content_type=st.sampled_from(["", "application/json", "multipart/form-data; boundary=x"]),
    rest=st.text(st.characters(codec="utf-8"), max_size=5),
)
@example(body=b"[" * 3000 + b"]" * 3000, content_type="application/json", rest="x")
@example(body=b'[{"a": NaN}]', content_type="application/json", rest="x")
@example(body=b'{"a": "\\ud800"}', content_type="application/json", rest="x")
@example(body=b'{"a": 1' + b"0" * 5000 + b"}", content_type="application/json", rest="x")
def test_any_request_is_answered_or_gets_a_500_with_a_sentence(body, content_type, rest):
    mock = MockServer()
    conditions = {"bodyPatterns": [{"matchesJsonPath": {"expression": "$.b", "absent": True}}]}
    for metadata in ({}, {"recorded": "2026-11-29"}):
        mock.control.add_replies(
            {
                "request": {"urlPathPattern": "/x/(?s:(?P<rest>.*))", **conditions},
                "response": {"jsonBody": ALL_TEMPLATES},
                "metadata": metadata,
            }
        )
    request = Request.make(
        method="POST",
        target=f"/x/{quote(rest, safe='')}",
        headers=[("host", "127.0.0.1"), ("content-type", content_type)],
        body=body,
    )
    answer = mock.app.handle(request)
    assert answer.status in (200, 500)
    if answer.status == 500:
        assert answer.json()["mock"].startswith("control #")
    else:
        assert answer.json()["path"] == rest


# Recordings


def recorded(pictures, body="recorded"):
    known = {"vendor": "didit", "recorded": "2026-11-29", "host": "verification.didit.me"}
    return reply(body=body, metadata={**known, "salt": "s", "pictures": pictures})


def digests_of(**parts):
    """Return the digests of a request's pictures, as a recorder of these parts would."""
    prepared = requests.Request("POST", "http://x/v3/extra/", **parts).prepare()
    body = prepared.body or b""
    sent = Request.make(
        method="POST",
        target=prepared.path_url,
        headers=prepared.headers.items(),
        body=body.encode() if isinstance(body, str) else body,
    )
    return list(digest_pictures(sent, "s"))


def in_base64(picture):
    return base64.b64encode(picture).decode()


WITH_PICTURE = [
    lambda picture: {"files": {"image": ("a.png", picture)}},
    lambda picture: {"json": {"image": in_base64(picture)}},
    lambda picture: {"json": [{"deep": {"x": f"data:image/png;base64,{in_base64(picture)}"}}]},
    lambda picture: {"data": {"image": in_base64(picture)}},
    lambda picture: {"data": picture, "headers": {"Content-Type": "image/png"}},
    lambda picture: {"data": picture},
    lambda picture: {"json": {"image_url": f"https://x.example/{len(picture)}"}},
    lambda picture: {"json": {"S3Object": {"Bucket": "b", "Name": f"{len(picture)}"}}},
]


@pytest.mark.parametrize("send", WITH_PICTURE)
def test_recording_gives_no_verdict_for_other_pictures(open_asking, send):
    other = P2 + b"other bytes"
    asking = open_asking()
    asking.control.add_replies(recorded(digests_of(**send(P1))))
    answer = asking.post("/v3/extra/", **send(P1))
    assert answer.json() == "recorded"
    assert "recorded on 2026-11-29" in answer.headers[HINT]
    entry = asking.control.journal()[-1]
    assert (entry.reply.source, entry.reply.recorded) == ("control #1", "2026-11-29")
    refused = asking.post("/v3/extra/", **send(other))
    assert refused.status_code == 404
    assert "recorded with other pictures" in refused.headers[HINT]
    assert refused.headers[HINT] == asking.control.journal()[-1].note
    assert asking.post("/v3/extra/").status_code == 404


@pytest.mark.parametrize("send", WITH_PICTURE)
def test_recording_without_a_picture_answers_no_call_with_one(open_asking, send):
    asking = open_asking()
    asking.control.add_replies(recorded([]))
    assert asking.post("/v3/extra/", json={"name": "Ada"}).json() == "recorded"
    assert asking.post("/v3/extra/", **send(P1)).status_code == 404


# Over HTTP


def test_control_api_adds_lists_and_clears_replies(mock):
    url = mock.control_url

    def post(path, body):
        return requests.post(url + path, json=body, timeout=10)

    assert post("replies", reply(body=1.5)).json() == {"replies": ["control #1"]}
    both = {"mappings": [reply("/a"), reply("/b")]}
    assert post("replies", both).json() == {"replies": ["control #2", "control #3"]}
    refused = post("replies", reply(request={"cookies": {}}))
    assert refused.status_code == 400
    assert "control #4 request.cookies" in refused.json()["mock"]
    assert requests.get(f"{mock.url}/v3/extra/", timeout=10).json() == 1.5
    listed = requests.get(f"{url}replies", timeout=10).json()["replies"]
    assert [(one["source"], one["used"]) for one in listed] == [
        ("control #1", 1),
        ("control #2", 0),
        ("control #3", 0),
    ]
    assert listed[0]["mapping"] == reply(body=1.5)
    unused = requests.get(f"{url}unused", timeout=10).json()["unused"]
    assert [one["source"] for one in unused] == ["control #2", "control #3"]
    assert unused[0]["closest"] == "GET /v3/extra/, answered 200"
    assert post("replies/clear", {}).ok
    assert mock.control.replies() == ()
    assert requests.get(f"{mock.url}/v3/extra/", timeout=10).status_code == 404


@pytest.mark.facematch_replies(reply(), reply("/of/onfido", metadata={"vendor": "didit"}))
def test_marker_adds_replies_to_a_fixture(didit_mock):
    for path in ("/v3/extra/", "/of/onfido"):
        assert requests.get(f"https://verification.didit.me{path}", timeout=10).json() == "own"
