"""The texts that the console copies: a call as an own reply, as a test, and as a command."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

import attrs

from facematch_mock_server.base.messages import Request
from facematch_mock_server.recognition.cards import READY, Card
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.vendors.base import ActionVendor, MockVendor
from facematch_mock_server.world.journal import Entry
from facematch_mock_server.world.keys import name_keys

#: Matches a value that the journal shows without its text.
_NOT_STORED = re.compile(
    r"\*\*\*|text of \d+ characters|list of \d+|object of \d+|a flag|a number|null|.*…"
)
_INCOMPLETE = "# Fill in what the journal does not store: bodies, secrets, long texts, pictures."
_WITHOUT_KEY = "# Add the vendor's keys, which are more than one header: the mock prints them."
#: How a key can stand in a header. The console shows none, not even the mock's own.
_SCHEMES = ("KEY", "Bearer KEY", "Token token=KEY")
_KEY = "# KEY is the mock's key, which it prints at its start."


def copy_as_reply(entry: Entry, vendor: MockVendor, shown_answer: Any) -> str:
    """Return the own reply to calls like this one, as JSON in WireMock's format.

    Of a call that the mock does not imitate, it is the start of a reply.

    Args:
        entry: The call.
        vendor: The mock vendor that it called.
        shown_answer: The JSON of its response as the console shows it: without secrets, shortened.
    """
    if entry.reply is not None:
        return _write_mapping(entry.reply.mapping)
    head = _head_of(entry, vendor)
    request: dict[str, Any] = {"method": entry.method, "urlPath": entry.path}
    for name, value in head.headers:
        request["headers"] = {name: {"equalTo": value}}
    response: dict[str, Any] = {"status": 200, "jsonBody": {}}
    metadata: dict[str, Any] = {"vendor": entry.vendor}
    if vendor.imitates(head):
        response = {"status": entry.status, "jsonBody": shown_answer}
        # Without it, the mock would go on answering.
        metadata["instead"] = True
    return _write_mapping({"request": request, "response": response, "metadata": metadata})


def _write_mapping(mapping: Any) -> str:
    return json.dumps({"mappings": [mapping]}, indent=2, ensure_ascii=False)


def _head_of(entry: Entry, vendor: MockVendor) -> Request:
    """Return the request as far as it names the call."""
    headers = {}
    if isinstance(vendor, ActionVendor) and vendor.action_header in entry.fields:
        headers[vendor.action_header] = entry.fields[vendor.action_header]
    return Request.make(method=entry.method, target=entry.path, headers=headers.items())


@attrs.frozen(kw_only=True)
class _Call:
    """A call as far as the journal stores it.

    Attributes:
        headers: The action, and a header with ``KEY`` for a key.
        has_fixture_key: Whether that key is the `live_key` of the vendor's fixture.
        query, body: The fields by name.
        files: The names of cards by field, for pictures that were sent as files.
        comments: What is missing, each as a line of Python or a shell.
    """

    headers: dict[str, str]
    has_fixture_key: bool
    query: dict[str, str]
    body: dict[str, str]
    files: dict[str, str]
    comments: list[str]


def _read_call(entry: Entry, vendor: MockVendor, recognizer: Recognizer) -> _Call:
    head = _head_of(entry, vendor)
    headers = dict(head.headers)
    query: dict[str, str] = {}
    body: dict[str, str] = {}
    files: dict[str, str] = {}
    comments = []
    for name, value in entry.fields.items():
        if name in headers:
            continue
        target = query if name in entry.query_names else body
        target[name] = value
    is_complete = not any(_NOT_STORED.fullmatch(value) for value in entry.fields.values())
    names_of_cards: dict[Card | None, str] = {card.card: name for name, card in READY.items()}
    for file in entry.files:
        card = names_of_cards.get(recognizer.card_of(file.digest or ""))
        # A picture in JSON has no name.
        if file.name:
            files[file.field] = card or "p1"
        else:
            body[file.field] = f"{card or 'a picture'} in base64"
        is_complete = is_complete and bool(card and file.name)
    # Of a body that no route reads, the journal stores nothing.
    has_unknown_body = entry.method in ("POST", "PUT", "PATCH") and not (body or files)
    if has_unknown_body or not is_complete:
        comments.append(_INCOMPLETE)
    first_keys = vendor.world.vendor.first_keys
    plain_keys = [key for key, facts in first_keys.items() if facts.client is None]
    has_fixture_key = False
    # An own reply needs no key, and Regula has none.
    if entry.reply is None and first_keys:
        key_header = _find_key_header(head, vendor, plain_keys)
        if key_header:
            headers |= key_header
            has_fixture_key = name_keys(first_keys).get("live") in plain_keys
        comments += [] if key_header else [_WITHOUT_KEY]
    return _Call(
        headers=headers,
        has_fixture_key=has_fixture_key,
        query=query,
        body=body,
        files=files,
        comments=comments,
    )


def _find_key_header(
    head: Request, vendor: MockVendor, plain_keys: Sequence[str]
) -> dict[str, str]:
    """Return the header with a key that needs no client id; an empty dict if there is none.

    The vendor itself tells how the key stands in the header.
    """
    route, _ = vendor.find(head)
    routes = vendor.routes if route is None else [route]
    names = dict.fromkeys(name for each in routes for name in each.credentials)
    for key, name, scheme in itertools.product(plain_keys, names, _SCHEMES):
        headers = [(name, scheme.replace("KEY", key))]
        with_key = Request.make(method="GET", target="/", headers=headers)
        if vendor.world.vendor.key_of(with_key) == key:
            return {name: scheme}
    return {}


def copy_as_test(entry: Entry, vendor: MockVendor, recognizer: Recognizer) -> str:
    """Return a test for pytest that makes the call again, and expects the same status."""
    call = _read_call(entry, vendor, recognizer)
    fixture = f"{entry.vendor}_server"
    name = "_".join(re.findall("[a-z0-9]+", f"{entry.method} {entry.path}".lower()))
    lines = ["import requests", ""]
    if call.files:
        lines += ["from facematch_mock_server import card_sheet", ""]
    lines.append("")
    if entry.reply is not None:
        lines.insert(0, "import pytest")
        lines.append(f"@pytest.mark.facematch_replies({entry.reply.mapping!r})")
    lines.append(f"def test_{name}({fixture}):")
    lines += [f"    {comment}" for comment in call.comments]
    headers = json.dumps(call.headers)
    if call.has_fixture_key:
        headers = headers.replace("KEY", f'" + {fixture}.live_key + "').replace('"" + ', "")
        headers = headers.replace(' + ""', "")
    elif "KEY" in headers:
        lines.append(f"    {_KEY}")
    lines.append("    answer = requests.request(")
    # Texts and objects of texts are written alike in JSON and Python.
    lines.append(f"        {json.dumps(entry.method)},")
    lines.append(f"        {fixture}.url + {json.dumps(entry.path)},")
    if call.headers:
        lines.append(f"        headers={headers},")
    if call.query:
        lines.append(f"        params={json.dumps(call.query)},")
    if call.body:
        keyword = "data" if call.files else "json"
        lines.append(f"        {keyword}={json.dumps(call.body)},")
    if call.files:
        lines.append("        files={")
        for field, card in call.files.items():
            picture = f'("a.png", card_sheet()["{card}"].data)'
            lines.append(f"            {json.dumps(field)}: {picture},")
        lines.append("        },")
    lines += ["        timeout=10,", "    )", f"    assert answer.status_code == {entry.status}"]
    return "\n".join(lines) + "\n"


def copy_as_curl(entry: Entry, vendor: MockVendor, recognizer: Recognizer, url: str) -> str:
    """Return the commands for a shell that download the cards and make the call again.

    `url` is the address of the mock.
    """
    call = _read_call(entry, vendor, recognizer)
    lines = list(call.comments)
    if any("KEY" in value for value in call.headers.values()):
        lines.append(_KEY)
    for card in dict.fromkeys(call.files.values()):
        lines.append(f"curl -sO {url}/__mock__/cards/{card}.png")
    target = url + quote(entry.path, safe="/;=:@,~")
    if call.query:
        target += f"?{urlencode(call.query)}"
    words = ["curl", "-X", entry.method, target]
    for name, value in call.headers.items():
        words += ["-H", f"{name}: {value}"]
    for field, card in call.files.items():
        words += ["-F", f"{field}=@{card}.png"]
    if call.files:
        for name, value in call.body.items():
            words += ["-F", f"{name}={value}"]
    elif call.body:
        words += ["-H", "content-type: application/json", "-d", json.dumps(call.body)]
    lines.append(shlex.join(words))
    return "\n".join(lines) + "\n"
