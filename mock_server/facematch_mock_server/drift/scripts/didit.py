"""What is asked of Didit, and how what it saw in the pictures is read from its answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeGuard

from facematch_mock_server import make_card
from facematch_mock_server.drift.script import (
    Chain,
    File,
    Heard,
    Key,
    Picture,
    Reader,
    Script,
    Sight,
    Step,
)

__all__ = ["SCRIPT"]


_MATCH, _LIVENESS = "/v3/face-match/", "/v3/passive-liveness/"
_SEARCH, _AGE = "/v3/face-search/", "/v3/age-estimation/"
_PAYS = {_MATCH: "match", _LIVENESS: "liveness", _SEARCH: "search", _AGE: "age"}
_BALANCE, _LIST = "/v3/billing/balance/", "/v3/sessions/"
_DECISION, _REVIEWS = "/v3/session/{}/decision/", "/v3/sessions/{}/reviews/"
_NOBODY = "00000000-0000-4000-8000-00000000abcd"


def _verdict(body: Any) -> Mapping[str, Any]:
    """The part of an answer that holds the verdict, whatever it is called; empty without one."""
    parts = [part for part in body.values() if isinstance(part, dict)] if _is_object(body) else []
    return next((part for part in parts if part.keys() >= {"status", "warnings"}), {})


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_number(value: object) -> TypeGuard[float]:
    # Neither NaN nor beyond any scale.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9


def _score(*, less: int = 0, places: int | None = None) -> Reader:
    """Reads the score, somewhat less or rounded, as it is written into a form."""

    def read(body: Mapping[str, Any]) -> str | None:
        score = _verdict(body).get("score")
        if not _is_number(score):
            return None
        number = max(Decimal(0), Decimal(repr(score)) - less)
        text = format(number if places is None else round(number, places), "f")
        # Some documents take whole numbers only, and write them without a fraction.
        return text.rstrip("0").rstrip(".") if "." in text else text

    return read


def _text(key: str, *, longest: int = 100) -> Reader:
    def read(body: Mapping[str, Any]) -> str | None:
        value = body.get(key)
        return value[:longest] if isinstance(value, str) and value else None

    return read


# Short ways to write steps


def _pay(
    name: str,
    path: str,
    *pictures: Picture,
    keeps: str | None = None,
    shares: Mapping[str, Reader] | None = None,
    reads: Mapping[str, Reader] | None = None,
    **fields: str,
) -> Step:
    """A paid call: of the probe (and the reference), and not kept, unless others are given."""
    usual: tuple[Picture, ...] = ("probe", "reference")
    sent = (*pictures, *usual[len(pictures) :])
    names = ("user_image", "ref_image") if path == _MATCH else ("user_image",)
    return Step(
        name=name,
        path=path,
        files=tuple(File(field, picture) for field, picture in zip(names, sent, strict=False)),
        # Without save_api_request: what is kept by default.
        fields=fields if keeps else {**fields, "save_api_request": "false"},
        pays=_PAYS[path],
        keeps=keeps,
        reads={**(reads or {}), **({keeps: _text("request_id")} if keeps else {})},
        shares=shares or {},
    )


def _refused(name: str, *files: File, path: str = _MATCH, **fields: str) -> Step:
    """A form that lacks a picture, so that it is refused and free whatever else is in it."""
    # Without a file it would be no multipart form; this one is refused by its name.
    nameless = File("ref_image", "noise", "picture")
    return Step(name=name, path=path, files=files or (nameless,), fields=fields)


def _get(name: str, path: str, key: Key = "own", **query: str) -> Step:
    return Step(name=name, path=path, method="GET", key=key, query=query)


def _money(name: str) -> Step:
    return Step(name=name, path=_BALANCE, method="GET", change="balance")


def _on(name: str, session: str, verb: str = "decision", method: str = "GET", **more: Any) -> Step:
    return Step(name=name, path=f"/v3/session/{{{session}}}/{verb}/", method=method, **more)


def _deleted(name: str, session: str) -> Step:
    return _on(name, session, "delete", "DELETE", removes=session)


def _listed(name: str, **query: str) -> Step:
    """The list of our own sessions; other people's are never asked for."""
    return Step(name=name, path=_LIST, method="GET", query={"vendor_data": _REF, **query})


def _update(name: str, body: Any, session: str = "m2", **more: Any) -> Step:
    """A change of status that is refused, or is the status already."""
    return _on(name, session, "update-status", "PATCH", json=body, **more)


def _note(name: str, body: Any) -> Step:
    return Step(name=name, path=_REVIEWS.format("{m2}"), json=body)


def _user(picture: Picture, name: str = "picture.jpg") -> File:
    return File("user_image", picture, name)


_REF, _METADATA = "{ref}", '{{"gate":"north"}}'
#: Not that of the calls that are kept.
_ELSE = "facematch-drift-else"
_DECLINED = {"new_status": "Declined"}

# Refused, free, and nothing is kept

_KEYS = (
    # First of all: whether the key is good, for nothing.
    _get("balance", _BALANCE),
    Step(name="match without a key", path=_MATCH, key="none"),
    Step(name="match with a wrong key", path=_MATCH, key="wrong"),
    _get("GET of a match with a wrong key", _MATCH, "wrong"),
    _get("balance without a key", _BALANCE, "none"),
    _get("balance with a wrong key", _BALANCE, "wrong"),
    _get("list with a wrong key", _LIST, "wrong"),
    _get("unknown session without a key", _DECISION.format(_NOBODY), "none"),
    _get("unknown session", _DECISION.format(_NOBODY)),
    _get("notes on an unknown session", _REVIEWS.format(_NOBODY)),
)
_FILES = (
    Step(name="match without anything", path=_MATCH),
    _refused("text for a picture", File("user_image", "probe"), ref_image="text"),
    _refused("wrong endings", _user("noise", "x.txt"), File("ref_image", "noise", "x.tif")),
    _refused("no ending"),
    _refused("an ending in capitals", _user("probe", "PICTURE.JPG")),
    _refused("no bytes", _user("empty")),
    _refused("two files of one name", _user("noise", "x.txt"), _user("probe")),
)
_FIELDS = (
    *(
        _refused(name, face_match_score_decline_threshold=text)
        for name, text in {
            "a threshold of letters": "abc",
            "a threshold with a fraction": "41.5",
            "a threshold above 100": "101",
            "a threshold below 0": "-1",
            "a threshold of 60": "60",
        }.items()
    ),
    _refused("an empty threshold", face_match_score_decline_threshold="", rotate_image=""),
    _refused("maybe for yes or no", rotate_image="maybe"),
    _refused("on and no for yes or no", rotate_image="on", save_api_request="no"),
    _refused("metadata that is no object", metadata="[]"),
    _refused("an unknown field", unheard_of="1"),
    _refused(
        "a liveness threshold of letters",
        path=_LIVENESS,
        face_liveness_score_decline_threshold="abc",
    ),
    _refused("a minimum age of letters", path=_AGE, age_estimation_decline_threshold="abc"),
    _refused("a minimum age above 100", path=_AGE, age_estimation_decline_threshold="101"),
    _refused("an unknown kind of search", path=_SEARCH, search_type="everybody"),
    _refused("the second kind of search", path=_SEARCH, search_type="blocklisted_or_approved"),
)
_TEXTS = (_refused("very long texts", metadata="x" * 50_001, vendor_data="1" * 10_001),)
_FORMS = (
    _get("GET of a match", _MATCH),
    Step(name="match in JSON", path=_MATCH, json={}),
    Step(name="match urlencoded", path=_MATCH, fields={"vendor_data": "1"}),
    _get("an unknown path", "/v3/face-mach/"),
    _get("a session that is no UUID", _DECISION.format("seven")),
    _get("an unknown list of faces", f"/v3/lists/{_NOBODY}/entries/"),
    _get("health", "/system/healthcheck", "none"),
    _get("list without a slash", "/v3/sessions", limit="1"),
)
_FILTERS = (
    _get("list with an unknown kind", _LIST, session_kind="x"),
    _get("list with an unknown kind and no date", _LIST, session_kind="x", date_from="y"),
    _get("list with no date", _LIST, date_to="yesterday"),
    _get("list with no id", _LIST, didit_internal_id="x"),
    _get("list with an unknown service", _LIST, api_service="FOO"),
    _get("list with an unknown type", _LIST, session_type="FOO"),
)
_SIZES = (
    _refused("a file of 5.2 MB", _user("nearly")),
    _refused("a file above 5 MB", _user("big", "picture.gif")),
)

# Paid, and nothing is kept

_MATCHES = (
    _money("balance before a match"),
    _pay(
        "match, not kept",
        _MATCH,
        shares={"score": _score(), "below": _score(less=1)},
        reads={"unsaved": _text("request_id")},
    ),
    _money("balance after a match"),
    _on("decision of a match that was not kept", "unsaved"),
    _pay("match at the score", _MATCH, face_match_score_decline_threshold="{score}"),
    _money("balance after a declined match"),
    _refused("match without a picture"),
    _money("balance after a refusal"),
    _pay(
        "match below the score",
        _MATCH,
        face_match_score_decline_threshold="{below}",
        vendor_data="",
        metadata="",
    ),
    _pay("match of no face", _MATCH, "blank"),
    _pay("match of no picture", _MATCH, "noise"),
)
_TURNED = (
    _pay("match of a turned picture", _MATCH, "turned"),
    _pay("match of a turned picture, turned back", _MATCH, "turned", rotate_image="true"),
    _pay("liveness, not turned back", _LIVENESS, "turned", rotate_image="false"),
)
_CHECKS = (
    _money("balance before a check"),
    _pay("liveness, not kept", _LIVENESS, shares={"score": _score()}),
    _money("balance after a check"),
    _pay("liveness at the score", _LIVENESS, face_liveness_score_decline_threshold="{score}"),
    _pay("liveness of no face", _LIVENESS, "blank"),
    _pay("liveness of no picture", _LIVENESS, "noise"),
    _pay("liveness of two faces", _LIVENESS, "two"),
    _pay("match of two faces", _MATCH, "two"),
)
_AGES = (
    _money("balance before an age"),
    _pay("age, not kept", _AGE, shares={"score": _score()}),
    _money("balance after an age"),
    _pay("age below 100", _AGE, "reference", age_estimation_decline_threshold="100"),
    _pay(
        "age at the score",
        _AGE,
        age_estimation_decline_threshold="0",
        face_liveness_score_decline_threshold="{score}",
    ),
    _pay("age of no face", _AGE, "blank"),
    _pay("age of no picture", _AGE, "noise"),
)
_OTHERS = (
    _pay("match of two people", _MATCH, "other"),
    _pay("liveness of the other person", _LIVENESS, "other"),
    _pay("age of the other person", _AGE, "other"),
)

# Kept, read and deleted again

_KEPT = (
    _pay(
        "match, kept",
        _MATCH,
        keeps="m1",
        shares={"rounded": _score(places=2)},
        reads={"today": _text("created_at", longest=10)},
        vendor_data=_REF,
        metadata=_METADATA,
    ),
    _pay("liveness after a kept match", _LIVENESS, vendor_data=_ELSE),
    _pay("liveness, kept", _LIVENESS, keeps="l1", vendor_data=_REF),
    _pay("liveness after a kept check", _LIVENESS, vendor_data=_ELSE),
    _pay("liveness of the same vendor_data", _LIVENESS, vendor_data=_REF),
    _pay(
        "match at the score, kept",
        _MATCH,
        keeps="m2",
        # Without vendor_data, by which faces of the same person are left out.
        metadata=_METADATA,
        face_match_score_decline_threshold="{rounded}",
    ),
    _pay("match of no face, kept", _MATCH, "blank", keeps="b1", vendor_data=_REF),
    _on("decision of a match", "m1"),
    _on("decision of a declined match", "m2"),
    _on("decision of a check", "l1"),
    _on("decision with events", "m1", query={"include": "events"}),
    _on("decision of a check with events", "l1", query={"include": "events"}),
    _on("decision with something else", "m1", query={"include": "else"}),
    _on("decision without a key", "m1", key="none"),
    _on("decision with a wrong key", "m1", key="wrong"),
    _on("PUT of a decision with a wrong key", "m1", method="PUT", key="wrong"),
    _on("PUT of a decision", "m1", method="PUT"),
    _listed("list"),
    _listed("list of part of the vendor_data", vendor_data="{part}"),
    _listed("list of users", session_kind="user"),
    _listed("list of all kinds", session_kind="all"),
    _listed("list of businesses", session_kind="business"),
    _listed("list of declined", status="Declined"),
    _listed("list of declined, in small letters", status="declined"),
    _listed("list of two statuses", status="Approved,Declined"),
    _listed("list of an unknown status", status="Bogus"),
    _listed("list of an empty status", status=""),
    _listed("list of today", date_from="{today}", date_to="{today}"),
    _listed("list of calls", session_type="API"),
    _listed("list of hosted sessions", session_type="HOSTED"),
    _listed("list of matches", api_service="FACE_MATCH"),
    _listed("list of checks", api_service="PASSIVE_LIVENESS"),
    _listed("list of one id", search="{m1}"),
    _listed("list of a country", country="ESP"),
    _listed("list of two warnings", warning="LOW_FACE_MATCH_SIMILARITY,NO_REFERENCE_IMAGE"),
    _listed("list in another order", ordering="x"),
    _listed("list from the second on", limit="2", offset="1", status=""),
    _listed("list with odd numbers", limit="x", offset="x"),
    _listed("second page of a list", page="2", page_size="2"),
    _listed("last page of a list", page="last", page_size="3"),
    _listed("ninth page of a list", page="9"),
    _update("update without a status", {}),
    _update("update of a check without a status", {}, "l1"),
    _update("update without a body", None),
    _update("update with an array", []),
    _update("update with an array and a wrong key", [], key="wrong"),
    _update("update in a form and with a wrong key", None, key="wrong", fields=_DECLINED),
    _update("update in a form", None, fields=_DECLINED),
    _update("update to null", {"new_status": None}),
    _update("update to an unknown status", {"new_status": "Bogus"}),
    _update("update to another status", {"new_status": "In Progress"}),
    _update("update to the same status", _DECLINED),
    _update("update with a comment that is none", {**_DECLINED, "comment": True}),
    _update("update with a comment", {**_DECLINED, "comment": "asked by facematch drift"}),
    _update("update with a long comment", {**_DECLINED, "comment": "x" * 10_001}),
    _update("update with odd nodes", {**_DECLINED, "nodes_to_resubmit": "x"}),
    _update("update with an odd flag", {**_DECLINED, "send_email": "maybe"}),
    _update("update without an address", {**_DECLINED, "send_email": True}),
    _update("update with an odd address", {**_DECLINED, "email_address": "nowhere"}),
    _note("a note", {"comment": "one"}),
    _note("a note with a status", {"new_status": "In Review", "comment": "two"}),
    _note("a note with an unknown status", {"new_status": "Bogus"}),
    _note("a note that is an array", []),
    _get("notes", _REVIEWS.format("{m2}")),
    _on("decision after notes", "m2"),
    _money("balance before a deletion"),
    _deleted("deletion of a check", "l1"),
    _deleted("second deletion of a check", "l1"),
    _on("decision after a deletion", "l1"),
    _listed("list after a deletion"),
    _pay("liveness after a deletion", _LIVENESS, vendor_data=_ELSE),
    _deleted("deletion of a match", "m1"),
    _deleted("deletion of a declined match", "m2"),
    _deleted("deletion of a match of no face", "b1"),
    _listed("list at the end"),
)
_KEPT_AGE = (
    _pay("age, kept", _AGE, keeps="a1", vendor_data=_REF, metadata=_METADATA),
    _on("decision of an age", "a1"),
    _on("decision of an age with events", "a1", query={"include": "events"}),
    _pay("liveness after a kept age", _LIVENESS, vendor_data=_ELSE),
    _listed("list of an age"),
    _listed("list of ages", api_service="AGE_ESTIMATION"),
    _deleted("deletion of an age", "a1"),
)
_SEARCHES = (
    _pay("liveness before a search", _LIVENESS, keeps="s0", vendor_data=_REF),
    _pay(
        "declined liveness before a search",
        _LIVENESS,
        keeps="d0",
        vendor_data=_REF,
        face_liveness_score_decline_threshold="100",
    ),
    _money("balance before a search"),
    _pay("search, not kept", _SEARCH),
    _money("balance after a search"),
    _pay("search of the same vendor_data", _SEARCH, vendor_data=_REF),
    _pay("search among the approved", _SEARCH, search_type="blocklisted_or_approved"),
    _pay("search of no face", _SEARCH, "blank"),
    _pay("search of no picture", _SEARCH, "noise"),
    _pay("search of two faces", _SEARCH, "two"),
    _pay("search, kept", _SEARCH, keeps="s1", vendor_data=_REF),
    _pay("search after a kept search", _SEARCH),
    _on("decision of a search", "s1"),
    _on("decision of a search with events", "s1", query={"include": "events"}),
    _listed("list of a search"),
    _listed("list of searches", api_service="FACE_SEARCH"),
    _deleted("deletion before the last search", "s0"),
    _deleted("deletion of a declined check", "d0"),
    _deleted("deletion of a search", "s1"),
    _pay("search after a deletion", _SEARCH),
)


# What Didit saw. It decides freely who is alike, how live and how old somebody is; the model takes
# that from it. What the pictures were made to be (no face, two faces, no picture) it does not.

#: Added to a score that was given rounded: it must not change what rounding makes of it.
_REST = 0.0012345
#: How many faces a picture was made to have; one if it is not named. A card has so many at most.
_MEANT, _MOST_FACES = {"blank": 0, "two": 2, "noise": 0}, 4
_KNOWN_FROM = {"BLOCKLIST": "blocklist", "DUPLICATED_FACE": "duplicate"}


def _seen(heard: Sequence[Heard]) -> Mapping[str, Sight]:
    calls = [one for one in heard if one.step.path in _PAYS and one.step.files]
    exact: dict[Any, float] = {}
    for one in calls:
        score = _verdict(one.body).get("score")
        if _is_number(score) and 0 < score < 100 and not _is_rounded(score):
            exact.setdefault(_subject(one.step), score)
    sights = {}
    for one in calls:
        part, is_match = _verdict(one.body), one.step.path == _MATCH
        outcome = {} if is_match or not part else dict(_of_one(part, heard[-1].own))
        score = part.get("score")
        if _is_number(score) and 0 <= score <= 100:
            raw = exact.get(_subject(one.step), score + _REST)
            outcome["score"] = raw if _is_rounded(score) and round(raw, 2) == score else score
        if part.get("status") == "In Review":
            outcome["review"] = True
        faces = {file: _faces(file, one, part) for file in one.step.files}
        cards = {file.field: _card(file, one, part, many) for file, many in faces.items()}
        sights[one.step.name] = Sight(
            operation="match" if is_match else "liveness",
            # Whoever has no face is not alike, or alive, either.
            outcome=outcome if all(faces.values()) else {},
            cards={field: card for field, card in cards.items() if card is not None},
        )
    return sights


def _is_rounded(score: float) -> bool:
    return score not in (0, 100) and round(score, 2) == score


def _of_one(part: Mapping[str, Any], own: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """What is to be known of a single face."""
    warnings = part["warnings"]
    risks = {
        warning["risk"]: warning.get("additional_data")
        for warning in (warnings if isinstance(warnings, list) else ())
        if isinstance(warning, dict) and isinstance(warning.get("risk"), str)
    }
    yield "attack", "LIVENESS_FACE_ATTACK" in risks
    if "score" in part and part["score"] is None:
        yield "score", None
    age = part.get("age_estimation", 0)
    if age is None or (_is_number(age) and 0 < age <= 120):
        yield "age", age
    for name, low, high in (
        ("quality", "LOW_FACE_QUALITY", ""),
        ("luminance", "LOW_FACE_LUMINANCE", "HIGH_FACE_LUMINANCE"),
    ):
        value = part.get(f"face_{name}")
        if _is_number(value) and 0 <= value <= 100:
            yield name, value
        elif low in risks or high in risks:
            yield name, 10.0 if low in risks else 95.0
    for risk, data in risks.items():
        source = next((name for word, name in _KNOWN_FROM.items() if word in risk), None)
        sessions = data.values() if isinstance(data, dict) else ()
        # The model knows by itself whom it met in a session of this run.
        if source and not any(isinstance(one, str) and one in own for one in sessions):
            yield source, "possible" if risk.startswith("POSSIBLE") else "certain"


def _faces(file: File, heard: Heard, part: Mapping[str, Any]) -> int:
    """How many faces Didit found in a picture; as many as were meant, if it does not say."""
    if file.picture == "noise":
        return 0
    told = part.get(file.field)
    found, risks = told.get("entities") if _is_object(told) else None, str(part.get("warnings"))
    # A search says in this way that it found no face.
    refused = heard.step.path == _SEARCH and heard.status == 400 and "error" in str(heard.body)
    faceless = "NO_FACE_DETECTED" in risks or "NO_REFERENCE" in risks
    if faceless and file.picture == "blank":
        return 0
    if refused or (found == [] and (faceless or not part.get("score"))):
        return 0
    faces = len(found) if isinstance(found, list) and found else _MEANT.get(file.picture, 1)
    several = file.picture == "two" and "MULTIPLE_FACES" in risks
    return min(max(2, faces) if several else faces, _MOST_FACES)


def _card(file: File, heard: Heard, part: Mapping[str, Any], faces: int) -> bytes | None:
    """What the model is shown for a picture to see the same in it; None for its usual card."""
    told = part.get(file.field)
    angle = told.get("best_angle") if _is_object(told) else None
    upright = file.picture == "turned" and faces and not angle
    # Whom it does not find among our own sessions it does not know.
    is_known = any(session in str(part) for session in heard.own)
    stranger = file.picture == "blank" or ("matches" in part and not is_known)
    if file.picture == "noise" or (
        faces == _MEANT.get(file.picture, 1) and not upright and not stranger
    ):
        return None
    return make_card("stranger" if stranger else "p1", faces=faces)


def _subject(step: Step) -> tuple[Any, ...]:
    """What has one score: the pictures, and whether they were turned."""
    return step.path, step.fields.get("rotate_image") == "true", step.files


SCRIPT = Script(
    vendor="didit",
    title="Didit",
    chains=tuple(
        Chain(name=name, group=group, steps=steps)
        for name, group, steps in (
            ("keys", "errors", _KEYS),
            ("files", "errors", _FILES),
            ("fields", "errors", _FIELDS),
            ("long texts", "errors", _TEXTS),
            ("forms and paths", "errors", _FORMS),
            ("refused filters", "errors", _FILTERS),
            ("match", "match", _MATCHES),
            ("turned pictures", "match", _TURNED),
            ("liveness", "liveness", _CHECKS),
            ("age", "age", _AGES),
            ("other person", "other", _OTHERS),
            ("kept", "kept", _KEPT),
            ("kept age", "kept", _KEPT_AGE),
            ("search", "search", _SEARCHES),
            # Last, because a gateway may cut such an upload off.
            ("sizes", "errors", _SIZES),
        )
    ),
    groups={
        "errors": "requests that are refused: free",
        "match": "comparisons that are not kept",
        "liveness": "liveness checks that are not kept",
        "age": "estimations of age that are not kept",
        "other": "the picture of another person, if there is one",
        "kept": "calls that are kept, read and deleted again",
        "search": "face searches, which look at everybody in the account's index",
    },
    opt_in=frozenset({"search"}),
    leaves_records=frozenset({"kept", "search"}),
    seen=_seen,
    credentials={"key": "api_key"},
    headers={"x-api-key": "{key}"},
    prices={name: f"didit.credit.price.{name}" for name in _PAYS.values()},
    currency="USD",
    session="request_id",
    delete="/v3/session/{id}/delete/",
    unsaved="decision of a match that was not kept",
    words=frozenset(
        {
            *("status", "method", "risk", "feature", "features", "log_type", "environment"),
            *("short_description", "long_description", "session_kind", "session_type"),
            *("api_service", "new_status", "source", "face_retention_outcome", "user", "node_id"),
        }
    ),
    scores=frozenset({"score"}),
    rows=frozenset({"results", "matches"}),
    ids=frozenset({"session_id"}),
    account=frozenset({"auto_refill_amount", "auto_refill_threshold"}),
    compared_headers=(
        *("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"),
        "allow",
    ),
)
