"""Describe recorded answers so that the description can be published: forms, and public words."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from facematch_core.backend import shapes
from facematch_mock_server.record_cli import sources_of
from facematch_mock_server.replies.vocabulary import Vocabulary
from facematch_mock_server.vendors import vendor_named

from .comparing import ComparedExchange


def describe_shapes(compared: Sequence[ComparedExchange]) -> str:
    """Return a table of TOML for each of the vendor's answers, as tests/recorded has them.

    A name that the mocks' sources lack is ``*``. A text stands only if they have it, a mock has
    answered it at the same place, and the request has not sent it; else its form does.
    """
    vendors = {each.exchange.vendor for each in compared}
    public = Vocabulary.read(sources_of(map(vendor_named, vendors))).texts
    stated = {leaf for each in compared for leaf in shapes.leaves_of(each.mock_body, public)}
    tables = []
    for each in compared:
        exchange = each.exchange
        values = []
        for place, form, text in shapes.leaves_of(exchange.body, public):
            is_stated = (place, form, text) in stated and text in public
            is_word = is_stated and text not in str(exchange.sent)
            values.append(f"{place}:{json.dumps(text, ensure_ascii=False) if is_word else form}")
        call = re.sub(r"[^/ ]+", lambda step: step[0] if step[0] in public else "*", exchange.call)
        tables.append(
            f'[[shape]]\nvendor = "{exchange.vendor}"\ncall = {json.dumps(call)}\n'
            f"status = {exchange.reply.status}\n"
            f'seen = ["recorded | {exchange.day} | sent in"]\n'
            f"body = {json.dumps(' '.join(dict.fromkeys(values)), ensure_ascii=False)}\n"
        )
    return "\n".join(tables)
