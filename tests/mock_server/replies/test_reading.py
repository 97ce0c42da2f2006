"""Which own replies are read, and how the others are refused."""

import json
import re
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from facematch_mock_server import MockServer
from facematch_mock_server.replies import read_mappings, read_replies

EMPTY = {"request": {"urlPath": "/x"}, "response": {}}


def with_part(part, **changes):
    return {**EMPTY, part: {**EMPTY.get(part, {}), **changes}}


def with_body(value):
    return with_part("response", jsonBody={"id": value})


#: What is refused, with the place that the message names.
REFUSED = [
    ([], ""),
    ({"request": {}}, ""),
    ({**EMPTY, "responses": {}}, "responses"),
    (with_part("request", cookies={}), "request.cookies"),
    (with_part("request", urlPathPattern=".*"), "request"),
    ({**EMPTY, "request": {"uri": "/x"}}, "request.uri"),
    ({**EMPTY, "request": {"url": "x"}}, "request.url"),
    ({**EMPTY, "request": {"url": "/x", "urlPath": "/x"}}, "request"),
    ({**EMPTY, "request": {"urlPattern": "("}}, "request.urlPattern"),
    (
        with_part("request", bodyPatterns=[{"equalToXml": "<a/>"}]),
        "request.bodyPatterns[0].equalToXml",
    ),
    (
        with_part("request", bodyPatterns=[{"equalToJson": "{"}]),
        "request.bodyPatterns[0].equalToJson",
    ),
    (
        with_part("request", bodyPatterns=[{"equalToJson": {"a": "${json-unit.ignore}"}}]),
        "request.bodyPatterns[0].equalToJson",
    ),
    (
        with_part("request", bodyPatterns=[{"contains": "a", "matches": "a"}]),
        "request.bodyPatterns[0]",
    ),
    (with_part("response", base64Body="***"), "response.base64Body"),
    (with_part("response", base64Body="QQ==", body="A"), "response.body"),
    (with_part("response", fault="SLOW"), "response.fault"),
    (with_part("response", bodyFileName="../secret.txt"), "response.bodyFileName"),
    (with_part("response", proxyBaseUrl="http://a.test"), "response.proxyBaseUrl"),
    (with_part("request", multipartPatterns=[]), "request.multipartPatterns"),
    ({**EMPTY, "request": {"urlPath": "/x?a=1"}}, "request.urlPath"),
    ({**EMPTY, "request": {"urlPath": "x"}}, "request.urlPath"),
    ({**EMPTY, "request": {"urlPathTemplate": "/{a}/{a}"}}, "request.urlPathTemplate"),
    ({**EMPTY, "request": {"urlPathPattern": "("}}, "request.urlPathPattern"),
    (with_part("request", method="post"), "request.method"),
    (with_part("request", headers={"a": "b"}), "request.headers.a"),
    (with_part("request", headers={"a": {"includes": "b"}}), "request.headers.a.includes"),
    (with_part("request", headers={"a": {"equalTo": 5}}), "request.headers.a.equalTo"),
    (with_part("request", headers={"a": {"absent": False}}), "request.headers.a.absent"),
    (
        with_part("request", queryParameters={"a": {"equalTo": "b", "absent": True}}),
        "request.queryParameters.a",
    ),
    (
        with_part("request", formParameters={"a": {"matches": "["}}),
        "request.formParameters.a.matches",
    ),
    (with_part("request", bodyPatterns={}), "request.bodyPatterns"),
    (with_part("request", bodyPatterns=[{}]), "request.bodyPatterns[0]"),
    (
        with_part("request", bodyPatterns=[{"matchesJsonPath": "$["}]),
        "request.bodyPatterns[0].matchesJsonPath",
    ),
    (
        with_part("request", bodyPatterns=[{"matchesJsonPath": "$ & a"}]),
        "request.bodyPatterns[0].matchesJsonPath",
    ),
    (
        with_part("request", bodyPatterns=[{"matchesJsonPath": {"equalTo": "x"}}]),
        "request.bodyPatterns[0].matchesJsonPath",
    ),
    (with_part("response", status=600), "response.status"),
    (with_part("response", status=True), "response.status"),
    (with_part("response", body=5), "response.body"),
    (with_part("response", body="x", jsonBody={}), "response.body"),
    (with_part("response", bodyFileName="x.json"), "response.bodyFileName"),
    (with_part("response", headers={"a b": "x"}), "response.headers.a b"),
    (with_part("response", headers={"A": "x\r\nB: y"}), "response.headers.A"),
    (with_part("response", headers={"Content-Length": "5"}), "response.headers.Content-Length"),
    (with_part("response", fixedDelayMilliseconds=-1), "response.fixedDelayMilliseconds"),
    (with_part("response", transformers=["other"]), "response.transformers"),
    (with_body("{{request.cookies.a}}"), "response.jsonBody.id"),
    (with_body("{{request.path.id}}"), "response.jsonBody.id"),
    (with_body("{{uppercase 'a'}}"), "response.jsonBody.id"),
    (with_body("{{now"), "response.jsonBody.id"),
    (with_body("{{}}"), "response.jsonBody.id"),
    (with_body("{{now zone='x'}}"), "response.jsonBody.id"),
    (with_body("{{now offset='1 year'}}"), "response.jsonBody.id"),
    (with_body("{{now offset='999999999 days'}}"), "response.jsonBody.id"),
    (with_body("{{now format='yyyy-QQ'}}"), "response.jsonBody.id"),
    (with_body("{{randomValue type='WORD'}}"), "response.jsonBody.id"),
    (with_body("{{randomValue}}"), "response.jsonBody.id"),
    (with_body("{{jsonPath request.query.a '$.a'}}"), "response.jsonBody.id"),
    (with_body("{{jsonPath request.body '$['}}"), "response.jsonBody.id"),
    (with_body("{{jsonPath request.body}}"), "response.jsonBody.id"),
    (with_body("{{card}}"), "response.jsonBody.id"),
    (with_body("{{card 'p1}}"), "response.jsonBody.id"),
    (with_part("response", headers={"A": "{{later}}"}), "response.headers.A"),
    ({**EMPTY, "priority": 0}, "priority"),
    ({**EMPTY, "newScenarioState": "x"}, ""),
    ({**EMPTY, "metadata": {"vender": "didit"}}, "metadata.vender"),
    ({**EMPTY, "metadata": {"vendor": 5}}, "metadata.vendor"),
    ({**EMPTY, "metadata": {"instead": "yes"}}, "metadata.instead"),
    ({**EMPTY, "metadata": {"recorded": "today"}}, "metadata.recorded"),
    ({**EMPTY, "metadata": {"pictures": []}}, "metadata.pictures"),
    ({**EMPTY, "metadata": {"recorded": "2026-11-29", "sent": []}}, "metadata.sent"),
    ({**EMPTY, "metadata": {"recorded": "2026-11-29", "pictures": [1]}}, "metadata.pictures[0]"),
]


@pytest.mark.parametrize(("mapping", "place"), REFUSED, ids=lambda x: x if type(x) is str else "")
def test_unknown_part_is_refused_with_file_number_and_place(tmp_path, mapping, place):
    file = tmp_path / "own.json"
    file.write_text(json.dumps({"mappings": [EMPTY, mapping]}))
    with pytest.raises(ValueError, match=r"^own.json #2") as caught:
        read_replies(file)
    assert str(caught.value).startswith(f"own.json #2 {place}".rstrip() + ": ")


@pytest.mark.parametrize(
    ("mapping", "word"),
    [
        ({**EMPTY, "request": {"urlPaths": "/x"}}, "urlPath"),
        ({**EMPTY, "metadata": {"vender": "didit"}}, "vendor"),
        (with_part("response", headders={}), "headers"),
        (with_body("{{request.pth.id}}"), "request.path"),
        (with_body("{{jsonpath request.body '$.a'}}"), "jsonPath"),
    ],
)
def test_refusal_names_the_nearest_known_word(mapping, word):
    with pytest.raises(ValueError, match=rf"did you mean {word}|knows {word}"):
        read_mappings(mapping, "control")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n"mappings": [\n{,}]}', "own.json line 3"),
        ("", "own.json line 1"),
        ('{"request": 1, "request": 2}', "'request' stands in one object twice"),
        ('{"priority": NaN}', "NaN"),
        ("[" * 100_000, "nested too deeply"),
        ('{"mappings": {}}', "own.json mappings"),
        ('{"mappings": [], "more": 1}', "own.json more"),
    ],
)
def test_broken_file_is_refused_with_its_line(tmp_path, text, words):
    file = tmp_path / "own.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=re.escape(words)):
        read_replies(file)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_file_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "own.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=r"own\.json"):
        read_replies(file)


def test_folder_is_read_file_by_file_and_each_reply_has_its_place(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b/two.json").write_text(json.dumps(EMPTY))
    exported = {"id": "1", "uuid": "1", "name": "x", "persistent": True, **EMPTY}
    exported["response"] = {"transformers": ["response-template"], "status": 201}
    mappings = {"mappings": [EMPTY, exported], "meta": {"total": 2}}
    (tmp_path / "a.json").write_text(json.dumps(mappings), "utf-8-sig")
    replies = read_replies(tmp_path)
    assert [reply.source for reply in replies] == ["a.json #1", "a.json #2", "b/two.json #1"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty"):
        read_replies(tmp_path / "empty")


def test_missing_package_is_named_only_by_a_reply_that_needs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "jsonpath_ng.ext.parser", None)
    expression = "$.an.expression.that.no.other.test.has"
    with pytest.raises(ValueError, match=r"jsonpath_ng.*pip install"):
        read_mappings(
            with_part("request", bodyPatterns=[{"matchesJsonPath": expression}]), "control"
        )
    assert len(read_mappings(EMPTY, "control")) == 1


def test_vendor_that_no_mock_imitates_is_refused():
    mapping = {**EMPTY, "metadata": {"vendor": "didi"}}
    with pytest.raises(ValueError, match=r"replies #1 metadata\.vendor.*did you mean didit"):
        MockServer(replies=mapping)
    # One file may serve several servers.
    other = {**EMPTY, "metadata": {"vendor": "onfido"}}
    mock = MockServer(vendor="didit", replies=[other])
    with pytest.raises(ValueError, match=r"control #2 metadata\.vendor"):
        mock.control.add_replies(EMPTY, other)
    assert len(mock.control.replies()) == 1


#: Names that mean something, and one that means nothing.
NAMES = st.sampled_from(["equalTo", "matches", "absent", "expression", "matchesJsonPath", "a"])
REQUEST_NAMES = st.sampled_from(
    ["method", "urlPath", "urlPathTemplate", "urlPathPattern", "headers", "bodyPatterns", "a"]
)
RESPONSE_NAMES = st.sampled_from(["status", "jsonBody", "body", "headers", "a"])
METADATA_NAMES = st.sampled_from(["vendor", "instead", "recorded", "pictures", "salt", "sent"])
TEXTS = st.sampled_from(
    [
        "/x",
        "/{a}",
        "POST",
        "$.a",
        "$..[?(@.a>1)]",
        "(?P<a>.",
        "2026-11-29",
        "{{now}}",
        "{{ now format='Q' }}",
        "{{request.path.a}}",
        "{{card 'ä'}}",
        "{{{x}}}",
        "\ud800",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=20,
)
MAPPINGS = st.fixed_dictionaries(
    {
        "request": st.dictionaries(REQUEST_NAMES, VALUES, max_size=3),
        "response": st.dictionaries(RESPONSE_NAMES, VALUES, max_size=3),
    },
    optional={
        "metadata": st.dictionaries(METADATA_NAMES, VALUES, max_size=3),
        "priority": VALUES,
        "scenarioName": VALUES,
    },
)


def read_or_refuse(document):
    """Return the places of the replies, or the sentence of the refusal."""
    try:
        return [reply.source for reply in read_mappings(document, "own")]
    except ValueError as error:
        return [str(error)]


@given(VALUES | MAPPINGS | st.fixed_dictionaries({"mappings": st.lists(MAPPINGS, max_size=3)}))
@example(with_body("{{jsonPath request.body '$.a[?(@.b > )]'}}"))
@example({"mappings": [with_body("{{" + "a" * 5000)]})
def test_any_json_is_taken_or_refused_with_one_sentence(document):
    for sentence in read_or_refuse(document):
        assert sentence.startswith("own")
        assert "\n" not in sentence
