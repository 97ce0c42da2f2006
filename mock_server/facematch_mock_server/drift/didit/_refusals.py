"""What Didit refuses: free, and nothing is kept."""

from __future__ import annotations

from facematch_mock_server.drift._script import Chain, File, Picture, Shown, Step

from ._asking import (
    AGE,
    BALANCE,
    LIST,
    LIVENESS,
    MATCH,
    MATCH_THRESHOLD,
    MINIMUM,
    NOBODY,
    PROBE,
    SEARCH,
    THRESHOLD,
    get,
    refused,
)


def _user(picture: Picture, name: str | None = None) -> File:
    return File(field="user_image", picture=picture, name=name)


_GOOD_USER = _user(Picture.PROBE, "picture.jpg")

KEYS = Chain(
    name="keys",
    group="errors",
    steps=(
        # First of all: whether the key is good, for nothing.
        get("balance", BALANCE),
        Step(name="match without a key", path=MATCH, key=Shown.NONE),
        Step(name="match with a wrong key", path=MATCH, key=Shown.WRONG),
        get("GET of a match with a wrong key", MATCH, key=Shown.WRONG),
        get("balance without a key", BALANCE, key=Shown.NONE),
        get("balance with a wrong key", BALANCE, key=Shown.WRONG),
        get("list with a wrong key", LIST, key=Shown.WRONG),
        get("unknown session without a key", f"/v3/session/{NOBODY}/decision/", key=Shown.NONE),
        get("unknown session", f"/v3/session/{NOBODY}/decision/"),
        get("notes on an unknown session", f"/v3/sessions/{NOBODY}/reviews/"),
    ),
)

FILES = Chain(
    name="files",
    group="errors",
    steps=(
        Step(name="match without anything", path=MATCH),
        refused("text for a picture", {"ref_image": "text"}, files=(PROBE,)),
        refused(
            "wrong endings",
            files=(
                _user(Picture.NOISE, "picture.txt"),
                File(field="ref_image", picture=Picture.NOISE, name="picture.tif"),
            ),
        ),
        refused("no ending"),
        refused("an ending in capitals", files=(_user(Picture.PROBE, "PICTURE.JPG"),)),
        refused("no bytes", files=(_user(Picture.EMPTY, "picture.jpg"),)),
        refused(
            "two files of one name",
            files=(_user(Picture.NOISE, "picture.txt"), _GOOD_USER),
        ),
    ),
)

FIELDS = Chain(
    name="fields",
    group="errors",
    steps=(
        refused("a threshold of letters", {MATCH_THRESHOLD: "abc"}),
        refused("a threshold with a fraction", {MATCH_THRESHOLD: "41.5"}),
        refused("a threshold above 100", {MATCH_THRESHOLD: "101"}),
        refused("a threshold below 0", {MATCH_THRESHOLD: "-1"}),
        refused("a threshold of 60", {MATCH_THRESHOLD: "60"}),
        refused("an empty threshold", {MATCH_THRESHOLD: "", "rotate_image": ""}),
        refused("maybe for yes or no", {"rotate_image": "maybe"}),
        refused("on and no for yes or no", {"rotate_image": "on", "save_api_request": "no"}),
        refused("metadata that is no object", {"metadata": "[]"}),
        refused("an unknown field", {"unheard_of": "1"}),
        refused("a liveness threshold of letters", {THRESHOLD: "abc"}, path=LIVENESS),
        refused("a minimum age of letters", {MINIMUM: "abc"}, path=AGE),
        refused("a minimum age above 100", {MINIMUM: "101"}, path=AGE),
        refused("an unknown kind of search", {"search_type": "everybody"}, path=SEARCH),
        refused(
            "the second kind of search", {"search_type": "blocklisted_or_approved"}, path=SEARCH
        ),
    ),
)

LONG = Chain(
    name="long texts",
    group="errors",
    steps=(refused("very long texts", {"metadata": "x" * 50_001, "vendor_data": "1" * 10_001}),),
)

FORMS = Chain(
    name="forms and paths",
    group="errors",
    steps=(
        get("GET of a match", MATCH),
        Step(name="match in JSON", path=MATCH, json={}),
        Step(name="match urlencoded", path=MATCH, fields={"vendor_data": "1"}),
        get("an unknown path", "/v3/face-mach/"),
        get("a session that is no UUID", "/v3/session/seven/decision/"),
        get("an unknown list of faces", f"/v3/lists/{NOBODY}/entries/"),
        get("health", "/system/healthcheck", key=Shown.NONE),
        get("list without a slash", "/v3/sessions", query={"limit": "1"}),
    ),
)

FILTERS = Chain(
    name="refused filters",
    group="errors",
    steps=tuple(
        get(f"list with {name}", LIST, query=query)
        for name, query in {
            "an unknown kind": {"session_kind": "x"},
            "an unknown kind and no date": {"session_kind": "x", "date_from": "y"},
            "no date": {"date_to": "yesterday"},
            "no id": {"didit_internal_id": "x"},
            "an unknown service": {"api_service": "FOO"},
            "an unknown type": {"session_type": "FOO"},
        }.items()
    ),
)

SIZES = Chain(
    name="sizes",
    group="errors",
    steps=(
        refused("a file of 5.2 MB", files=(_user(Picture.NEARLY, "picture.jpg"),)),
        refused("a file above 5 MB", files=(_user(Picture.BIG, "picture.gif"),)),
    ),
)
