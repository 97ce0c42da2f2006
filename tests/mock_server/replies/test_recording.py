"""What a recording keeps of a program's calls and the vendor's replies, and what it hides."""

import base64
import datetime as dt
import gc
import json
import os
import re
import sys
import tempfile
import uuid
from pathlib import Path
from urllib.parse import quote, urlencode

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.cards import CARDS
from kit.first_calls import start_recording

import facematch_mock_server.vendors
from facematch_core.testing import find_leaks
from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.replies.recording_file import RecordingFile
from facematch_mock_server.replies.vocabulary import Vocabulary

VENDORS = Path(facematch_mock_server.vendors.__file__).parent
VOCABULARY = Vocabulary.read([*VENDORS.glob("*.py"), *(VENDORS / "onfido").rglob("*.py")])
HOST = "api.eu.onfido.com"
P1 = CARDS["p1"]


class Run:
    """A recording of calls to Onfido that were made up here."""

    def __init__(self, folder, **settled):
        self.file = folder / "recording.json"
        self.recording = RecordingFile(
            self.file, VOCABULARY, show_host=lambda host: host if host == HOST else None, **settled
        )

    def call(
        self,
        method="GET",
        target="/v3.6/applicants",
        sent=None,
        *,
        headers=None,
        status=200,
        answer=None,
        answer_headers=None,
    ):
        body = sent if isinstance(sent, bytes) else b""
        head = {
            "Host": HOST,
            "Authorization": "Token token=api_live.wJ3kQzN8rT.yv5",
            **(headers or {}),
        }
        if sent is not None and not isinstance(sent, bytes):
            body = json.dumps(sent).encode()
            head["Content-Type"] = "application/json"
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        kind = {} if isinstance(answer, bytes) else {"Content-Type": "application/json"}
        request = Request.make(method=method, target=target, headers=head.items(), body=body)
        reply_headers = tuple({**kind, **(answer_headers or {})}.items())
        response = Response(status=status, headers=reply_headers, body=content)
        self.recording.add("onfido", HOST, request, response)

    @property
    def text(self):
        return self.file.read_text("utf-8")

    @property
    def mappings(self):
        return json.loads(self.text)["mappings"]

    @property
    def answers(self):
        return [mapping["response"]["jsonBody"] for mapping in self.mappings]


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


#: Private values that are planted, by what the place is. None is a word of the vendor.
NAMES = {
    "first": "Zoraida",
    "last": "Quenneville",
    "both": "Zoraida Quenneville",
    "capitals": "QUENNEVILLE",
    "snake": "ZORAIDA_QUENNEVILLE",
    "joined": "ZoraidaQuenneville",
    "camel": "zoraidaQuenneville",
    "kebab": "zoraida-quenneville",
    "lower": "zoraida_quenneville",
    "mother": "Ingeborg",
    "town": "Knokke-Heist",
    "street": "Zeedijk 481 bus 7",
    "postcode": "SW1A 2AA",
    "born": "1974-08-23",
    "born_time": "1974-08-23T11:42:07Z",
    "born_number": 146490127,
    "mail": "z.quenneville@mailbox.test",
    "phone": "+32 470 12 34 56",
    "phone_number": 32470123456,
    "document": "BQX4471902",
    "document_digits": "590174482",
    "ssn": "078-05-1120",
    "national": 74082312345,
    "iban": "BE71096123456769",
    "mrz": "P<BELQUENNEVILLE<<ZORAIDA<<<<<<<<<<<<<<<<<<<",
    "ip": "203.0.113.199",
    "device": "Zoraidas-iPhone-14",
    "agent": "ZoraidaBrowser/12.7",
    "lat": 51.348219,
    "position": "51.3482, 3.2873",
    "uuid": "7d1f2a66-9b1e-4c0e-8d75-3d0a5c6c9e11",
    "uuid_upper": "C41D3B0A-6C3F-4D7E-9A51-0B8E7C2F5D43",
    "hex": "9f8e7d6c5b4a39281706f5e4d3c2b1a0",
    "number": "48213377",
    "prefixed": "usr_8Hq2LmZx71",
    "own": "customer-4471-zq",
    "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ6b3JhaWRhIn0.c2lnbmF0dXJlMTIz",
    "refresh": "rt-5fK2mX9qLw7eTb31",
    "secret": "whsec-Qm9vM2x4ZzE",
    "cookie": "sessionid77xQpLz",
    "basic": "dXNlcjpzdXBlcnNlY3JldHBhc3N3b3Jk",
    "signature": "a3f5c8e1b2d4967088ffeeddccbbaa99a3f5c8e1b2d4967088ffeeddccbbaa99",
    "access": "AKIAZORAIDA4471QXYZ",
    "query_key": "k-7712-quenne-key",
    "login": "zquenneville",
    "link": "https://cdn.private.test/zq/selfie.png?sig=Qq81xx",
    "link_login": "https://zoe:hunter22@files.private.test/a",
    "loose_link": "ftp://ftp.private.test/quenne",
    "comment": "she moved to Knokke in spring",
    "note": "Ingeborg is her mother",
    "company": "Quenneville Baggerwerken",
    "file": "zoraida_passport_scan",
    "field": "QuennevilleField",
    "header": "quenneville-header",
    "html": "Zoraida-on-a-page",
    "etag": "W/zq-4471-etag",
    "nested": "Vlaminckstraat",
    "list": "Quenneville-Senior",
    "short": "Zoë",
    "emoji": "Zoraida🙂",
}
BOUNDARY = "boundary-quenneville-5521"


def multipart(*parts):
    lines = b""
    for head, content in parts:
        lines += f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode()
        lines += content + b"\r\n"
    return lines + f"--{BOUNDARY}--\r\n".encode()


def plant(run):
    """Make calls that have each private value somewhere, most of them several times."""
    n = NAMES
    run.call(
        "POST",
        f"/v3.6/applicants?email={n['mail'].replace('@', '%40')}&api_key={n['query_key']}"
        f"&{n['camel']}=1&user={n['login']}",
        {
            "first_name": n["first"],
            "last_name": n["last"],
            "dob": n["born"],
            "born": n["born_time"],
            "birth_seconds": n["born_number"],
            "address": {"town": n["town"], "street": n["street"], "postcode": n["postcode"]},
            "phone_number": n["phone"],
            "mobile": n["phone_number"],
            "id_numbers": [
                {"type": "ssn", "value": n["ssn"]},
                {"type": "other", "value": n["iban"]},
            ],
            "national_id": n["national"],
            "mrz": n["mrz"],
            "location": {"ip_address": n["ip"], "device": n["device"], "lat": n["lat"]},
            "comment": n["comment"],
            "custom": {n["snake"]: {n["mother"]: 1}, n["kebab"]: [n["nested"]]},
            "people": {n["joined"]: True, n["lower"]: None, n["capitals"]: n["list"]},
            "encoded": base64.b64encode(n["both"].encode()).decode(),
            "inner": json.dumps({n["first"]: n["company"]}),
            "selfie": base64.b64encode(P1).decode(),
            "portrait": f"data:image/png;base64,{base64.b64encode(P1).decode()}",
            "photo_url": n["link"],
            "other_url": n["link_login"],
            "third": n["loose_link"],
            "short_name": n["short"],
            "status": n["capitals"],
            "type": n["joined"],
            "result": n["emoji"],
            "refresh_token": n["refresh"],
            "client_secret": n["secret"],
        },
        headers={
            "Cookie": f"id={n['cookie']}",
            "User-Agent": n["agent"],
            "X-Forwarded-For": n["ip"],
            f"X-{n['header']}": n["mother"],
            "Authorization": f"Basic {n['basic']}",
            "If-None-Match": n["etag"],
        },
        status=201,
        answer={
            "id": n["uuid"],
            "applicant_ref": n["uuid_upper"],
            "href": f"/v3.6/applicants/{n['uuid']}/{n['lower']}",
            "log": n["hex"],
            "sequence": int(n["number"]),
            "user": n["prefixed"],
            "vendor_data": n["own"],
            "sdk_token": n["token"],
            "document_number": n["document"],
            "numbers": [n["document_digits"]],
            "position": n["position"],
            "message": f"{n['both']} was born on {n['born']} in {n['town']}",
            "error": {"message": f"{n['last']} already exists", "fields": {n["last"]: [n["note"]]}},
            "url": f"https://{HOST}/v3.6/{n['capitals']}/{n['uuid']}?name={n['first']}",
            "media": base64.b64encode(P1).decode(),
        },
        answer_headers={
            "Set-Cookie": f"id={n['cookie']}; Path=/",
            "X-Request-Id": n["hex"],
            "Location": f"https://{HOST}/v3.6/applicants/{n['uuid']}",
            "ETag": n["etag"],
            f"X-{n['field']}": n["company"],
        },
    )
    run.call(
        "POST",
        "/v3.6/documents",
        multipart(
            ('name="applicant_id"', n["uuid"].encode()),
            ('name="type"', n["capitals"].encode()),
            (f'name="{n["field"]}"', n["mother"].encode()),
            ('name="comment"', n["comment"].encode()),
            (f'name="file"; filename="{n["file"]}.png"', P1),
            (f'name="{n["field"]}2"; filename="{n["last"]}"', b"text of a file about Zoraida"),
        ),
        headers={
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={n['access']}/20261129/eu-west-1/x/"
            f"aws4_request, SignedHeaders=host;x-amz-date, Signature={n['signature']}",
        },
        status=422,
        answer=f"<html><title>{n['html']}</title>{n['both']} {n['uuid']}</html>".encode(),
        answer_headers={"Content-Type": f"text/html; owner={n['last']}"},
    )
    for step in (
        n["joined"],
        n["capitals"],
        n["uuid_upper"],
        n["number"],
        n["mail"],
        n["document"],
    ):
        run.call("GET", f"/v3.6/applicants/{step}/documents", answer={"id": n["uuid"]})
    run.call(
        "PUT",
        f"/v3.6/applicants/{n['uuid']}",
        f"{n['both']}, {n['mail']}".encode(),
        headers={"Content-Type": "text/plain"},
        answer=P1,
        answer_headers={"Content-Type": "image/png"},
    )


def planted_forms():
    for text in map(str, NAMES.values()):
        yield text
        if "-" in text and text.count("-") == 4:
            yield text.swapcase()


def test_none_of_sixty_private_values_and_no_byte_of_a_picture_is_written(run):
    assert len(NAMES) >= 60
    plant(run)
    assert run.recording.left_out == []
    assert len(run.mappings) == 9
    found = [text for text in planted_forms() if text.lower() in run.text.lower()]
    found += [t for t in planted_forms() if len(t.encode()) > 5 and find_leaks(t, run.text)]
    assert found == []
    for name in ("zoraida", "quenneville", "ingeborg", BOUNDARY, "wJ3kQzN8rT"):
        assert name.lower() not in run.text.lower()
    for start in range(8, len(P1) - 12, 12):
        assert not find_leaks(P1[start : start + 12], run.text)


#: Calls with a private value in a form of its own, and the parts that must not be written.
FORMS = {
    "telephone number in groups": (
        {"answer": {"message": "No applicant with +41 79 123 45 67"}},
        ["123 45", "45 67"],
    ),
    "number of a person in groups": ({"sent": {"x": "2 74 08 75 123 456 78"}}, ["123 456"]),
    "number in a page": (
        {"answer": b"<p>+41<b>79</b> 123</p><p>45 67</p>", "status": 500},
        ["79", "123", "45"],
    ),
    "date as a constant": ({"answer": {"result": "23.08.74"}}, ["23.08"]),
    "date in a sentence": (
        {"answer": {"message": "born 23/08/74 at 11:42:07"}},
        ["23/08", "11:42"],
    ),
    "date in a path": ({"target": "/v3.6/checks/23.08.74"}, ["23.08"]),
    "date in numbers": ({"sent": {"born": {"day": 23, "year": 1974}}}, ["1974"]),
    "year": ({"sent": {"yob": 1974, "dateOfBirth": {"year": 1974}, "x": "1974"}}, ["1974"]),
    "pin": ({"sent": {"pin": 4821, "x": {"otp": "4821", "y": "4821"}}}, ["4821"]),
    "short id": ({"sent": {"customer_id": 4471, "applicantId": "4471"}}, ["4471"]),
    "short id in a query": ({"target": "/v3.6/checks?customer_id=447&x=4471"}, ["447"]),
    "position": (
        {"sent": {"coordinates": [51.348219, 3.28], "geo": {"y": 51.348219}}},
        ["51.34"],
    ),
    "position in texts": ({"sent": {"x": "51.348219", "y": "3.287311"}}, ["51.34", "3.28"]),
    "dotted number": ({"sent": {"x": "32.470123456"}}, ["470123456"]),
    "index of a form": (
        {"target": "/v3.6/checks?data[1.470123456]=1&data[19740823]=2"},
        ["470123456", "19740823"],
    ),
    "id in a dotted constant": ({"answer": {"type": "report.id.48213377"}}, ["48213377"]),
    "id in a key": ({"sent": {"report:id:48213377": 1}}, ["48213377"]),
    "id in a step": ({"target": "/v3.6/report.id:4.8.2.1.3/x"}, ["4.8.2"]),
    "name of a reply's header": (
        {
            "answer_headers": {
                "X-Quenneville-Request-Id": "1",
                "X-RateLimit-Quenneville": "5",
                "Rate-Limit-Quenneville": "5",
            }
        },
        ["quenneville"],
    ),
    "type of a data URI": (
        {"sent": {"x": f"data:image/quenneville;base64,{base64.b64encode(P1).decode()}"}},
        ["quenneville"],
    ),
    "parameter of a data URI": (
        {
            "sent": {
                "x": f"data:image/png;name=quenneville.png;base64,{base64.b64encode(P1).decode()}"
            }
        },
        ["quenneville"],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_private_value_is_hidden_in_every_form_it_is_written_in(form, run):
    call, private = FORMS[form]
    run.call(**{"answer": {}, **call})
    assert run.recording.left_out == []
    (mapping,) = run.mappings
    del mapping["metadata"]["salt"], mapping["metadata"]["recorded"]
    mapping["metadata"]["pictures"].clear()
    written = json.dumps(mapping).lower()
    for text in private:
        assert text not in written


@pytest.mark.parametrize("number", [4471, 48213377])
def test_id_has_one_stand_in_as_text_and_as_number(run, number):
    run.call(sent={"applicant_id": str(number)}, answer={"x_id": number})
    (mapping,) = run.mappings
    made = mapping["metadata"]["sent"]["json"]["applicant_id"]
    assert int(made) != number
    assert list(run.answers[0].values()) == [int(made)]


def test_number_that_is_a_key_is_hidden(run):
    run.call(headers={"Authorization": "48213377"}, answer={"x": 48213377})
    assert run.recording.left_out == []
    assert "48213377" not in run.text


def test_count_of_a_header_a_plain_number_and_a_version_are_kept(run):
    run.call(
        target="/v3.6/checks?page=12",
        answer={"x": ["0.98731", "99.5", "-3"], "version": "v4.12", "score": "95.46630433"},
        answer_headers={"Retry-After": "3600", "X-RateLimit-Remaining": "4999"},
    )
    (mapping,) = run.mappings
    assert mapping["request"]["queryParameters"] == {"page": {"equalTo": "12"}}
    assert mapping["response"]["headers"]["Retry-After"] == "3600"
    assert mapping["response"]["headers"]["X-RateLimit-Remaining"] == "4999"
    assert ["0.98731", "99.5", "-3"] in run.answers[0].values()
    assert run.answers[0]["version"] == "v4.12"
    assert run.answers[0]["score"] == "95.46630433"


def in_form(text):
    return {
        "method": "POST",
        "sent": multipart(
            (f'name="{text}"; filename="{text}.png"', P1), ('name="x"', text.encode())
        ),
        "headers": {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    }


#: Where a private text may stand, in a call that says nowhere that it is private.
PLACES = {
    "path": lambda text: {"target": f"/v3.6/checks/{quote(text, safe='')}/download"},
    "query": lambda text: {"target": f"/v3.6/checks?{urlencode({'q': text, text: '1'})}"},
    "key": lambda text: {"sent": {text: {text: 1}}},
    "value": lambda text: {"sent": {"x": [text, {"y": f"{text} {text}"}]}},
    "constant": lambda text: {"answer": {"status": text, "type": text, "code": text}},
    "sentence": lambda text: {"answer": {"message": f"No applicant {text} was found."}},
    "link": lambda text: {"answer": {"href": f"https://{HOST}/v3.6/{quote(text)}?a={quote(text)}"}},
    "other link": lambda text: {"answer": {"href": f"https://{text}.test/"}},
    "base64": lambda text: {"answer": {"x": base64.b64encode(text.encode()).decode()}},
    "JSON in a text": lambda text: {"answer": {"x": json.dumps({text: text})}},
    "page": lambda text: {"answer": f"<p>{text}</p>".encode(), "status": 500},
    "text": lambda text: {"sent": text.encode(), "answer": text.encode()},
    "header": lambda text: {"headers": {"X-Request-Id": quote(text), f"X-{quote(text)}": "1"}},
    "answer's header": lambda text: {
        "answer_headers": {"Location": quote(text), "ETag": quote(text)}
    },
    "key of the account": lambda text: {"headers": {"Authorization": f"Bearer {quote(text)}"}},
    "form": in_form,
    "method": lambda text: {"method": text},
}
names = st.text("bdfgjklmnpqvwxyz", min_size=6, max_size=12)
private_texts = st.one_of(
    names,
    names.map(str.upper),
    names.map(str.title),
    st.tuples(names, names).map("_".join),
    st.tuples(names, names).map(lambda both: "".join(both).title() + both[0].title()),
    st.uuids().map(str),
    st.binary(min_size=8, max_size=20).map(bytes.hex),
    st.integers(100_000, 10**15).map(str),
    st.tuples(names, names).map(lambda both: f"{both[0]}@{both[1]}.test"),
    st.from_regex(r"[A-Z]{2}[0-9]{6}[a-z]{3}", fullmatch=True),
).filter(lambda text: "000" not in text)  # a stand-in may be a round number


@given(st.lists(st.tuples(st.sampled_from(sorted(PLACES)), private_texts), min_size=1, max_size=6))
def test_text_that_is_a_value_in_any_call_is_written_nowhere(planted):
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        for place, text in planted:
            run.call(**{"answer": {}, **PLACES[place](text)})
        run.call(answer={"x": [text for _, text in planted]})
        assert run.recording.left_out == []
        written = run.text.lower()
        for place, text in planted:
            assert text.lower() not in written, place
            assert find_leaks(text, run.text) == (), place


@given(names, st.sampled_from([str.lower, str.upper, str.title]), st.booleans())
def test_word_of_a_private_field_is_no_key_constant_or_step_of_a_path(name, change, is_first):
    other = change(name)
    calls = [
        {"sent": {"applicant": {"last_name": f"van {name}"}}, "answer": {}},
        {"answer": {other: {f"{other}_data": 1, f"is{other}": 2}, "type": other, "status": other}},
        {"target": f"/v3.6/{other}/{other}-1/x{other}", "answer": {}},
    ]
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        for call in calls if is_first else reversed(calls):
            run.call(**call)
        assert name.lower() not in run.text.lower()


def test_name_that_is_a_word_of_the_vendors_sentences_is_hidden_in_a_sentence(run):
    assert {"The", "This"} < VOCABULARY.words
    run.call("POST", sent={"first_name": "The This"}, answer={"message": "The This is not found"})
    assert "This" not in run.answers[0]["message"]


def test_signature_shows_no_header_of_the_users_own(run):
    signature = (
        "AWS4-HMAC-SHA256 Credential=AKIAZORAIDA4471QXYZ/20261129/us-gov-west-1/rekognition/"
        "aws4_request, SignedHeaders=host;x-amz-date;x-quenneville, Signature=a3f5c8e1b2d49670"
    )
    run.call(headers={"Authorization": signature}, answer={})
    written = run.mappings[0]["metadata"]["sent"]["headers"]["authorization"]
    assert written == (
        "AWS4-HMAC-SHA256 Credential=***1/20261129/us-gov-west-1/rekognition/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=***"
    )


def test_signature_without_a_scope_and_one_in_the_query_are_hidden(run):
    signature = (
        "ACS3-HMAC-SHA256 Credential=LTAIZORAIDA4471QXYZ,"
        "SignedHeaders=host;x-acs-date;x-quenneville,Signature=a3f5c8e1b2d49670"
    )
    run.call(headers={"Authorization": signature}, answer={})
    written = run.mappings[0]["metadata"]["sent"]["headers"]["authorization"]
    assert written == (
        "ACS3-HMAC-SHA256 Credential=***1,SignedHeaders=host;x-acs-date, Signature=***"
    )
    query = "AccessKeyId=LTAIZORAIDA4471QXYZ&Signature=Zm9vYmFyYmF6cXV4%3D"
    run.call(target=f"/?{query}", answer={})
    assert "ZORAIDA" not in run.text
    assert "Zm9vYmFy" not in run.text


def test_long_numbers_and_dotted_telephone_numbers_are_hidden(run):
    answer = {"x": 32470123456.5, "type": "32.47.01.23.45", "score": 0.25, "y": 3.5}
    run.call(target="/v3.6/32.47.01.23.45", answer=answer)
    assert "324701234" not in run.text
    assert "32.47.01.23" not in run.text
    assert {0.25, 3.5} < set(run.answers[0].values())


def test_one_value_has_one_stand_in_of_its_form_everywhere(run):
    person = "7d1f2a66-9b1e-4c0e-8d75-3d0a5c6c9e11"
    run.call(
        "POST", sent={"first_name": "Zoraida"}, answer={"id": person, "seen": "2b6d6b8f0a1c4e5d"}
    )
    run.call("GET", f"/v3.6/applicants/{person}", answer={"id": person, "first_name": "Zoraida"})
    run.call("POST", "/v3.6/checks", {"applicant_id": person}, answer={"status": "in_progress"})
    first, second, third = run.mappings
    made = first["response"]["jsonBody"]["id"]
    assert re.fullmatch(r"00000000-0000-4000-8000-\d{12}", made)
    assert re.fullmatch(r"\d{16}", next(reversed(first["response"]["jsonBody"].values())))
    assert second["request"]["urlPathTemplate"] == "/v3.6/applicants/{id3}"
    assert second["metadata"]["sent"]["target"] == f"/v3.6/applicants/{made}"
    # The reply repeats what was asked for.
    assert second["response"]["jsonBody"]["id"] == "{{request.path.id3}}"
    assert third["metadata"]["sent"]["json"] == {"applicant_id": made}
    name = first["metadata"]["sent"]["json"]["first_name"]
    assert second["response"]["jsonBody"]["first_name"] == name


def test_vendors_words_and_plain_values_are_kept(run):
    answer = {
        "status": "complete",
        "result": "clear",
        "sandbox": True,
        "reports": None,
        "score": 0.731,
        "page": 3,
        "error": {"type": "resource_not_found", "message": "The resource was not found"},
    }
    run.call("GET", "/v3.6/applicants?page=2", answer=answer, status=404)
    (mapping,) = run.mappings
    body = mapping["response"]["jsonBody"]
    assert body["status"] == "complete"
    assert body["sandbox"] is True
    assert 0.731 in body.values()
    assert body["error"]["type"] == "resource_not_found"
    assert mapping["response"]["status"] == 404
    assert mapping["metadata"]["vendor"] == "onfido"
    assert mapping["metadata"]["host"] == HOST
    assert mapping["metadata"]["sent"]["headers"]["authorization"] == "Token token=api_live.***1"


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("%Y-%m-%dT%H:%M:%SZ", "yyyy-MM-dd'T'HH:mm:ssX"),
        ("%Y-%m-%d %H:%M:%S", "yyyy-MM-dd HH:mm:ss"),
        ("%Y-%m-%dT%H:%M:%S.000+00:00", "yyyy-MM-dd'T'HH:mm:ss.SSSxxx"),
    ],
)
def test_time_becomes_its_distance_in_its_form_but_a_birthday_does_not(run, written, form):
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    answer = {"created_at": soon.strftime(written), "event": "1974-08-23T11:42:07Z"}
    run.call(answer=answer)
    (body,) = run.answers
    template = re.fullmatch(
        r'\{\{now offset=\'(\d+) seconds\' format="(.*)"\}\}', body["created_at"]
    )
    assert template[2] == form
    assert abs(int(template[1]) - 3600) <= 20
    assert body["event"] == "1980-01-01T00:00:00Z"


def test_number_of_seconds_becomes_a_distance_too(run):
    expires = int(dt.datetime.now(dt.UTC).timestamp()) + 1800
    run.call(answer={"created_at": expires, "delete_at": expires * 1000})
    (body,) = run.answers
    assert body["created_at"].endswith('format="unix"}}')
    assert body["delete_at"].endswith('format="epoch"}}')


def calls_of_functions(action):
    """Return how many functions are called."""
    count = 0

    def note(_frame, event, _value):
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


def test_late_call_costs_about_as_much_as_an_early_one(run):
    def call(number):
        person = uuid.UUID(int=number * 7919)
        letters = "".join("bdfgjklmnp"[int(digit)] for digit in f"{number:04d}")
        run.call(
            "POST",
            sent={"first_name": f"{letters}xz".title(), "address": {"street": f"Am {letters}q 7"}},
            answer={"id": str(person), "status": "complete", "reports": [{"result": "clear"}] * 20},
        )

    costs = [calls_of_functions(lambda number=number: call(number)) for number in range(120)]
    assert costs[-1] < 4 * costs[10]
    assert len(run.mappings) == 120
    assert run.recording.left_out == []


def test_earlier_name_that_a_later_call_shows_to_be_private_leaves_the_file(tmp_path):
    run = Run(tmp_path)
    run.call(answer={"zoraida": 1, "status": "complete"})
    run.call(answer={"sanctions": 1})
    assert "zoraida" in run.text
    run.call("POST", sent={"first_name": "Zoraida"}, answer={})
    assert "zoraida" not in run.text.lower()
    assert run.recording.kept == ["sanctions"]
    assert [mapping["request"]["method"] for mapping in run.mappings] == ["GET", "GET", "POST"]


def call_for_an_unknown_endpoint(run):
    run.call("POST", "/v3.6/watchlists", {"kind": "sanctions"}, answer={"monitorings": []})


def test_names_that_the_mock_lacks_stay_and_are_listed(run):
    call_for_an_unknown_endpoint(run)
    assert run.mappings[0]["request"]["urlPathTemplate"] == "/v3.6/watchlists"
    assert run.answers == [{"monitorings": []}]
    assert run.recording.kept == ["monitorings", "watchlists"]
    # A value is none: the user says that those of its field decide.
    assert "sanctions" not in run.text


@pytest.mark.parametrize(
    ("vendor", "name", "private"),
    [
        ("didit", "document_ai_documents", "Ai Weiwei"),
        ("didit", "back_image_camera_front", "Camera"),
        ("onfido", "colour_picture", "Colour"),
        ("persona", "address-subdivision-abbr", "Abbr"),
    ],
)
def test_vendors_field_stays_although_a_private_text_has_its_word(vendor, name, private, tmp_path):
    file = tmp_path / "recording.json"
    recording, host = start_recording(vendor, file)
    body = json.dumps({"first_name": private, name: True}).encode()
    reply = Response(status=200, headers=(("Content-Type", "application/json"),), body=body)
    request = Request.make(method="GET", target="/", headers=[("Host", host)])
    recording.add(vendor, host, request, reply)
    (mapping,) = json.loads(file.read_text())["mappings"]
    assert mapping["response"]["jsonBody"].pop(name) is True
    assert private not in file.read_text()


def test_user_keeps_a_field_and_hides_a_name(tmp_path):
    run = Run(tmp_path, kept_names=["kind"], hidden_names=["monitorings"])
    call_for_an_unknown_endpoint(run)
    assert run.mappings[0]["metadata"]["sent"]["json"] == {"kind": "sanctions"}
    assert "monitorings" not in run.text
    assert run.recording.kept == ["watchlists"]
    assert run.recording.left_out == []


def test_name_that_is_a_value_is_hidden_and_listed_unless_it_is_kept(tmp_path):
    for number, kept_names in enumerate([(), ("customer",)]):
        (tmp_path / str(number)).mkdir()
        run = Run(tmp_path / str(number), kept_names=kept_names)
        run.call("POST", "/v3.6/customer", {"customer": 1, "x": "customer"}, answer={})
        assert run.recording.left_out == []
        assert ("customer" in run.text) is bool(kept_names)
        assert run.recording.hidden == ([] if kept_names else ["customer"])


@pytest.mark.parametrize(
    ("name", "stays"),
    [
        ("face-checks", True),
        ("face_match_v2", True),
        ("photoRef", True),
        ("top10", True),
        ("slow", True),
        ("a1b2c3", False),
        ("xKbQmWpZ", False),
        ("iso31661", False),
        ("deadbeefdeadbeef", False),
        ("report.id", False),
    ],
)
def test_step_of_a_path_stays_if_it_has_the_form_of_a_name(run, name, stays):
    run.call(target=f"/v3.6/{name}/x", answer={name: 1})
    assert (f'"{name}"' in run.text) is stays
    assert (f"/v3.6/{name}/x" in run.text) is stays


def test_calls_that_differ_in_a_hidden_step_alone_answer_their_own_path(run):
    for person in ("QUENNEVILLE", "INGEBORG", "QUENNEVILLE"):
        run.call("GET", f"/v3.6/applicants/{person}", answer={"first_name": person})
    paths = [mapping["request"]["urlPath"] for mapping in run.mappings]
    assert paths[0] == paths[2] != paths[1]
    turns = [mapping.get("requiredScenarioState") for mapping in run.mappings]
    assert turns == ["Started", None, "turn 1"]


def test_equal_requests_are_answered_in_turn(run):
    for status in ("in_progress", "in_progress", "complete"):
        run.call("GET", "/v3.6/applicants?page=1", answer={"status": status})
    states = [
        (mapping["requiredScenarioState"], mapping.get("newScenarioState"))
        for mapping in run.mappings
    ]
    assert states == [("Started", "turn 1"), ("turn 1", "turn 2"), ("turn 2", None)]
    assert len({mapping["scenarioName"] for mapping in run.mappings}) == 1


def test_pictures_are_cards_and_salted_digests(tmp_path):
    digests = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        run = Run(tmp_path / str(number))
        for _ in range(2):
            run.call(**in_form("file"), answer={"url": base64.b64encode(P1).decode()})
        assert run.answers == [{"url": "{{card 'r1'}}"}] * 2
        first, second = run.mappings
        assert first["metadata"]["sent"]["files"][0][1:] == ["r1", ".png"]
        assert first["metadata"]["pictures"] == second["metadata"]["pictures"]
        assert len(first["metadata"]["pictures"]) == 1
        digests.append(first["metadata"]["pictures"])
    assert digests[0] != digests[1]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such mode")
def test_only_the_owner_may_read_a_recording(run):
    run.call(answer={"status": "Approved"})
    assert run.file.stat().st_mode & 0o777 == 0o600


def test_call_that_would_leak_is_left_out_and_said(tmp_path):
    # A mock's source with such a text would be a mistake of ours.
    known = "7d1f2a66-9b1e-4c0e-8d75-3d0a5c6c9e11"
    vocabulary = attrs.evolve(VOCABULARY, texts=VOCABULARY.texts | {known})
    recording = RecordingFile(tmp_path / "recording.json", vocabulary, show_host=lambda _: None)
    for target in ("/v3.6/applicants", f"/v3.6/applicants/{known}"):
        request = Request.make(method="GET", target=target)
        recording.add("onfido", HOST, request, Response(status=204))
    written = (tmp_path / "recording.json").read_text()
    assert known not in written
    assert [m["request"]["urlPathTemplate"] for m in json.loads(written)["mappings"]] == [
        "/v3.6/applicants"
    ]
    (sentence,) = recording.left_out
    assert "Call 2" in sentence
    assert known not in sentence


def test_file_that_exists_is_left_alone_and_failure_to_write_is_said(tmp_path):
    run = Run(tmp_path)
    with pytest.raises(FileExistsError):
        Run(tmp_path)
    run.file.unlink()
    tmp_path.rmdir()
    run.call(answer={"id": "zoraida-4471-quenneville"})  # the program still gets its reply
    (sentence,) = run.recording.left_out
    assert "could not be written" in sentence
    assert "zoraida" not in sentence


def test_call_that_cannot_be_reduced_is_said_and_the_others_are_written(tmp_path):
    def show_host(host):
        if host == "zoraida.test":
            raise ValueError(host)
        return host

    recording = RecordingFile(tmp_path / "recording.json", VOCABULARY, show_host=show_host)
    hrefs = [None, "https://zoraida.test/", None]
    for href in hrefs:
        body = json.dumps({"href": href}).encode()
        headers = (("Content-Type", "application/json"),)
        answer = Response(status=200, headers=headers, body=body)
        request = Request.make(method="GET", target="/v3.6/applicants")
        recording.add("onfido", HOST, request, answer)
    (sentence,) = recording.left_out
    assert "zoraida" not in sentence
    assert len(recording) == 2
    assert len(json.loads(recording.path.read_text())["mappings"]) == 2


def reprs_of(root):
    """Yield the repr of an object and of all objects of this package that it holds."""
    todo = [root]
    seen = set()
    while todo:
        thing = todo.pop()
        # `isinstance` would ask the thing, and some of other packages refuse.
        if id(thing) in seen or issubclass(type(thing), type):
            continue
        seen.add(id(thing))
        if type(thing).__module__.startswith("facematch_mock_server.replies"):
            yield repr(thing)
            todo += [vars(thing)] if hasattr(thing, "__dict__") else []
        if type(thing).__module__.startswith(("facematch_mock_server.replies", "builtins")):
            todo += gc.get_referents(thing)


def test_no_repr_shows_what_was_recorded(run):
    plant(run)
    shown = list(reprs_of(run.recording))
    assert any(text.startswith("CapturedExchange(") for text in shown)
    for private in ("Zoraida", "QUENNEVILLE", "wJ3kQzN8rT", "7d1f2a66"):
        assert not any(private in text for text in shown)
