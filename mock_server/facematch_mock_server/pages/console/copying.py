"""The text that the console copies: a call as an own reply."""

from __future__ import annotations

import json
from typing import Any

from facematch_mock_server.base.messages import Request
from facematch_mock_server.vendors.base import ActionVendor, MockVendor
from facematch_mock_server.world.journal import Entry


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
