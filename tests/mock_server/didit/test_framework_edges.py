"""Where the framework's readers stop: the last value that is taken, and the first that is not."""

import itertools
import json

import mock_didit as didit
import pytest
from mock_didit import MATCH, MATCH_THRESHOLD, match, picture, request
from mock_didit_accounts import AUTH, auth, register

from facematch_mock_server.vendors.didit.framework import extension

SINGLE = "/v3/webhook/"
TOO_LONG = ["String value too large."]
BAD_EMAIL = ["Enter a valid email address."]
BAD_URL = ["Enter a valid URL."]
BAD_METADATA = {"metadata": ["Metadata must be a JSON object."]}


def settings(body, edition="2026-03", kind="application/json"):
    """The answer to a change of the single webhook."""
    engine = didit.new_engine(edition=edition)
    return engine.handle(request(SINGLE, body, kind, method="PATCH"))


def changed(**body):
    """The same of a JSON body: status and decoded answer."""
    answer = settings(json.dumps(body).encode())
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("opened", "closed"), [(b'{"a":', b"}"), (b"[", b"]")], ids=["objects", "arrays"]
)
def test_the_depth_of_a_json_body(opened, closed):
    """100 levels, that of the body among them."""
    for levels in (1, 2, 99):
        body = b'{"unknown":' + opened * levels + b"1" + closed * levels + b"}"
        assert settings(body).status == 200, levels
    answer = settings(b'{"unknown":' + opened * 100 + b"1" + closed * 100 + b"}")
    assert answer.status == 400
    assert answer.json() == {"detail": "JSON parse error - nested too deeply"}
    assert "didit.json.deep" in answer.claims


def test_the_depth_of_an_array():
    """Comes before that it is no object."""
    for levels, claim in ((100, False), (101, True)):
        answer = settings(b"[" * levels + b"]" * levels)
        assert (answer.status, "didit.json.deep" in answer.claims) == (400, claim)


def test_a_json_body_that_is_wide_is_not_deep():
    """Levels are counted, not brackets."""
    assert settings(b'{"unknown":[' + b",".join([b"[]"] * 300) + b"]}").status == 200


def test_a_problem_of_a_json_body_that_is_not_its_depth():
    """Has words of its own, and no claim about depth."""
    answer = settings(b'{"a":')
    assert answer.json()["detail"].startswith("JSON parse error - Expecting value: line 1")
    assert "didit.json.deep" not in answer.claims


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_number_of_json_that_is_none(constant):
    """The framework names it."""
    answer = settings(f'{{"unknown":{constant}}}'.encode())
    words = f"JSON parse error - Out of range float values are not JSON compliant: '{constant}'"
    assert (answer.status, answer.json()) == (400, {"detail": words})


@pytest.mark.parametrize(
    ("opened", "closed"), [('{"a":', "}"), ("[", "]")], ids=["objects", "arrays"]
)
def test_the_depth_of_metadata(ask, opened, closed):
    """200 levels, that of the object among them; one that is wide is not deep."""
    fits, deep = ('{"a":' + opened * levels + "1" + closed * levels + "}" for levels in (199, 200))
    assert ask(match(metadata=fits))[0] == 200
    assert ask(match(metadata=deep))[:2] == (400, BAD_METADATA)
    assert ask(match(metadata='{"a":[' + ",".join(["[]"] * 300) + "]}"))[0] == 200
    assert ask(match(metadata='{"a":[' + ",".join(["{}"] * 300) + "]}"))[0] == 200


def test_metadata_may_hold_any_finite_number(ask):
    """Told again as it was."""
    assert ask(match(metadata='{"a":2.5,"b":-1e300}'))[1]["metadata"] == {"a": 2.5, "b": -1e300}


@pytest.mark.parametrize("edition", ["2026-03", "2026-07"])
def test_the_length_of_a_number(ask, edition):
    """1000 characters, of a whole one, too."""
    fits = "0" * 998 + "30"
    assert ask(match(**{MATCH_THRESHOLD: fits}), edition=edition)[0] == 200
    status, body, response = ask(match(**{MATCH_THRESHOLD: "0" + fits}), edition=edition)
    assert (status, body) == (400, {MATCH_THRESHOLD: TOO_LONG})
    assert "didit.number.long" in response.claims


def test_a_long_number_of_json_is_a_number():
    """The length is that of texts."""
    words = changed(data_retention_months=10**1500)[1]["data_retention_months"]
    assert words[0].startswith("Ensure this value is less than or equal to")
    assert changed(data_retention_months="0" * 999 + "5")[0] == 200
    assert changed(data_retention_months="0" * 1000 + "5") == (
        400,
        {"data_retention_months": TOO_LONG},
    )


@pytest.mark.parametrize(
    ("edition", "threshold", "claims"),
    [
        ("2026-07", "100.5", {"didit.threshold.highest"}),
        ("2026-07", "-1", {"didit.threshold.lowest"}),
        ("2026-03", "101", {"didit.threshold.highest"}),
        ("2026-03", "-1", {"didit.threshold.lowest"}),
        ("2026-07", "99", set()),
    ],
)
def test_the_range_that_a_threshold_leaves_is_cited(ask, edition, threshold, claims):
    """By its own claim; one that is inside cites none."""
    cited = ask(match(**{MATCH_THRESHOLD: threshold}), edition=edition)[2].claims
    assert {one for one in cited if one.startswith("didit.threshold.") and "est" in one} == claims


@pytest.mark.parametrize(("word", "claim"), [("yes", "true"), ("no", "false")])
def test_what_is_true_and_what_is_false_are_two_claims(ask, word, claim):
    """Each is cited by what it decides."""
    cited = ask(match(rotate_image=word, save_api_request=word))[2].claims
    both = {"didit.boolean.true", "didit.boolean.false"}
    assert both & set(cited) == {f"didit.boolean.{claim}"}


JSON_BOOLEANS = [
    *((value, True) for value in (True, 1, 1.0, "1", "True")),
    *((value, False) for value in (False, 0, 0.0, "0", "no")),
    *((value, None) for value in (2, -1, 0.5, "1.0", "", [], {}, [1])),
]


@pytest.mark.parametrize(("value", "truth"), JSON_BOOLEANS, ids=repr)
def test_a_boolean_of_json(value, truth):
    """As a number, too."""
    body = {"label": "a", "url": "https://example.com/a", "enabled": value}
    engine = didit.new_engine()
    data = json.dumps(body).encode()
    answer = engine.handle(request("/v3/webhook/destinations/", data, "application/json"))
    if truth is None:
        words = {"enabled": ["Must be a valid boolean."]}
        assert (answer.status, answer.json()) == (400, words)
    else:
        assert (answer.status, answer.json()["enabled"]) == (201, truth)


@pytest.mark.parametrize("value", ["v4", "", " v3", 3, 3.5, True, ["v3"], {"v3": "v3"}, []])
def test_a_choice_that_there_is_not(value):
    """It is told as Python writes it."""
    words = [f'"{value}" is not a valid choice.']
    assert changed(webhook_version=value) == (400, {"webhook_version": words})


def test_a_choice_is_kept():
    """As it was sent."""
    assert changed(webhook_version="v1")[1]["webhook_version"] == "v1"


def test_the_openapi_document_tells_how_to_page(ask):
    """By place or by number: whole numbers, but for ``last``."""
    paths = ask(didit.control("openapi.json"))[1]["paths"]
    known = {one["name"]: one["schema"] for one in paths["/v3/sessions/"]["get"]["parameters"]}
    whole = {"type": "integer"}
    assert (known["limit"], known["offset"], known["page_size"]) == (whole, whole, whole)
    assert known["page"] == {"type": "string"}


@pytest.mark.parametrize(
    ("value", "kind"), [("a", "str"), ({}, "dict"), (7, "int"), (True, "bool")], ids=repr
)
def test_an_array_that_is_none(value, kind):
    """The framework says what it got."""
    body = {"label": "a", "url": "https://example.com/a", "subscribed_events": value}
    data = json.dumps(body).encode()
    answer = didit.new_engine().handle(
        request("/v3/webhook/destinations/", data, "application/json")
    )
    words = [f'Expected a list of items but got type "{kind}".']
    assert (answer.status, answer.json()) == (400, {"subscribed_events": words})


def test_what_is_wrong_in_an_array():
    """Is told by its place."""
    events = ["status.updated", None, {}]
    body = {"label": "a", "url": "https://example.com/a", "subscribed_events": events}
    data = json.dumps(body).encode()
    answer = didit.new_engine().handle(
        request("/v3/webhook/destinations/", data, "application/json")
    )
    words = {"1": ["This field may not be null."], "2": ["Not a valid string."]}
    assert (answer.status, answer.json()) == (400, {"subscribed_events": words})


EMAILS = [
    "a@mailbox.dev",
    "A.B@MAILBOX.DEV",
    "a.b+c@mail.box.dev",
    "!#$%&'*+/=?^_`{}|~-@mailbox.dev",
    '"a\\"b"@mailbox.dev',
    "a@localhost",
    "a@mäilbox.dev",
    "a@[127.0.0.1]",
    "a@[::1]",
    "a@x--y.dev",
    "  a@mailbox.dev\t",
    "a" * 308 + "@mailbox.dev",
    "a@" + "b" * 63 + ".dev",
    "a@b." + "c" * 63,
]
NO_EMAILS = [
    "",
    "a",
    "@mailbox.dev",
    "a@",
    "a@mailbox",
    "a@mailbox.d",
    ".a@mailbox.dev",
    "a.@mailbox.dev",
    "a..b@mailbox.dev",
    "a b@mailbox.dev",
    '"a b"@mailbox.dev',
    "é@mailbox.dev",
    "a@LOCALHOST",
    "\u017f@mailbox.dev",
    "a@-mailbox.dev",
    "a@mailbox-.dev",
    "a@mailbox.de-",
    "a@mailbox..dev",
    "a@[127.0.0.256]",
    "a@[mailbox.dev]",
    "a@[127.0.0.1",
    "a@127.0.0.1]",
    "a@(127.0.0.1)",
    "a@[]",
    '"a"b"@mailbox.dev',
    "a" * 309 + "@mailbox.dev",
    "a@" + "b" * 64 + ".dev",
    "a@b." + "c" * 64,
]


@pytest.mark.parametrize("email", EMAILS)
def test_an_email_address_is_taken(ask, email):
    """By the registration, without the spaces around it."""
    status, body, _ = ask(register(email), switches={"reserved_domains": "accepted"})
    assert (status, body["email"]) == (201, email.strip())


@pytest.mark.parametrize("email", NO_EMAILS)
def test_an_email_address_is_refused(ask, email):
    """In the framework's words."""
    assert ask(register(email))[:2] == (400, {"email": BAD_EMAIL})


@pytest.mark.parametrize("email", [7, 7.5, True, [], {}, ["x" * 10_001]], ids=range(6))
def test_an_email_address_that_is_no_text(ask, email):
    """Numbers are read as texts, and are none; the rest likewise."""
    assert ask(register(email))[:2] == (400, {"email": BAD_EMAIL})


def test_an_email_address_has_all_its_faults(ask):
    """A character that no text may have, and what it makes of the address."""
    words = ["Null characters are not allowed.", *BAD_EMAIL]
    assert ask(register("a\0@mailbox.dev"))[:2] == (400, {"email": words})
    quoted = '"a\ud800"@mailbox.dev'
    words = ["Surrogate characters are not allowed: U+D800.", *BAD_EMAIL]
    assert ask(register(quoted))[:2] == (400, {"email": words})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\ud800", ["Surrogate characters are not allowed: U+D800."]),
        ("\udfff", ["Surrogate characters are not allowed: U+DFFF."]),
        ("\udc00a\ud800\udc00", ["Surrogate characters are not allowed: U+DC00, U+D800."]),
        ("\0", ["Null characters are not allowed."]),
        (
            "\0\udbff" + "x" * 9999,
            [
                "Ensure this field has no more than 10000 characters.",
                "Null characters are not allowed.",
                "Surrogate characters are not allowed: U+DBFF.",
            ],
        ),
    ],
)
def test_the_faults_of_a_text(text, words):
    """All of them, each half of a character once."""
    body = f'{{"capture_method":{json.dumps(text)}}}'.encode()
    answer = settings(body.replace(b"\\ud800\\udc00", b"\\ud800x\\udc00"))
    assert (answer.status, answer.json()) == (400, {"capture_method": words})


@pytest.mark.parametrize("text", ["\ud7ff", "\ue000", "x" * 10_000, "😀"])
def test_a_text_without_faults(text):
    """Up to the limits, too."""
    assert changed(capture_method=text)[0] == 200


def host_of(length):
    """A host of so many characters."""
    whole, rest = divmod(length - 4, 64)
    return ("a" * 63 + ".") * whole + "b" * rest + ".dev"


URLS = [
    "https://example.com",
    "HTTPS://EXAMPLE.COM/A",
    "https://example.com:443/a?b#c",
    "https://example.com:12345",
    "https://example.com?a",
    "https://example.com#a",
    "https://user@example.com/",
    "https://user:word@example.com/",
    "https://exämple.com/",
    "https://EXÄMPLE.COM/",
    "https://example.xn--p1ai/",
    "https://example.рф/",
    "https://example.com./",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]/",
    "https://[::1]/",
    "https://[2606:4700::8.8.8.8]/",
    "https://[2606:4700::1111]:443/a",
    "https://localhost/",
    "https://LOCALHOST/",
    f"https://{host_of(253)}/",
    "https://example.com/" + "a" * 2028,
]
NO_URLS = [
    "example.com",
    "https:/example.com",
    "gopher://example.com/",
    "https://example/",
    "https://-example.com/",
    "https://example-.com/",
    "https://example.-com/",
    "https://example.com-/",
    "https://example.c/",
    "https://example.123/",
    "https://exam_ple.com/",
    "https://example..com/",
    "https://example.com:/",
    "https://example.com:123456/",
    "https://example.com/a b",
    "https://a b.example.com/",
    "https://8.8.8.256/",
    "https://8.8.8/",
    "https://[8.8.8.8]/",
    "https://[2606:4700::1111/",
    "https://2606:4700::1111]/",
    "https://[example.com]/",
    "https://[]/",
    f"https://{'a' * 64}.dev/",
    f"https://{host_of(254)}/",
    "https://example.com/" + "a" * 2029,
]


@pytest.mark.parametrize("url", URLS)
def test_a_web_address_is_taken(url):
    """By the single webhook."""
    status, body = changed(webhook_url=url)
    assert (status, body["webhook_url"]) == (200, url), body


def test_a_host_that_is_named_is_a_web_address():
    """Another container, say, in any case."""
    engine = didit.new_engine(deliver_to=["web"])
    for url, status in (("http://WEB:8000/", 201), ("http://wep:8000/", 400)):
        body = {"label": "a", "url": url, "subscribed_events": ["status.updated"]}
        data = json.dumps(body).encode()
        sent = request("/v3/webhook/destinations/", data, "application/json")
        assert engine.handle(sent).status == status


@pytest.mark.parametrize("url", NO_URLS)
def test_a_web_address_is_refused(url):
    """In the framework's words."""
    assert changed(webhook_url=url) == (400, {"webhook_url": BAD_URL})


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 200),
        ("APPLICATION/JSON", b"{}", 200),
        (" application/json ; a=b", b"{}", 200),
        ("application/*", b"{}", 200),
        ("*/*", b"{}", 200),
        ("text/json", b"{}", 415),
        ("", b"{}", 415),
        (None, b"{}", 415),
        ("text/plain", b"", 200),
        ('application/json; charset="iso-8859-1"', '{"capture_method":"é"}'.encode("latin-1"), 200),
        ("application/json; CHARSET=latin-1", '{"capture_method":"é"}'.encode("latin-1"), 200),
        ("application/json; charset=utf-16", '{"capture_method":"é"}'.encode("utf-16"), 200),
        ("application/json; charset=nobody", '{"capture_method":"é"}'.encode(), 200),
        ("application/json; charset", '{"capture_method":"é"}'.encode(), 200),
        ("application/json; charset*=utf-8''latin-1", '{"capture_method":"é"}'.encode(), 200),
        ("application/json; charset=a\0b", '{"capture_method":"é"}'.encode(), 200),
        ("application/json", '{"capture_method":"é"}'.encode("latin-1"), 400),
        ("application/json; charset=hex", b"{}", 400),
    ],
)
def test_the_content_type_of_a_json_body(kind, body, status):
    """Its charset counts; one that Python does not know is UTF-8."""
    answer = settings(body, kind=kind)
    assert answer.status == status, answer.body
    if status == 415:
        words = f'Unsupported media type "{kind or ""}" in request.'
        assert answer.json() == {"detail": words}
    if kind and kind.endswith("hex"):
        words = 'Unsupported charset "hex" in request Content-Type header.'
        assert answer.json() == {"detail": words}
    if body and len(body) > 2 and status == 200:
        assert answer.json()["capture_method"] == "é"


def test_an_amount_without_end_is_no_number():
    """Python reads one; the vendor's words are those for a text."""
    sent = request("/v3/billing/top-up/", b'{"amount_in_dollars":1e999}', "application/json")
    answer = didit.new_engine().handle(sent)
    assert (answer.status, answer.json()) == (400, ["amount_in_dollars must be a number."])


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_without_end_breaks_nothing(number):
    """Wherever an array or an object may hold one."""
    engine = didit.new_engine()
    known = engine.handle(match()).json()["request_id"]
    for method, path, body in (
        ("PATCH", f"/v3/session/{known}/update-status/", "nodes_to_resubmit"),
        ("POST", "/v3/sessions/delete/", "session_numbers"),
        ("POST", "/v3/webhook/destinations/", "subscribed_events"),
    ):
        for value in (f"[{number}]", f'[{{"node_id":{number}}}]'):
            sent = (
                f'{{"new_status":"Resubmitted","label":"a","url":"https://a.dev","{body}":{value}}}'
            )
            answer = engine.handle(request(path, sent.encode(), "application/json", method=method))
            assert answer.status in (200, 204, 400), (path, answer.body)
    assert engine.handle(request(f"/v3/session/{known}/decision/", method="GET")).status == 200


def test_half_a_character_at_the_end_of_a_json_body_is_left_away():
    """As a stream is read."""
    assert settings(b"{}\xc3").status == 200


def test_an_empty_json_body_is_an_empty_object():
    """And cites that."""
    answer = settings(b"")
    assert answer.status == 200
    assert "didit.json.empty" in answer.claims
    assert "didit.json.empty" not in settings(b"{}").claims


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"null", "No data provided"),
        (b"[]", "Invalid data. Expected a dictionary, but got list."),
        (b'"a"', "Invalid data. Expected a dictionary, but got str."),
        (b"7", "Invalid data. Expected a dictionary, but got int."),
    ],
)
def test_a_json_body_that_is_no_object(body, said):
    """The framework says what it got."""
    answer = didit.new_engine().handle(request(f"{AUTH}login/", body, "application/json", key=None))
    assert (answer.status, answer.json()) == (400, {"non_field_errors": [said]})


def test_null_and_what_is_missing(ask):
    """Some fields may be null, none that is there has its default; all errors come together."""
    assert changed(capture_method=None)[1]["capture_method"] is None
    null, required = "This field may not be null.", "This field is required."
    assert changed(webhook_version=None, rotate_secret_key=None) == (
        400,
        {"webhook_version": [null], "rotate_secret_key": [null]},
    )
    assert ask(auth("login", email=None))[1] == {"email": [null], "password": [required]}
    assert ask(auth("login", email="a", password=7, unknown=None))[1] == {"email": BAD_EMAIL}


def test_words_of_the_caller_that_are_too_long(ask):
    """They have a limit of their own."""
    claims = ask(match(vendor_data="x" * 10_001))[2].claims
    assert "didit.vendor_data.longest" in claims
    assert "didit.given.longest" not in claims


def test_empty_words_of_the_caller_are_no_empty_number(ask):
    """They have claims of their own."""
    response = ask(form(*GOOD, fields=[("vendor_data", ""), ("metadata", "")]))[2]
    assert {"didit.vendor_data.empty", "didit.metadata.empty"} <= set(response.claims)
    assert "didit.number.empty" not in response.claims


def test_numbers_are_taken_for_texts(ask):
    """But neither true nor an array."""
    assert changed(capture_method=7)[1]["capture_method"] == "7"
    assert changed(capture_method=7.5)[1]["capture_method"] == "7.5"
    for value in (True, False, [], {}):
        assert changed(capture_method=value) == (400, {"capture_method": ["Not a valid string."]})
    assert ask(auth("verify-email", email="a@mailbox.dev", code=True))[1] == {
        "code": ["Not a valid string."]
    }


# Forms

GOOD = [("user_image", "a.jpg", picture()), ("ref_image", "b.png", picture())]


def form(*files, fields=(), path=MATCH, key="mock-live-key"):
    """A request with these files (field, name, bytes) and fields."""
    return request(path, *didit.multipart(fields, files), key=key)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("rotate_image", "Must be a valid boolean."),
        (MATCH_THRESHOLD, "A valid number is required."),
        ("vendor_data", "Not a valid string."),
        ("metadata", "Metadata must be a JSON object."),
    ],
)
def test_a_file_where_a_value_belongs(ask, field, words):
    """The framework sees files after texts: a good text beside it is of no use."""
    text = {"rotate_image": "true", "metadata": "{}"}.get(field, "7")
    sent = form(*GOOD, (field, "a.jpg", b"7"), fields=[(field, text)])
    assert ask(sent)[:2] == (400, {field: [words]})


@pytest.mark.parametrize("field", ["rotate_image", MATCH_THRESHOLD])
def test_a_field_that_is_empty_counts_as_missing(ask, field):
    """A number, a boolean; the answer cites that, and others do not."""
    empty, without = (ask(form(*GOOD, fields=more)) for more in ([(field, "")], []))
    assert (empty[0], without[0]) == (200, 200)
    assert "didit.number.empty" in empty[2].claims
    assert "didit.number.empty" not in without[2].claims


def test_of_several_texts_the_last_is_the_empty_one_or_not(ask):
    """Whatever came before it."""
    empty = form(*GOOD, fields=[(MATCH_THRESHOLD, "101"), (MATCH_THRESHOLD, "")])
    assert ask(empty)[0] == 200
    high = form(*GOOD, fields=[(MATCH_THRESHOLD, ""), (MATCH_THRESHOLD, "101")])
    assert ask(high)[0] == 400


def test_of_several_files_the_last_counts(ask):
    """As of several texts, and the answer cites that."""
    several = form(("user_image", "a.txt", b"x"), *GOOD)
    status, _, response = ask(several)
    assert status == 200
    assert "didit.form.last_wins" in response.claims
    texts = ask(form(*GOOD, fields=[("vendor_data", "a"), ("vendor_data", "b")]))
    assert "didit.form.last_wins" in texts[2].claims
    assert "didit.form.last_wins" not in ask(form(*GOOD))[2].claims


def test_what_every_form_cites(ask):
    """All errors together, unknown fields ignored."""
    claims = set(ask(form(*GOOD))[2].claims)
    assert {"didit.fields.together", "didit.fields.unknown_ignored"} <= claims
    others = {"file.extension_case", "file.extensions", "file.size_limit", "file.all_faults"}
    assert not {f"didit.{name}" for name in others} & claims


@pytest.mark.parametrize(
    ("name", "size", "cited"),
    [
        ("a.JPG", 0, {"extension_case"}),
        ("a.gif", 0, {"extensions", "bad_extension"}),
        ("a.jpg", 5_242_881, {"size_limit", "too_large"}),
        (
            "a.gif",
            5_242_881,
            {"extensions", "bad_extension", "size_limit", "too_large", "all_faults"},
        ),
        ("a", 0, {"extensions", "bad_extension"}),
    ],
)
def test_what_a_file_cites(ask, name, size, cited):
    """Each rule that it meets, and no other."""
    data = picture().ljust(size)
    claims = ask(form(("user_image", name, data), GOOD[1]))[2].claims
    assert {one for one in claims if one.startswith("didit.file.")} == {
        f"didit.file.{one}" for one in cited
    }


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.b", "b"), ("a.b.C", "C"), (".b", ""), ("a.", ""), ("a", ""), ("", ""), ("a.b.", "")],
)
def test_the_extension_of_a_name(name, suffix):
    """Without its dot, as it stands."""
    assert extension(name) == suffix


# Pages

PAGED = {
    "bad_number": ["limit=x", "limit=0", "offset=-1", "offset=x"],
    "sorted": ["limit=1", "offset=1", "limit=2&offset=1"],
    "first_bare": ["offset=1", "limit=2&offset=1"],
}


@pytest.mark.parametrize("query", ["", "limit=3", *dict.fromkeys(itertools.chain(*PAGED.values()))])
def test_what_a_page_cites(query):
    """Each rule that it meets, and no other."""
    engine = three("2026-07")
    claims = engine.handle(request(f"/v3/sessions/?{query}", method="GET")).claims
    for name, queries in PAGED.items():
        assert (f"didit.page.{name}" in claims) == (query in queries), name


def three(edition):
    """A world with three sessions."""
    engine = didit.new_engine(edition=edition)
    for _ in range(3):
        engine.handle(match())
    return engine


def page(edition, query):
    """Numbers of the sessions on it, what follows and what goes before, claims."""
    answer = three(edition).handle(request(f"/v3/sessions/?{query}", method="GET"))
    body = answer.json()
    ends = (one and one.partition("?")[2] for one in (body["next"], body["previous"]))
    return [one["session_number"] for one in body["results"]], *ends, answer.claims


@pytest.mark.parametrize(
    ("query", "numbers", "following", "preceding"),
    [
        ("limit=3", [3, 2, 1], None, None),
        ("limit=2", [3, 2], "limit=2&offset=2", None),
        ("limit=1&offset=1", [2], "limit=1&offset=2", "limit=1"),
        ("limit=1&offset=2", [1], None, "limit=1&offset=1"),
        ("limit=2&offset=1", [2, 1], None, "limit=2"),
        ("limit=1&offset=3", [], None, "limit=1&offset=2"),
        ("offset=0&limit=1&a=&b=2&b=1", [3], "a=&b=2&b=1&limit=1&offset=1", None),
    ],
)
def test_pages_by_their_place(query, numbers, following, preceding):
    """The last one follows nothing, the first has no place."""
    assert page("2026-07", query)[:3] == (numbers, following, preceding)


@pytest.mark.parametrize(
    ("query", "numbers", "following", "preceding"),
    [
        ("page_size=1", [3], "page=2&page_size=1", None),
        ("page=2&page_size=1", [2], "page=3&page_size=1", "page_size=1"),
        ("page=3&page_size=1", [1], None, "page=2&page_size=1"),
        ("page=last&page_size=2", [1], None, "page_size=2"),
        ("page=1", [3, 2, 1], None, None),
        ("page=&page_size=3", [3, 2, 1], None, None),
        ("page_size=0&page=1", [3, 2, 1], None, None),
        ("page=2&page_size=2&limit=1", [1], None, "limit=1&page_size=2"),
    ],
)
def test_pages_by_their_number(query, numbers, following, preceding):
    """In March; ``last`` is cited, and that the first has no number."""
    found = page("2026-03", query)
    assert found[:3] == (numbers, following, preceding)
    assert ("didit.page.last" in found[3]) == ("last" in query)
    assert ("didit.page.first_bare" in found[3]) == (preceding is not None)


def test_the_only_page_of_nothing():
    """There is a first one, and no second."""
    engine = didit.new_engine(edition="2026-03")
    one, two = (
        engine.handle(request(f"/v3/sessions/?page={number}", method="GET")) for number in (1, 2)
    )
    assert (one.status, one.json()["results"], two.status) == (200, [], 404)


# Other methods


@pytest.mark.parametrize(
    ("path", "name", "parses", "allow"),
    [
        (
            MATCH,
            "Face Match",
            ["multipart/form-data", "application/x-www-form-urlencoded"],
            "POST, OPTIONS",
        ),
        ("/v3/sessions/", "Sessions", ["application/json"], "GET, HEAD, OPTIONS"),
        (
            "/v3/webhook/destinations/",
            "Destinations",
            ["application/json"],
            "GET, POST, HEAD, OPTIONS",
        ),
        (
            "/v3/webhook/destinations/00000000-0000-4000-8000-000000000000/",
            "Destinations",
            ["application/json"],
            "GET, PATCH, DELETE, HEAD, OPTIONS",
        ),
    ],
)
def test_what_options_say(ask, path, name, parses, allow):
    """Word for word."""
    status, body, response = ask(request(path, method="OPTIONS"))
    assert (status, response.header("Allow")) == (200, allow)
    assert body == {
        "name": name,
        "description": "",
        "renders": ["application/json"],
        "parses": parses,
    }


def test_rules_that_are_not_met_are_not_cited(ask):
    """One text is no several, and a place of 0 is none that is wrong."""
    assert "didit.form.last_wins" not in ask(match(vendor_data="a"))[2].claims
    assert "didit.page.bad_number" not in page("2026-07", "offset=0")[3]
