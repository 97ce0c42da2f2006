"""Calls that Didit keeps, what can be read of them, and their deletion."""

from __future__ import annotations

from facematch_mock_server.drift._script import Chain, How, Picture, Shown, Step, Value

from ._asking import (
    AGE,
    BALANCE,
    LIVENESS,
    MATCH_THRESHOLD,
    SEARCH,
    THRESHOLD,
    UNSAVED,
    get,
    listed,
    match,
    of_one,
    on,
    score,
    session,
)

_OWN = {"vendor_data": "{ref}"}
_METADATA = {"metadata": '{{"gate":"north"}}'}
#: Nobody's: it is not that of the calls that were kept.
_ELSE = {"vendor_data": "facematch-drift-else", **UNSAVED}
_DAY = Value(name="today", at=("created_at",), how=How.DAY)


def _deleted(name: str, session_name: str) -> Step:
    return on(name, session_name, "delete", method="DELETE", removes=session_name)


_CALLS = (
    # Without save_api_request: what is kept by default.
    match(
        "match, kept",
        fields={**_OWN, **_METADATA},
        values=(*session("m1"), *score(("rounded", How.ROUNDED)), _DAY),
        keeps="m1",
    ),
    of_one("liveness after a kept match", LIVENESS, fields=_ELSE),
    of_one("liveness, kept", LIVENESS, fields=_OWN, values=session("l1"), keeps="l1"),
    of_one("liveness after a kept check", LIVENESS, fields=_ELSE),
    of_one("liveness of the same vendor_data", LIVENESS, fields={**_OWN, **UNSAVED}),
    match(
        "match at the score, kept",
        # Without vendor_data, by which faces of the same person are left out.
        fields={**_METADATA, MATCH_THRESHOLD: "{rounded}"},
        values=session("m2"),
        keeps="m2",
    ),
    match("match of no face, kept", Picture.BLANK, fields=_OWN, values=session("b1"), keeps="b1"),
)

_DECISIONS = (
    on("decision of a match", "m1"),
    on("decision of a declined match", "m2"),
    on("decision of a check", "l1"),
    on("decision with events", "m1", query={"include": "events"}),
    on("decision of a check with events", "l1", query={"include": "events"}),
    on("decision with something else", "m1", query={"include": "else"}),
    on("decision without a key", "m1", key=Shown.NONE),
    on("decision with a wrong key", "m1", key=Shown.WRONG),
    on("PUT of a decision with a wrong key", "m1", method="PUT", key=Shown.WRONG),
    on("PUT of a decision", "m1", method="PUT"),
)

_ROWS = tuple(
    listed(name, **query)
    for name, query in {
        "list": {},
        "list of part of the vendor_data": {"vendor_data": "{part}"},
        "list of users": {"session_kind": "user"},
        "list of all kinds": {"session_kind": "all"},
        "list of businesses": {"session_kind": "business"},
        "list of declined": {"status": "Declined"},
        "list of declined, in small letters": {"status": "declined"},
        "list of two statuses": {"status": "Approved,Declined"},
        "list of an unknown status": {"status": "Bogus"},
        "list of an empty status": {"status": ""},
        "list of today": {"date_from": "{today}", "date_to": "{today}"},
        "list of calls": {"session_type": "API"},
        "list of hosted sessions": {"session_type": "HOSTED"},
        "list of matches": {"api_service": "FACE_MATCH"},
        "list of checks": {"api_service": "PASSIVE_LIVENESS"},
        "list of one id": {"search": "{m1}"},
        "list of a country": {"country": "ESP"},
        "list of two warnings": {"warning": "LOW_FACE_MATCH_SIMILARITY,NO_REFERENCE_IMAGE"},
        "list in another order": {"ordering": "x"},
        "list from the second on": {"limit": "2", "offset": "1", "status": ""},
        "list with odd numbers": {"limit": "x", "offset": "x"},
        "second page of a list": {"page": "2", "page_size": "2"},
        "last page of a list": {"page": "last", "page_size": "3"},
        "ninth page of a list": {"page": "9"},
    }.items()
)


def _update(name: str, body: object, session_name: str = "m2", **more: Shown) -> Step:
    # None of them can change anything: what is asked for is refused, or is so already.
    return on(name, session_name, "update-status", method="PATCH", json=body, **more)


_SAME = {"new_status": "Declined"}
_UPDATES = (
    _update("update without a status", {}),
    _update("update of a check without a status", {}, "l1"),
    on("update without a body", "m2", "update-status", method="PATCH"),
    _update("update with an array", []),
    _update("update with an array and a wrong key", [], key=Shown.WRONG),
    on(
        "update in a form and with a wrong key",
        "m2",
        "update-status",
        method="PATCH",
        key=Shown.WRONG,
        fields={"new_status": "Declined"},
    ),
    on(
        "update in a form",
        "m2",
        "update-status",
        method="PATCH",
        fields={"new_status": "Declined"},
    ),
    _update("update to null", {"new_status": None}),
    _update("update to an unknown status", {"new_status": "Bogus"}),
    _update("update to another status", {"new_status": "In Progress"}),
    _update("update to the same status", _SAME),
    _update("update with a comment that is none", {**_SAME, "comment": True}),
    _update("update with a comment", {**_SAME, "comment": "asked by facematch drift"}),
    _update("update with a long comment", {**_SAME, "comment": "x" * 10_001}),
    _update("update with odd nodes", {**_SAME, "nodes_to_resubmit": "x"}),
    _update("update with an odd flag", {**_SAME, "send_email": "maybe"}),
    _update("update without an address", {**_SAME, "send_email": True}),
    _update("update with an odd address", {**_SAME, "email_address": "nowhere"}),
)


def _note(name: str, body: object) -> Step:
    return Step(name=name, path="/v3/sessions/{m2}/reviews/", json=body)


_NOTES = (
    _note("a note", {"comment": "one"}),
    _note("a note with a status", {"new_status": "In Review", "comment": "two"}),
    _note("a note with an unknown status", {"new_status": "Bogus"}),
    _note("a note that is an array", []),
    get("notes", "/v3/sessions/{m2}/reviews/"),
    on("decision after notes", "m2"),
)

_END = (
    get("balance before a deletion", BALANCE, compares=("balance",)),
    _deleted("deletion of a check", "l1"),
    _deleted("second deletion of a check", "l1"),
    on("decision after a deletion", "l1"),
    listed("list after a deletion"),
    of_one("liveness after a deletion", LIVENESS, fields=_ELSE),
    _deleted("deletion of a match", "m1"),
    _deleted("deletion of a declined match", "m2"),
    _deleted("deletion of a match of no face", "b1"),
    listed("list at the end"),
)

KEPT = Chain(
    name="kept",
    group="kept",
    steps=(*_CALLS, *_DECISIONS, *_ROWS, *_UPDATES, *_NOTES, *_END),
)

KEPT_AGE = Chain(
    name="kept age",
    group="kept",
    steps=(
        of_one("age, kept", AGE, fields={**_OWN, **_METADATA}, values=session("a1"), keeps="a1"),
        on("decision of an age", "a1"),
        on("decision of an age with events", "a1", query={"include": "events"}),
        of_one("liveness after a kept age", LIVENESS, fields=_ELSE),
        listed("list of an age"),
        listed("list of ages", api_service="AGE_ESTIMATION"),
        _deleted("deletion of an age", "a1"),
    ),
)

SEARCHES = Chain(
    name="search",
    group="search",
    steps=(
        of_one("liveness before a search", LIVENESS, fields=_OWN, values=session("s0"), keeps="s0"),
        of_one(
            "declined liveness before a search",
            LIVENESS,
            fields={**_OWN, THRESHOLD: "100"},
            values=session("d0"),
            keeps="d0",
        ),
        get("balance before a search", BALANCE, compares=("balance",)),
        of_one("search, not kept", SEARCH),
        get("balance after a search", BALANCE, compares=("balance",)),
        of_one("search of the same vendor_data", SEARCH, fields={**_OWN, **UNSAVED}),
        of_one(
            "search among the approved",
            SEARCH,
            fields={"search_type": "blocklisted_or_approved", **UNSAVED},
        ),
        of_one("search of no face", SEARCH, Picture.BLANK),
        of_one("search of no picture", SEARCH, Picture.NOISE),
        of_one("search of two faces", SEARCH, Picture.TWO),
        of_one("search, kept", SEARCH, fields=_OWN, values=session("s1"), keeps="s1"),
        of_one("search after a kept search", SEARCH),
        on("decision of a search", "s1"),
        on("decision of a search with events", "s1", query={"include": "events"}),
        listed("list of a search"),
        listed("list of searches", api_service="FACE_SEARCH"),
        _deleted("deletion before the last search", "s0"),
        _deleted("deletion of a declined check", "d0"),
        _deleted("deletion of a search", "s1"),
        of_one("search after a deletion", SEARCH),
    ),
)
