"""Short ways to write steps for Didit."""

from __future__ import annotations

from typing import Any

from facematch_mock_server.drift._script import File, How, Picture, Shown, Step, Value

MATCH = "/v3/face-match/"
LIVENESS = "/v3/passive-liveness/"
SEARCH = "/v3/face-search/"
AGE = "/v3/age-estimation/"
BALANCE = "/v3/billing/balance/"
LIST = "/v3/sessions/"
NOBODY = "00000000-0000-4000-8000-00000000abcd"

MATCH_THRESHOLD = "face_match_score_decline_threshold"
THRESHOLD = "face_liveness_score_decline_threshold"
MINIMUM = "age_estimation_decline_threshold"

UNSAVED = {"save_api_request": "false"}

PROBE = File(field="user_image", picture=Picture.PROBE)


def score(*names: tuple[str, How], at: str = "*") -> tuple[Value, ...]:
    """The score of an answer under names, each made into something."""
    return tuple(Value(name=name, at=(at, "score"), how=how, shared=True) for name, how in names)


def session(name: str) -> tuple[Value, ...]:
    """The id of a kept call."""
    return (Value(name=name, at=("request_id",)),)


def match(
    name: str,
    probe: Picture = Picture.PROBE,
    reference: Picture = Picture.REFERENCE,
    *,
    fields: dict[str, str] | None = None,
    **more: Any,
) -> Step:
    """A comparison that is paid; it is not kept unless `fields` say so."""
    files = (
        File(field="user_image", picture=probe),
        File(field="ref_image", picture=reference),
    )
    sent = UNSAVED if fields is None else fields
    return Step(name=name, path=MATCH, files=files, fields=sent, pays="match", **more)


def of_one(
    name: str,
    path: str,
    picture: Picture = Picture.PROBE,
    *,
    fields: dict[str, str] | None = None,
    **more: Any,
) -> Step:
    """A call with one picture that is paid; as `match`."""
    pays = {LIVENESS: "liveness", SEARCH: "search", AGE: "age"}[path]
    files = (File(field="user_image", picture=picture),)
    sent = UNSAVED if fields is None else fields
    return Step(name=name, path=path, files=files, fields=sent, pays=pays, **more)


def refused(
    name: str,
    fields: dict[str, str] | None = None,
    *,
    path: str = MATCH,
    files: tuple[File, ...] = (),
) -> Step:
    """A form that lacks a picture, so that it is refused and free whatever else is in it."""
    return Step(name=name, path=path, files=files or (_no_ending(),), fields=fields or {})


def _no_ending() -> File:
    # Without a file it would be no multipart form; this one is refused by its name.
    return File(field="ref_image", picture=Picture.NOISE, name="picture")


def get(name: str, path: str, *, key: Shown = Shown.OWN, **more: Any) -> Step:
    """A GET."""
    return Step(name=name, path=path, method="GET", key=key, **more)


def on(
    name: str, session_name: str, verb: str = "decision", *, method: str = "GET", **more: Any
) -> Step:
    """A request about one of our sessions."""
    path = f"/v3/session/{{{session_name}}}/{verb}/"
    return Step(name=name, path=path, method=method, **more)


def listed(name: str, **query: str) -> Step:
    """The list of our own sessions; other people's are never asked for."""
    return get(name, LIST, query={"vendor_data": "{ref}", **query})
