"""The filters of a list of sessions: what each lets through, and the words it is refused in."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from facematch_mock_server._sessions import Session
from facematch_mock_server.claims import Told

Test = Callable[[Session], bool]

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
#: What the documents name and no filter below reads; paging reads the last four.
_OTHERS = frozenset({"session_kind", "limit", "offset", "page", "page_size"})


class Refused(Exception):
    """A filter is refused in these words."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def tests_of(told: Told, query: Mapping[str, str]) -> tuple[list[Test], dict[str, Any]]:
    """What a session must pass to be listed, and the words for filters that are refused, by name.

    Args:
        told: What the filters rest on.
        query: As it was sent, decoded.
    """
    kind = query.get("session_kind") or told["list.kind"]
    kinds: Mapping[str, bool] = told["list.kinds"]
    errors: dict[str, Any] = {}
    if kind not in kinds:
        errors["session_kind"] = told["list.kind_words"]
        if told["list.kind_alone"]:
            return [], errors
    tests: list[Test] = [] if kinds.get(kind) else [_nothing]
    for name, value in _asked(told, query):
        try:
            tests.append(FILTERS[name](told, value))
        except Refused as refused:
            errors[name] = [refused.words]
    return tests, errors


def _asked(told: Told, query: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    foreign = told["list.foreign"]
    for name, value in query.items():
        if not value and told["list.empty_filter"]:
            continue
        if name in FILTERS:
            yield name, value
        elif name in foreign or (name not in _OTHERS and not told["list.unknown_ignored"]):
            yield "", value


def _nothing(_: Session) -> bool:
    return False


def _status(told: Told, value: str) -> Test:
    wanted = set(value.split(","))
    if told["list.unknown_status"] == "ignored":
        wanted &= set(told["session.statuses"])
        if not wanted:
            return lambda _: True
    if told["list.status_case"]:
        return lambda session: session.status in wanted
    folded = {word.casefold() for word in wanted}
    return lambda session: session.status.casefold() in folded


def _vendor_data(told: Told, value: str) -> Test:
    if told["list.vendor_data"] == "exact":
        return lambda session: session.vendor_data == value
    return lambda session: value in (session.vendor_data or "")


def _search(told: Told, value: str) -> Test:
    where, needle = told["list.search"], value.casefold()
    return lambda session: any(
        needle in str(getattr(session, name) or "").casefold() for name in where
    )


def _day(told: Told, value: str) -> dt.date:
    try:
        if _DAY.fullmatch(value):
            return dt.date.fromisoformat(value)
    except ValueError:
        pass
    raise Refused(told["list.date_words"])


def _from(told: Told, value: str) -> Test:
    day, whole = _day(told, value), told["list.days"] == "whole"
    return lambda session: day <= session.created_at.date() if whole else day < _date(session)


def _to(told: Told, value: str) -> Test:
    day, whole = _day(told, value), told["list.days"] == "whole"
    return lambda session: _date(session) <= day if whole else _date(session) < day


def _date(session: Session) -> dt.date:
    return session.created_at.date()


def _type(told: Told, value: str) -> Test:
    types: Mapping[str, bool] = told["list.types"]
    if value not in types:
        if told["list.type_strict"]:
            raise Refused(told["list.choice_words"].format(value=value))
        return _nothing
    return lambda _: types[value]


def _service(told: Told, value: str) -> Test:
    if value not in told["list.services"]:
        raise Refused(told["list.choice_words"].format(value=value))
    return lambda session: session.service == value


def _internal_id(told: Told, value: str) -> Test:
    if _UUID.fullmatch(value) is None:
        raise Refused(told["list.uuid_words"])
    bare = value.replace("-", "").lower()
    return lambda session: session.internal_id.replace("-", "") == bare


def _warning(told: Told, value: str) -> Test:
    wanted = set(value.split(","))
    enough = any if told["list.warning"] == "any" else all
    return lambda session: enough(risk in _risks(session) for risk in wanted)


def _risks(session: Session) -> set[str]:
    return {warning["risk"] for warning in session.result["warnings"]}


#: By name; the one without a name is for what no session here can pass.
FILTERS: dict[str, Callable[[Told, str], Test]] = {
    "": lambda _told, _value: _nothing,
    "status": _status,
    "vendor_data": _vendor_data,
    "search": _search,
    "date_from": _from,
    "date_to": _to,
    "session_type": _type,
    "api_service": _service,
    "warning": _warning,
    "didit_internal_id": _internal_id,
}
