"""What Django REST framework answers in Didit's place is what the mock answers."""

import attrs
import pytest

from .asking import (
    KEY,
    LIVENESS,
    MULTIPART,
    NOWHERE,
    Oracle,
    Sent,
    as_json,
    form,
    framework,
    match,
    part,
    picture,
    post,
)


@pytest.fixture(scope="module")
def oracle():
    with framework() as (app, client):
        yield Oracle(app, client)


DECISION = "/v3/session/{session}/decision/"
UPDATE = "/v3/session/{session}/update-status/"
DELETE = "/v3/session/{session}/delete/"
SESSIONS = "/v3/sessions/"
THRESHOLD = "face_match_score_decline_threshold"
NO_OBJECT = "Invalid data. Expected a dictionary, but got list."
WRONG = "File extension “txt” is not allowed. Allowed extensions are: tiff, jpg, jpeg, png, webp."
LARGE = "File size should not exceed 5 MB"
LIMIT = 5 * 1024 * 1024
KEYED = (("x-api-key", KEY),)


def request_of(method, target, headers=KEYED, body=b"", **more):
    return Sent(method, target, body, headers, **more)


def with_file(content, name):
    return post(form([part("user_image", content, name)]), LIVENESS)


#: What both say: the comparison compares something.
AGREED = [
    (post(match()), 200, None),
    (with_file(picture().ljust(LIMIT, b"x"), "a.png"), 200, None),
    (with_file(picture().ljust(LIMIT + 1, b"x"), "a.txt"), 400, {"user_image": [WRONG, LARGE]}),
    (request_of("GET", DECISION), 200, None),
    (request_of("GET", DECISION.format(session=NOWHERE)), 404, {"detail": "Not found."}),
    (as_json("PATCH", UPDATE, []), 400, {"non_field_errors": [NO_OBJECT]}),
]


@pytest.mark.parametrize(("sent", "status", "body"), AGREED, ids=range(len(AGREED)))
def test_the_framework_and_the_mock_both_say_this(oracle, sent, status, body):
    for answer in oracle.ask(sent):
        assert answer.status == status
        assert body in (None, answer.body)


#: The values of each field of a form that are tried: what fits, and what clients get wrong.
VALUES = {
    THRESHOLD: (
        *("", "0", "100", "30.0", "49.99", "50", "1e1", " 5 ", "+5", "05"),
        *("101", "-1", "100.01", "-0.01", "x", "30,5", "nan", "inf", "-Infinity", "0x10", "null"),
        *("41.5", "\u0661", "1_0", "\u00b2", "1e999", "--1"),
    ),
    "rotate_image": (
        *("t", "Y", "yes", "True", "TRUE", "on", "1", "f", "N", "no", "False", "FALSE", "off"),
        *("0", "", "2", "maybe", " true", "null", "1.0"),
    ),
    "save_api_request": ("true", "false", "", "never"),
    "vendor_data": (
        *(" emp-0042\t", "", "   ", "\u00e9", "a\0b"),
        *("x" * length for length in (10_000, 10_001)),
    ),
    "metadata": (
        *("{}", '{"a": [1, 2.5, null, "\u00e9"]}', '{"a": {"b": true}}', ""),
        *("[]", "1", "null", "x", "{", '{"a": NaN}', '"{}"'),
        *('{"a":"%s"}' % ("x" * (length - 8)) for length in (50_000, 50_001)),
    ),
    "unheard_of": ("1",),
}
TWO = [part("user_image", picture(), "a.png"), part("ref_image", picture(), "b.png")]
NAMES = (
    *("a.jpg", "A.PNG", "a.webp", "a.jpeg", "a.tiff", "x/y.png", "x\\y.jpeg", "a b.png"),
    *("a.tif", "a.txt", "a.TXT", "a", ".jpg", "a.", "a.jpg.exe", "", ".."),
)
FORMS = {
    **{
        f"{name} {value[:12]!r} of {len(value)} in {edition}": post(
            match({name: value}), edition=edition
        )
        for name, values in VALUES.items()
        for value in values
        for edition in (["2026-07", "2026-03"] if name == THRESHOLD else ["2026-07"])
    },
    **{f"a file called {name!r}": with_file(picture(), name) for name in NAMES},
    "no bytes": with_file(b"", "a.png"),
    "no bytes and a wrong name": with_file(b"", "a.txt"),
    "one file is missing": post(form(TWO[:1])),
    "the other one is missing": post(form(TWO[1:])),
    "nothing": post(form([])),
    "a text where a file belongs": post(form([part("user_image", "x"), TWO[1]])),
    "a file where a number belongs": post(form([*TWO, part(THRESHOLD, b"7", "a.txt")])),
    "a file where a boolean belongs": post(form([*TWO, part("rotate_image", b"1", "a.txt")])),
    "a file where a text belongs": post(form([*TWO, part("vendor_data", b"x", "a.txt")])),
    "a file where JSON belongs": post(form([*TWO, part("metadata", b"{}", "a.json")])),
    "two texts of a name": post(match({}, part(THRESHOLD, "101"), part(THRESHOLD, "7"))),
    "the last is empty": post(match({}, part(THRESHOLD, "101"), part(THRESHOLD, ""))),
    "the first is empty": post(match({}, part(THRESHOLD, ""), part(THRESHOLD, "101"))),
    "two files of a name": post(form([part("user_image", b"x", "a.txt"), *TWO])),
    "all is wrong": post(form([part(THRESHOLD, "x"), part("metadata", "1")])),
    "text before the form": post(b"preamble\r\n" + match()),
    "text after the form": post(match() + b"epilogue"),
    "a form that breaks off": post(match()[:-20]),
    "no form in the body": post(b"no form at all"),
    "nothing in the body": post(b""),
    "no boundary": post(match(), kind="multipart/form-data"),
    "an empty boundary": post(match(), kind="multipart/form-data; boundary="),
    "a quoted boundary": post(match(), kind=MULTIPART.replace("=", '="') + '"'),
    "a charset beside the boundary": post(match(), kind=MULTIPART + "; charset=utf-8"),
    "a urlencoded form": post(
        b"user_image=x&rotate_image=maybe", kind="application/x-www-form-urlencoded"
    ),
    **{
        f"a form that says {kind!r}": post(match(), kind=kind)
        for kind in ("application/json", "text/plain", "image/png", "")
    },
}


BODIES = {
    "nothing": b"",
    "white space": b" ",
    "half an object": b"{",
    "a comma too many": b'{"new_status":"Approved",}',
    "single quotes": b"{'new_status':'Declined'}",
    "no UTF-8": b'{"comment":"\xe4"}',
    "a mark of the order of bytes": b"\xef\xbb\xbf{}",
    "NaN": b'{"new_status":NaN}',
    "null": None,
    "a list": [],
    "a text": "Approved",
    "a number": 7,
    "no field": {},
    "a field that is null": {"new_status": None},
    "a status": {"new_status": "Approved"},
    "a status twice": b'{"new_status":"Approved","new_status":"x"}',
    "an unknown field": {"new_status": "Approved", "unheard_of": 1},
    **{
        f"a status {value!r}": {"new_status": value}
        for value in ("", "declined", "Bogus", "In Review", "Declined", 7, True, ["Declined"], {})
    },
    **{
        f"a comment {value!r:.12}": {"new_status": "Approved", "comment": value}
        for value in (None, "", "  x ", 7, 7.5, True, [], {}, "a\0", "x" * 10_001)
    },
    **{
        f"nodes {value!r}": {"new_status": "Approved", "nodes_to_resubmit": value}
        for value in ([], "a", 7, {})
    },
    **{
        f"a flag {value!r}": {"new_status": "Approved", "send_email": value}
        for value in (
            *(False, 0, 0.0, "0", "no", "Off", "f", "maybe", "", None, [], {}, 2, -1, 0.5, "1.0"),
            # True asks for an address.
            *(True, 1, 1.0, "1", "True", "yes", "ON", "t", "y"),
        )
    },
    **{
        f"an address {value!r}": {"new_status": "Approved", "email_address": value}
        for value in (
            *("a@mailbox.dev", "A.B+c@MAIL.box.dev", " a@mailbox.dev ", "", None),
            *("a", "@mailbox.dev", "a@", "a@mailbox", "a@mailbox.d", "a b@mailbox.dev"),
            *("a..b@mailbox.dev", ".a@mailbox.dev", "a@@mailbox.dev", "a@mailbox..dev"),
            *("a@-mailbox.dev", "a@mailbox.123", "a@mail_box.dev", "a@m\u00e4ilbox.dev"),
            *("\u00e9@mailbox.dev", "!#$%&'*+/=?^_`{}|~-@mailbox.dev", "a@b.xn--p1ai"),
            *(7, True, [], {}, "a\0@mailbox.dev"),
            *("a" * 308 + "@mailbox.dev", "a" * 309 + "@mailbox.dev"),
            *("a@" + "b" * 63 + ".dev", "a@" + "b" * 64 + ".dev"),
            *("a@b." + "c" * 63, "a@b." + "c" * 64),
        )
    },
    "an e-mail without an address": {"new_status": "Approved", "send_email": True},
    "several mistakes": {"comment": [], "send_email": "x", "email_address": "x"},
}
DAYS = (
    *(1, 3650, "30", " 30 ", 30.0, "30.0", "30.", "30.000", "030", "+30", "3_0"),
    *(0, 3651, -1, 1.5, "1.5", "x", "", "3e1", "0x1e", "30,0", "3.0.0", True, [], [5], {}, None),
)
JSON = {
    **{name: as_json("PATCH", UPDATE, body) for name, body in BODIES.items()},
    **{
        f"{value!r} days": as_json("DELETE", DELETE, {"face_retention_days": value})
        for value in DAYS
    },
    **{
        f"faces are kept: {value!r}": as_json("DELETE", DELETE, {"retain_face_embeddings": value})
        for value in (True, "false", "maybe", 7, None, [])
    },
    **{
        f"JSON that says {kind!r}": request_of(
            "PATCH", UPDATE, (*KEYED, ("Content-Type", kind)), b'{"new_status":"Approved"}'
        )
        for kind in ("application/json; charset=utf-8", "APPLICATION/JSON", "text/plain", "")
    },
    "JSON that says nothing": request_of("PATCH", UPDATE, body=b'{"new_status":"Approved"}'),
}

QUERIES = (
    *("", "limit=3", "limit=2&offset=1", "limit=2&offset=6", "limit=1&offset=9", "offset=7"),
    *("limit=1&a=&b=2&b=1", "offset=0&limit=1", "limit=2&offset=2", "limit=2&offset=3", "limit=1"),
    *("limit=0", "limit=-1", "limit=x", "limit=", "offset=-1", "offset=x", "limit=1.5"),
    *("status=Approved", "status=Declined", "status=Approved,Declined", "status=approved"),
    *("vendor_data=p1", "vendor_data=%20p1%20", "vendor_data=P1", "vendor_data="),
    *("date_from=2026-07-02", "date_from=2026-07-03", "date_to=2026-07-01", "date_to=2026-7-2"),
    *("date_from=2026-02-30", "date_to=yesterday", "date_from=20260702", "vendor_data=a%00"),
    *("api_service=FACE_MATCH", "api_service=AML", "api_service=face_match", "api_service=FOO"),
    *("unheard_of=1", "limit=1&unheard_of=%C3%A9&b=2&b=1", "date_to=x&api_service=FOO"),
)
NUMBERED = (
    *("page=1", "page=2&page_size=2", "page=4&page_size=2", "page=last&page_size=3", "page=9"),
    *("page_size=1", "page=2&page_size=1", "page=3&page_size=1", "page=7&page_size=1", "limit=2"),
    *("page=0", "page=x", "page=", "page_size=0&page=1", "page=2&page_size=2&limit=1"),
)
LISTS = {
    **{f"?{query}": request_of("GET", f"{SESSIONS}?{query}") for query in QUERIES},
    **{
        f"?{query}": request_of("GET", f"{SESSIONS}?{query}", edition="2026-03")
        for query in NUMBERED
    },
}

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
STRANGERS = {"without a key": (), "with a wrong key": (("x-api-key", "wrong"),)}
DOORS = {
    **{
        f"{method} {target}": request_of(method, target)
        for method in METHODS
        for target in ("/v3/face-match/", SESSIONS, DECISION)
    },
    **{
        f"{target} {who} in {edition}": request_of(method, target, headers, edition=edition)
        for method, target in (("POST", LIVENESS), ("GET", SESSIONS), ("GET", DECISION))
        for who, headers in STRANGERS.items()
        for edition in ("2026-07", "2026-11")
    },
    **{
        f"GET {target}": request_of("GET", target)
        for target in (
            *("/v3/face-match", "/v3/sessions?limit=1", DECISION[:-1], "/v3/x/", "/v3/"),
            *("/v3/FACE-match/", DECISION.format(session="x"), DECISION.format(session=NOWHERE)),
            DECISION.format(session=NOWHERE.replace("-", "")),
        )
    },
}


@pytest.mark.parametrize(
    "rows", [FORMS, JSON, LISTS, DOORS], ids=["forms", "JSON", "lists", "doors"]
)
def test_the_mock_answers_as_the_framework_does(oracle, rows):
    differ = []
    for name, sent in rows.items():
        expected, answer = map(attrs.asdict, oracle.ask(sent))
        if repr(expected) != repr(answer):
            differ.append((name, expected, answer))
    assert differ == []
