"""Reduce replies and outcomes to aspects that may be stored.

Aspects record structure, the kinds of numbers and times, and public words. Everything else may be
about a person or an account, and is dropped here, before anything is written or compared.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import attrs

from facematch_core import FaceMatchError, Image, Secret
from facematch_core.backend import SessionAccess, SessionReading
from facematch_core.backend.session_types import Deletion
from facematch_core.base.masking import masker, quote_text
from facematch_core.http import HttpReply

#: Headers whose values depend on the vendor, not on the call.
_HEADERS = re.compile(
    r"(x-(\w+-)?)?rate-?limit.*|www-authenticate|allow|retry-after|x-ms-error-code|x-amzn-errortype"
)
_ID_HEADERS = re.compile(r".*request-?id")
# JSON keys of ids, of texts that differ from call to call, of times, and of scores.
_IDS = re.compile(r"(^|_|[a-z](?=[A-Z]))(?i:id|ref|logref)$")
_VARYING = re.compile(r"(^|_|[a-z](?=[A-Z]))(?i:id|ref|logref|number|token|url|image|hash)s?\d?$")
_TIME = re.compile(r"(^|_)(at|time|timestamp|date|expiry|expires(_in)?)$|[a-z](At|Time|Date)$")
_SCORE = re.compile("score|confidence|similarity|threshold", re.IGNORECASE)
_AGE = re.compile(r"(^|\.)(age|age_\w+|AgeRange)(\.\w+)?$")
_GENDER = re.compile(r"(^|\.)(gender|sex|Gender\.Value)(\.value)?$")
_GENDER_FORMS = ("male or female", "m or f", "man or woman")
_ID_FORMS = {
    "UUID": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "hexadecimal": re.compile(r"[0-9a-fA-F]{16,}"),
    "number": re.compile(r"\d+"),
}
_KEY = re.compile(r"[A-Za-z_$][A-Za-z_.-]{0,39}\d{0,2}")
# Patterns for parts of a text: paths and URLs, numbers (except sizes), words, and codes.
_ADDRESS = re.compile(r"\S*[/\\@:]\S+")
_NUMBER = re.compile(r"\d+(\.\d+)?(?!\d|\s?([MK]?B|bytes|px|pixels|characters|min)\b)")
_WORD = re.compile(r"[^\W\d_][\w'-]*")
_CODE = re.compile(r"[A-Z]{2,}(_[A-Z]+)+|[A-Z][a-z]+([A-Z][a-z]+)+")
_JSON_TYPES = {dict: "object", list: "list", str: "text", bool: "flag", type(None): "null"}
#: Kinds of aspects stored for private keys, because they reveal nothing about a person.
_STORED_FOR_PRIVATE_KEYS = ("shape", "form", "years")
_LEAK = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|(?=[\w+/=]*\d)[\w+/=]{40,}|\w@\w+\.")

#: The attributes of a `RecordedCall` that are compared.
_COMPARED = (
    "requests",
    "decision",
    "warnings",
    "error",
    "boxes",
    "charge",
    "price",
    "state",
    "ways",
    "again",
    "kept",
)


@attrs.define
class RecordedReply:
    """A vendor's or a mock's reply to one HTTP request."""

    role: str  # "login", "balance", or "answer" to the call itself
    #: Text or sorted texts by aspect: ``status``, ``header allow``, ``shape faces[].box``.
    aspects: Mapping[str, Any]
    claims: Collection[str] = ()  # cited by the mock

    @property
    def status(self) -> int:
        return int(self.aspects["status"])

    @property
    def id_digests(self) -> set[str]:
        digests: set[str] = set()
        for aspect, texts in self.aspects.items():
            if aspect.startswith("id "):
                digests.update(texts)
        return digests


@attrs.define(kw_only=True)
class RecordedCall:
    """A call and its outcome. An attribute is None if the outcome has no such value."""

    charged: str = "no"
    charges: int = 0
    environment: str = "not said"
    error: str | None = None  # the name of its class
    score: float | None = None
    threshold: float | None = None
    decision: str | None = None
    warnings: Collection[str] | None = None
    faces: int | None = None  # in the probe
    boxes: str | None = None
    model: str | None = None
    state: str | None = None  # of a session or a deletion; None if the call gave none
    ways: Collection[str] | None = None  # how a person opens the session: link, token, page
    again: str | None = None  # whether a second start returned the same session
    kept: str | None = None  # whether the vendor lists the calls of this run
    requests: int | None = None
    charge: bool | None = None  # whether the balance fell
    price: float | None = None  # the difference of the balance
    on: str | None = None  # date
    lost: str = ""  # why the call has no reply of the vendor itself; empty if it has
    replies: list[RecordedReply] = attrs.field(factory=list)

    def replies_of(self, role: str) -> list[RecordedReply]:
        return [reply for reply in self.replies if reply.role == role]

    @property
    def answer_aspects(self) -> list[Mapping[str, Any]]:
        return [reply.aspects for reply in self.replies_of("answer")]

    @property
    def claims(self) -> Collection[str]:
        """The claims that the mock cited in its last answer."""
        claims: Collection[str] = ()
        for reply in self.replies_of("answer"):
            claims = reply.claims
        return claims

    @property
    def is_accepted(self) -> bool:
        """Whether the vendor answered the call itself with 2xx."""
        return any(200 <= reply.status < 300 for reply in self.replies_of("answer"))

    def compared_aspects(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _COMPARED}

    def as_document(self) -> dict[str, Any]:
        """Return the call for the record: rounded, without ids."""
        left_out = attrs.filters.exclude(type(None), "lost", "replies")
        document = attrs.asdict(self, recurse=False, filter=left_out)
        for name in ("score", "threshold"):
            if name in document:
                document[name] = round(document[name])
        document["answers"] = [
            {name: text for name, text in aspects.items() if not name.startswith("id ")}
            for aspects in self.answer_aspects
        ]
        return document


@attrs.frozen(kw_only=True)
class CallPair:
    """One call to the vendor, and the same call to the mock."""

    name: str
    vendor_call: RecordedCall
    mock_call: RecordedCall


def find_words(texts: Iterable[object]) -> frozenset[str]:
    words: set[str] = set()
    for text in texts:
        words.update(_WORD.findall(str(text).lower()))
    return frozenset(words)


#: Words from HTTP and JSON.
_PUBLIC = find_words(["true false application json xml text html plain get post bearer basic"])


def reduce_reply(
    reply: HttpReply,
    secrets: Iterable[Secret],
    private_keys: Collection[str],
    words: Collection[str],
) -> dict[str, Any]:
    """Reduce a reply to its aspects, keyed by their names.

    For `private_keys`, only type and format are stored. Ids are hashed. `words` are public.
    """
    reduction = _Reduction(
        reply=reply,
        mask=masker((*reply.secrets, *secrets)),
        private_keys=private_keys,
        public_words=_PUBLIC.union(words),
    )
    reduction.add_head()
    try:
        reduction.reduce_and_add(reply.json(), "")
    except ValueError:
        page = re.sub(r"<[^>]*>", " ", reply.body[:2000].decode("utf-8", "replace"))
        reduction.add_with_private_words_hidden("page", page)
    return reduction.aspects


@attrs.frozen(kw_only=True)
class _Reduction:
    """Collects the aspects of one reply. All items of a list share one path, ``faces[]``."""

    reply: HttpReply
    mask: Callable[[str], str]
    private_keys: Collection[str]
    public_words: Collection[str]
    aspects: dict[str, Any] = attrs.field(factory=dict)

    def add_head(self) -> None:
        headers = self.reply.headers
        media_type, _, parameters = headers.get("Content-Type", "").lower().partition(";")
        charset = re.search(r'charset="?([\w-]{1,20})', parameters)
        self.aspects["status"] = self.reply.status
        self.aspects["type"] = self._reduce_text(media_type.replace("/", " "))
        self.aspects["charset"] = charset[1] if charset else "none"
        for header, value in headers.items():
            name = header.lower()
            if _HEADERS.fullmatch(name):
                is_limit = name.endswith("limit") and re.fullmatch(r"\d{1,9}", value)
                self.aspects[f"header {name}"] = value if is_limit else self._reduce_text(value)
            elif _ID_HEADERS.fullmatch(name):
                self.aspects[f"numbered {name}"] = "there"

    def reduce_and_add(self, value: Any, path: str) -> None:
        """Add the aspects of a JSON value, and of all values in it."""
        json_type = _JSON_TYPES.get(type(value), "number")
        self._add_unless_private("shape", path, json_type)
        if json_type == "object":
            for name, inner in value.items():
                key = name if _KEY.fullmatch(name) else "*"
                self.reduce_and_add(inner, f"{path}.{key}".lstrip("."))
        elif json_type == "list":
            for inner in value:
                self.reduce_and_add(inner, f"{path}[]")
        elif json_type == "flag":
            self.add_with_private_words_hidden(path, str(value).lower())
        elif json_type != "null" and _TIME.search(_key_of(path)):
            self._add_unless_private("time", path, _reduce_time(value))
            self._add_unless_private("life", path, _describe_lifetime(value, self.reply))
        elif json_type == "text":
            self._add_text(value, path)
        elif json_type == "number":
            self._add_number(value, path)

    def add_with_private_words_hidden(self, path: str, text: str) -> None:
        self._add_unless_private("words", path, self._reduce_text(text))

    def _add_text(self, value: str, path: str) -> None:
        key = _key_of(path)
        if _GENDER.search(path):
            self._add_unless_private("form", path, _describe_gender(value))
            return
        if re.match(r"https?://", value):
            is_same = _domain_of(value) == _domain_of(self.reply.url)
            self._add_unless_private("host", path, "asked domain" if is_same else "another domain")
        if _IDS.search(key):
            form = _describe_id(value)
            self._add_unless_private("form", path, form)
            self._add_unless_private("id", path, hashlib.sha256(value.encode()).hexdigest()[:12])
            if form == "another text" and self.reply.status >= 400:
                # An error response may echo a word of the value that was sent.
                self.add_with_private_words_hidden(path, value)
        # If the key has a sentence as its value, that is an error message about the value.
        elif " " in value or not _VARYING.search(key):
            self.add_with_private_words_hidden(path, value)

    def _add_number(self, value: float, path: str) -> None:
        key = _key_of(path)
        if key in ("code", "status", "statusCode"):
            self._add_unless_private("code", path, str(value) if abs(value) < 1000 else "#")
            return
        if _AGE.search(path):
            self._add_unless_private(
                "years", path, "0-120" if 0 <= value <= 120 else "beyond 0-120"
            )
        if isinstance(value, float):
            exponent = Decimal(repr(value)).as_tuple().exponent
            self._add_unless_private("digits", path, str(min(-int(exponent), 7)))
        else:
            self._add_unless_private("digits", path, "whole")
        if _SCORE.search(key):
            self._add_unless_private(
                "side", path, "high" if value > 60 else "low" if value < 40 else "middle"
            )

    def _add_unless_private(self, aspect: str, path: str, text: str) -> None:
        if _key_of(path) in self.private_keys and aspect not in _STORED_FOR_PRIVATE_KEYS:
            return
        name = f"{aspect} {path}"
        self.aspects[name] = sorted({text, *self.aspects.get(name, ())})

    def _reduce_text(self, text: str) -> str:
        """Replace everything in a text but public words, vendors' codes and sizes."""
        text = _NUMBER.sub("#", _ADDRESS.sub("*", quote_text(text, self.mask)))
        return re.sub("[^ -~]+", "*", _WORD.sub(self._reduce_word, text))

    def _reduce_word(self, match: re.Match[str]) -> str:
        word = match[0]
        is_public = word.lower() in self.public_words or _CODE.fullmatch(word)
        return word if is_public else "*"


def _key_of(path: str) -> str:
    return re.split(r"[. ]", path)[-1].replace("[]", "")


def _domain_of(url: str) -> str:
    return ".".join((urlsplit(url).hostname or "").split(".")[-2:])


def _describe_gender(gender_word: str) -> str:
    """Return the pair of words to which a word belongs, in the word's case."""
    form = "another word"
    for pair in _GENDER_FORMS:
        if gender_word.lower() in pair.split(" or "):
            form = pair
    if gender_word.isupper():
        return form.upper()
    return form.title() if gender_word.istitle() else form


def _describe_id(text: str) -> str:
    for form, pattern in _ID_FORMS.items():
        if pattern.fullmatch(text):
            return form
    return "another text"


def _reduce_time(value: Any) -> str:
    """Return the unit of a number, or the format of a time: ``9999-99-99T99:99:99Z``."""
    if not isinstance(value, str):
        return "milliseconds" if value > 1e11 else "seconds"
    zone = re.search(r"(Z|[+-]\d\d:?\d\d)?$", value[:40])
    digits_hidden = re.sub(r"\d+", "9", value[: zone.start()] if zone else value)
    return re.sub(r"[^\W\dT]+", "a", digits_hidden) + (zone[0] if zone else "")


def _describe_lifetime(value: Any, reply: HttpReply) -> str:
    """Return a duration, or a time's offset from the reply's ``Date``, as text (``5 min``)."""
    number = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(h(?:rs?|ours?)?)?", str(value))
    try:
        seconds = float(number[1]) if number else dt.datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError):
        return "unknown"
    if number and number[2]:
        seconds *= 3600
    elif seconds > 1e11:
        seconds /= 1000
    if seconds > 1e9:  # seconds since 1970
        try:
            seconds -= parsedate_to_datetime(reply.headers["Date"]).timestamp()
        except (KeyError, ValueError):
            return "now"
    minutes = round(abs(seconds) / 60)
    if minutes < 2:
        return "now"
    text = f"{minutes} min" if minutes < 100 else f"{minutes // 60} h"
    return text if seconds > 0 else f"{text} before"


def reduce_outcome(outcome: Any, probe: object, reference: object) -> RecordedCall:
    """Reduce a result, session, deletion or error from the backend; the pictures may be None."""
    call = RecordedCall(
        charged=str(outcome.billing.charged),
        charges=outcome.billing.charges,
        environment=str(outcome.environment or "not said"),
    )
    if isinstance(outcome, FaceMatchError):
        call.error = type(outcome).__name__
    elif isinstance(outcome, SessionReading | Deletion):
        access = getattr(outcome, "access", None) or SessionAccess()
        call.state = str(outcome.state)
        call.ways = [name for name in ("link", "token", "page") if getattr(access, name)]
    else:
        probe_faces = getattr(outcome, "probe_faces", None) or ()
        positions = _describe_boxes(probe_faces, probe)
        positions |= _describe_boxes(getattr(outcome, "reference_faces", None) or (), reference)
        codes = {str(warning.code) for warning in outcome.warnings}
        call.decision = str(outcome.decision)
        # The backend derives this warning from the score alone.
        call.warnings = sorted(codes - {"scale_suspicious"})
        call.score = None if outcome.score is None else outcome.score.value
        call.faces = len(probe_faces)
        call.boxes = " and ".join(sorted(positions)) or None
        if re.fullmatch(r"[\w.-]{1,40}", str(outcome.model or "")):
            call.model = str(outcome.model)
    return call


def _describe_boxes(faces: Iterable[Any], picture: object) -> set[str]:
    return {_describe_box(face.box, picture) for face in faces if face.box is not None}


def _describe_box(box: Any, picture: object) -> str:
    """Return whether a face's box lies inside its picture and is about square."""
    # The size is None if neither the picture nor the vendor states it.
    width, height = getattr(picture, "upright_size", (box.of_width, box.of_height))
    box_width = box.right - box.left
    box_height = box.bottom - box.top
    right_edge = width or box.right
    bottom_edge = height or box.bottom
    if box.unit == "ratio":
        box_width *= width or 1
        box_height *= height or 1
        right_edge = bottom_edge = 1
    # A face may be cut off at the edge of the picture.
    is_beyond_edge = box.left >= right_edge or box.top >= bottom_edge
    if is_beyond_edge or box.right <= 0 or box.bottom <= 0:
        return "outside"
    # The box is narrow if the vendor sent its width and height as the lower right corner.
    shorter_side, longer_side = sorted((box_width, box_height))
    return "inside" if shorter_side > 0 and longer_side < 3 * shorter_side else "narrow"


def is_private(document: object, secrets: Iterable[Secret], images: Iterable[Image]) -> bool:
    """Return whether a document contains a key, part of a picture or an id."""
    from facematch_core.testing import find_leaks, picture_samples

    text = json.dumps(document, ensure_ascii=False)
    private: list[str | bytes] = [key.reveal() for key in secrets if len(key.reveal()) > 5]
    for image in images:
        private += picture_samples(image)
    return bool(_LEAK.search(text)) or any(find_leaks(each, text) for each in private)
