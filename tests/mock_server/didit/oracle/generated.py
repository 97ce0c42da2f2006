"""Requests as people and programs make them, and as they make them wrong."""

import json
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from .asking import KEY, LIVENESS, MULTIPART, NOWHERE, Sent, as_json, form, part, picture, post

ODD = st.sampled_from(
    [
        *("", " ", "x", "0", "1", "-1", "null", "None", "nan", "inf", "-Infinity", "1e400", "1e2"),
        *("0x1p3", "0x10", "1_0", "\u0663", "\uff11\uff10", " 5 ", "5.", "5.0", "5.5", "+5", "--5"),
        *("true", "True", "tRuE", "YES", "oN", "off", " true", "t", "1.0", "\u0130", "\0", "a\0b"),
        *("\u00e9", "\u2028", "\ufeffx", "\x1cx", "a" * 300, "9" * 1001, "<&>\"'", "%00", "{}"),
    ]
)
TEXTS = ODD | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.one_of(
    st.integers(-5, 130), st.floats(), st.floats(-5, 130), st.integers(), st.just(50)
).map(str)
FLAGS = st.sampled_from(["true", "false", "True", "FALSE", "1", "0", "yes", "No", "on", "off"])

# --- forms ------------------------------------------------------------------------------------

OBJECTS = st.dictionaries(
    st.text(max_size=3),
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    max_size=2,
).map(json.dumps)
FILE_NAMES = st.sampled_from(
    [
        *("a.jpg", "a.png", "A.PNG", "a.webp", "a.tiff", "a.tif", "a.txt", "a.TXT", "a", ".jpg"),
        *(
            "a.",
            "a.jpg.exe",
            "x/y.png",
            "x\\y.jpeg",
            "a&#46;jpg",
            ".",
            "..",
            "",
            "a.jpg ",
            "a b.png",
        ),
    ]
)
PATHS = {
    "/v3/face-match/": ("user_image", "ref_image", "face_match_score_decline_threshold"),
    LIVENESS: ("user_image", "face_liveness_score_decline_threshold"),
}
SHARED = ("rotate_image", "save_api_request", "vendor_data", "metadata")


def values_of(name):
    """Texts for a field of a form."""
    fitting = {"metadata": OBJECTS, "vendor_data": st.just("emp-0042")}.get(name, NUMBERS)
    if name in ("rotate_image", "save_api_request"):
        fitting = FLAGS
    return fitting | TEXTS


@st.composite
def parts(draw, name):
    """One part: what belongs there most of the time."""
    is_picture = name in ("user_image", "ref_image")
    if draw(st.integers(0, 9)) == 0:
        is_picture = not is_picture
    if not is_picture:
        return part(name, draw(values_of(name)))
    content = b"" if draw(st.integers(0, 5)) == 0 else picture()
    return part(name, content, draw(FILE_NAMES | st.just("a.png")))


KINDS = st.sampled_from(
    [
        *(MULTIPART.replace("=", '="') + '"', MULTIPART.upper(), MULTIPART + ";", "text/plain"),
        *("multipart/form-data", "multipart/form-data; boundary=", "application/json", ""),
        *(MULTIPART + "; charset=utf-8", "multipart/mixed; boundary=x", "image/png", "form-data"),
    ]
)
HARMS = {
    "preamble": lambda body: b"preamble\r\n" + body,
    "epilogue": lambda body: body[:-2] + b"epilogue" + body,
    "doubled": lambda body: body + body,
    "no name": lambda body: body.replace(b"; name=", b"; nome="),
    "no quotes": lambda body: body.replace(b'name="user_image"', b"name=user_image"),
    "no disposition": lambda body: body.replace(b"Content-Disposition", b"Disposition"),
    "no colon": lambda body: body.replace(b"Disposition: ", b"Disposition "),
    "one hyphen": lambda body: body.replace(b"--6f1d", b"-6f1d"),
    "other case": lambda body: body.replace(b"Content-Disposition", b"CONTENT-disposition"),
    "only an end": lambda body: body[body.rindex(b"--6f1d") :],
}


@st.composite
def forms(draw):
    """A form for one of the endpoints for pictures."""
    path = draw(st.sampled_from(list(PATHS)))
    edition = draw(st.sampled_from(["2026-07", "2026-07", "2026-03", "2026-11"]))
    own = PATHS[path]
    files = [name for name in own if name.endswith("_image")]
    made = [
        part(name, picture(), "a.png") if draw(st.integers(0, 5)) else draw(parts(name))
        for name in files
        if draw(st.integers(0, 9))
    ]
    others = draw(st.lists(st.sampled_from([*own, *SHARED, "unheard_of"]), max_size=4))
    made += [draw(parts(name)) for name in others]
    body, kind = form(draw(st.permutations(made))), MULTIPART
    if draw(st.integers(0, 6)) == 0:
        kind = draw(KINDS)
    elif draw(st.integers(0, 6)) == 0:
        body = HARMS[draw(st.sampled_from(list(HARMS)))](body)
    elif draw(st.integers(0, 9)) == 0:
        pairs = [(name, draw(values_of(name))) for name in others]
        body, kind = urlencode(pairs).encode(), "application/x-www-form-urlencoded"
    return post(body, path, kind, edition=edition)


# --- JSON -------------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 4000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-3, 130).map(float),
    ODD,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
STATUSES = st.sampled_from(["Approved", "Declined", "Resubmitted", "In Review", "Expired", "Bogus"])
EMAILS = st.sampled_from(
    [
        *("a@b.de", " a@b.de ", "a@b.c", "a@localhost", "x", "a b@c.de", "a@b_c.de", '"a b"@c.de'),
        *(
            "a@[127.0.0.1]",
            "\u00e4@b.de",
            "a@\u00e4.de",
            "a..b@c.de",
            "a@b.123",
            "a@@b.de",
            "@b.de",
        ),
    ]
)
UPDATE = {
    "new_status": STATUSES,
    "comment": TEXTS,
    "nodes_to_resubmit": st.just([]) | st.lists(st.none(), max_size=1),
    "send_email": st.booleans() | FLAGS,
    "email_address": EMAILS,
    "email_language": st.just("de"),
}
DELETION = {
    "retain_face_embeddings": st.booleans() | FLAGS,
    "face_retention_days": st.integers(-1, 4000) | NUMBERS,
}
#: Method, target, fields, those that are sent almost always, edition.
BODIES = (
    ("PATCH", "/v3/session/{session}/update-status/", UPDATE, ["new_status"], "2026-07"),
    ("DELETE", "/v3/session/{session}/delete/", DELETION, [], "2026-11"),
)
MALFORMED = st.sampled_from(
    [
        *(b"", b" ", b"{", b"{}x", b"\xff", b'{"a":\xe4}', b"\xef\xbb\xbf{}", b"NaN", b"[1,]"),
        *(b"{'a':1}", b"\0", b'{"a":Infinity}', b'{"a":1e999}', b'{"a":"\x01"}', b"nul", b'"'),
        *(b'{"a":%b}' % (b"9" * 5000), b'{"new_status":"Declined","new_status":"x"}', b"-"),
    ]
) | st.binary(max_size=6)


@st.composite
def json_bodies(draw):
    """A JSON body for one of the endpoints that take one."""
    method, target, fields, usual, edition = draw(st.sampled_from(BODIES))
    kind = draw(st.integers(0, 9))
    if kind == 0:
        value = draw(MALFORMED | VALUES)
    else:
        names = draw(st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=3))
        names += [one for one in usual if one not in names and draw(st.integers(0, 9))]
        value = {one: draw(fields[one] if draw(st.integers(0, 2)) else VALUES) for one in names}
        if kind == 1:
            value["unheard_of"] = draw(VALUES)
    return as_json(method, target, value, edition=edition)


# --- lists ------------------------------------------------------------------------------------

QUERIES = {
    "limit": NUMBERS,
    "offset": NUMBERS,
    "session_kind": st.sampled_from(["user", "business", "all", "USER"]),
    "status": st.sampled_from(["Approved", "Declined", "Approved,Declined", "approved", "x,y"]),
    "vendor_data": st.sampled_from(["p1", " p1 ", "P1", "p"]),
    "date_from": st.dates().map(str) | st.sampled_from(["2026-07-02", "2026-7-2", "2026-02-30"]),
    "date_to": st.dates().map(str) | st.sampled_from(["2026-07-02", " 2026-07-02", "20260702"]),
    "session_type": st.sampled_from(["API", "HOSTED", "MIGRATED", "ALL", "api"]),
    "api_service": st.sampled_from(["FACE_MATCH", "AML", "face_match", "FOO"]),
    "didit_internal_id": st.uuids().map(str) | st.uuids().map(lambda one: one.hex.upper()),
    "unheard_of": TEXTS,
}
PAGES = {
    "page": st.sampled_from(["1", "2", "3", "last", "LAST", "0"]) | NUMBERS,
    "page_size": st.integers(0, 9).map(str) | NUMBERS,
}


@st.composite
def lists(draw):
    """A list of sessions."""
    edition = draw(st.sampled_from(["2026-07", "2026-03"]))
    known = {**QUERIES, **PAGES} if edition == "2026-03" else QUERIES
    names = draw(st.lists(st.sampled_from(sorted(known)), max_size=4))
    pairs = [(name, draw(known[name] if draw(st.integers(0, 3)) else TEXTS)) for name in names]
    query = (
        urlencode(pairs) if draw(st.booleans()) else "&".join(f"{n}={quote(v)}" for n, v in pairs)
    )
    return Sent("GET", f"/v3/sessions/?{query}", headers=(("x-api-key", KEY),), edition=edition)


# --- doors ------------------------------------------------------------------------------------

TARGETS = (
    *PATHS,
    "/v3/sessions/",
    *(
        template.format(one)
        for template in (
            "/v3/session/{}/decision/",
            "/v3/session/{}/update-status/",
            "/v3/session/{}/delete/",
        )
        for one in ("{session}", NOWHERE, "x", NOWHERE.replace("-", ""))
    ),
    *("/v3/x/", "/v3/", "/v3/face-match//", "/v3/FACE-match/"),
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO")
ACCEPTED = ("*/*", "application/json", "text/html", "application/*;q=0.5", "text/html, */*", "x")
TYPES = ("application/json", "text/plain", "", MULTIPART, "application/json; charset=utf-8", "json")


@st.composite
def doors(draw):
    """Any method at any path, with any key."""
    target = draw(st.sampled_from(TARGETS))
    if draw(st.integers(0, 5)) == 0:
        target = target[:-1]
    target += draw(st.sampled_from(["", "", "", "?a=b", "?format=json", "?format=xml"]))
    key = draw(st.sampled_from([KEY] * 4 + ["wrong", "", None]))
    headers = [] if key is None else [("x-api-key", key)]
    if draw(st.booleans()):
        headers.append(("Accept", draw(st.sampled_from(ACCEPTED))))
    body = b""
    if draw(st.integers(0, 2)) == 0:
        body = draw(st.sampled_from([b"{}", b"x", b"[1]"]))
        headers.append(("Content-Type", draw(st.sampled_from(TYPES))))
    return Sent(draw(st.sampled_from(METHODS)), target, body, tuple(headers))


requests = st.one_of(forms(), forms(), json_bodies(), json_bodies(), lists(), doors())
