"""Where the mock answers otherwise than the framework: every difference that is known, and why.

What a row hides is not compared. A row goes when nothing differs any more: its test fails then.
"""

import re
from collections.abc import Callable

import attrs

from .asking import BOUNDARY, KEY, LIVENESS, Sent, as_json, liveness, match, picture, post

UPDATE = "/v3/session/{session}/update-status/"
DECISION = "/v3/session/{session}/decision/"
DELETE = "/v3/session/{session}/delete/"


@attrs.frozen(kw_only=True)
class Difference:
    """One difference.

    Attributes:
        name: For people.
        reason: Why it stays.
        examples: Requests that are answered differently, every one of them.
        hidden: Whether a request is one of those that are not compared.
    """

    name: str
    reason: str
    examples: tuple[Sent, ...]
    hidden: Callable[[Sent], bool]


def asked(method, target, headers=(), body=b"", **more):
    return Sent(method, target, body, (("x-api-key", KEY), *headers), **more)


def words(sent):
    """The body without the bytes of pictures."""
    return sent.body.replace(picture(), b"")


def header(sent, name):
    return dict(sent.headers).get(name, "")


def is_form(sent):
    return header(sent, "Content-Type").lower().startswith("multipart/")


def is_deep(sent):
    return words(sent).count(b"[") + words(sent).count(b"{") > 100


_ESCAPED_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def has_half(sent):
    return _ESCAPED_HALF.search(words(sent)) is not None


def is_oddly_bound(sent):
    if not is_form(sent):
        return False
    shorter = rf"boundary={BOUNDARY[:-1]}(?!{BOUNDARY[-1]})"
    one_dash = rf"(?<!-)-{BOUNDARY}".encode()
    return bool(re.search(shorter, header(sent, "Content-Type")) or re.search(one_dash, sent.body))


def is_in_parts(pattern):
    found = re.compile(pattern, re.IGNORECASE)
    return lambda sent: is_form(sent) and found.search(words(sent)) is not None


def infinite_metadata(sent):
    return is_form(sent) and re.search(rb":-?\d+e\d{3}", words(sent)) is not None


def updating(**more):
    return as_json("PATCH", UPDATE, {"new_status": "Approved", **more})


_LIVE = liveness()

DIFFERENCES = (
    Difference(
        name="JSON that is nested deeply",
        reason="What was read is written again, and Python writes less depth than it reads: the "
        "framework answers 500 from some 1,000 levels on, and no server should.",
        examples=(
            as_json(
                "PATCH", UPDATE, b'{"new_status":"Approved","x":%b}' % (b"[" * 101 + b"]" * 101)
            ),
            as_json("PATCH", UPDATE, b"[" * 100_000),
        ),
        hidden=is_deep,
    ),
    Difference(
        name="half a character that is told again",
        reason="The framework answers 500, because it cannot write its own answer; no server "
        "should. That any object of metadata is echoed is claimed by didit.answer.echo.",
        examples=(updating(new_status="\ud800"), post(match({"metadata": '{"a":"\\ud800"}'}))),
        hidden=has_half,
    ),
    Difference(
        name="a part that is an attachment",
        reason="Django does not ask whether a part calls itself form-data; the library that reads "
        "forms here does, as RFC 7578 has it.",
        examples=(post(_LIVE.replace(b"form-data", b"attachment"), LIVENESS),),
        hidden=is_in_parts(rb"disposition: (?!form-data)"),
    ),
    Difference(
        name="a head of a part that is folded",
        reason="Django reads each line by itself, so that the file has no name, and is a text; the "
        "library that reads forms here unfolds, as RFC 5322 has it.",
        examples=(post(_LIVE.replace(b"; filename", b";\r\n filename"), LIVENESS),),
        hidden=is_in_parts(rb";\r\n "),
    ),
    Difference(
        name="a boundary that is written oddly",
        reason="Django finds a boundary that is the beginning of the one in the body; the library "
        "that reads forms here asks for the whole one, as RFC 2046 does.",
        examples=(
            post(_LIVE, LIVENESS, f"multipart/form-data; boundary={BOUNDARY[:-1]}"),
            post(_LIVE.replace(b"--" + BOUNDARY.encode(), b"-" + BOUNDARY.encode(), 1), LIVENESS),
        ),
        hidden=is_oddly_bound,
    ),
    Difference(
        name="metadata with a number beyond all floats",
        reason="The framework answers 500, because it cannot write its own answer; no server "
        "should. didit.metadata.bad has the words.",
        examples=(post(match({"metadata": '{"a":1e999}'})),),
        hidden=infinite_metadata,
    ),
    Difference(
        name="metadata that is nested deeply",
        reason="As JSON that is nested deeply.",
        examples=(post(match({"metadata": '{"a":' * 250 + "1" + "}" * 250})),),
        hidden=is_deep,
    ),
)
