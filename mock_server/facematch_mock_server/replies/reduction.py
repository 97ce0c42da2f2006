"""Turn recorded calls into own replies without private values; `vocabulary` says what is kept."""

from __future__ import annotations

import datetime as dt
import json
import math
import random
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from facematch_mock_server.base.messages import ACTION_HEADERS, Headers

from .exchange import (
    NO_PICTURE,
    Body,
    CapturedExchange,
    CapturedPicture,
    FormBody,
    JsonBody,
    JsonText,
)
from .face_templates import (
    FaceTemplates,
    is_encoded_template,
    is_face_template,
    is_number,
    make_number,
)
from .private_texts import PrivateTexts
from .reduced_calls import ReducedCall, tell_apart
from .stand_ins import StandIns
from .vocabulary import (
    HIDDEN_HEADERS,
    MAX_PLAIN_NUMBER,
    REPLY_HEADERS,
    WORD,
    FieldName,
    Vocabulary,
    split_words,
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CREDENTIAL = re.compile(
    r"(.*-)?(auth-client|authorization|client-id|(access)?key-id|key|secret|sig|signature|token)"
)
#: The scheme and the kind of a key, before the key itself.
_SCHEME = re.compile(
    r"(?:(?:Bearer|Basic|Token) |token=|api_(?:live|sandbox)[._]|persona_(?:sandbox|production)_|"
    r"(?:sbx|prd):|(?:sk|rk|pk)_(?:live|test)_|bce-(?:auth-v1|v3)/)*"
)
#: AWS's, Tencent's and Alibaba's signature: the scheme, the access key, the scope, which Alibaba
#: does not have, the names of the headers that are signed, and the signature.
_SIGNATURE = re.compile(
    r"((?:AWS4|TC3|ACS3)-HMAC-SHA256 Credential=)([^/,\s]+)"
    r"((?:/[\d-]+(?:/[a-z]{2}(?:-[a-z]+)+-\d)?/[a-z]+/(?:aws4|tc3)_request)?, ?SignedHeaders=)"
    r"([\w;-]+), ?Signature=(\w+)"
)
_SIGNED_HEADERS = frozenset(
    {
        "content-type",
        "host",
        "x-acs-action",
        "x-acs-content-sha256",
        "x-acs-date",
        "x-acs-signature-nonce",
        "x-acs-version",
        "x-amz-date",
        "x-amz-target",
    }
)
#: Matches a name in code: words of letters, with at most one number of three digits.
_NAME = re.compile(r"_*[A-Za-z]+(?:[_-][A-Za-z]+)*(?:[_-]?\d{1,3}(?!\d)[A-Za-z_-]*)?")
#: Least letters of a word in a name, on average. Random capitals make shorter ones.
_LEAST_LETTERS = 2.5
#: Most digits in a name, a constant or a word of a sentence.
_MOST_DIGITS = 3
#: Digits with no letter between them, such as a telephone number, which is written in groups.
_DIGITS = re.compile(r"\d(?:[\W_]*\d)*")
_LONGEST_NAME = 40
#: Three numbers without a v may be a date.
_VERSION = re.compile(r"v\d{1,2}(\.\d{1,2}){0,2}|\d{1,2}\.\d{1,2}")
_LINK = re.compile(r"[A-Za-z][\w+.-]*://|/")
#: An element of XML that has a text.
_ELEMENT = re.compile(r"<([\w.-]+)>([^<>]+)</\1>")
#: The declaration with which an XML document may begin.
_DECLARATION = re.compile(
    r"""<\?xml version=["']1\.0["']( encoding=["']utf-8["'])?\?>\s*""", re.IGNORECASE
)
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.\w+")
#: Numbers that are written as texts. More digits may be a PIN, a year of birth or a position.
_PLAIN_NUMBER = re.compile(r"-?(\d{1,3}(\.\d{1,2})?|0\.\d+)")
_SCORE = re.compile(r"\d{1,3}\.\d+")
_INDEX = re.compile(r"\d{1,3}")
#: Largest number of a vendor that the mock does not know.
_MOST_UNKNOWN = 999
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{16,}")
#: Headers whose number is a time or a count.
_COUNT_HEADER = re.compile(r"retry-after|(x-)?rate-?limit.*")
_COUNT = re.compile(r"\d{1,6}")
#: Most that a number of a field with an id may be, to be no id.
_MOST_NO_ID = 99
_GENDERS = {"male": "female", "m": "f", "man": "woman"}
_GENDERS |= {stand_in: stand_in for stand_in in _GENDERS.values()}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_COMPACT_TIME = re.compile(r"\d{8}T\d{6}Z")
_UNIX_TIME = re.compile(r"1\d{9}(\d{3})?")
_DAY_LENGTH = dt.timedelta(days=1)
#: Most seconds from a call to a time that is kept as a distance.
_NEAR_S = 100 * _DAY_LENGTH.total_seconds()
#: Time zones as they are written, by the letters of a format.
_ZONES = {None: "", "Z": "X"}


class Reduction:
    """Reduces the calls of one run; each value has the same stand-in in all of them.

    Args:
        vocabulary: The vendors' own texts.
        show_host: Returns what may be written of a host; None if it is no vendor's.
        salt: The salt of the pictures' digests.
        is_known: Whether the mock has the vendor. Of another one, also fractions are hidden.
        kept_names: Names that the user keeps, with the values of fields that have them.
        hidden_names: Names that the user hides.

    Attributes:
        stand_ins: The private values with their stand-ins.
        credentials: The keys, tokens and signatures.
        kept: The names in the result that the vocabulary lacks.
        hidden: The names that are hidden although they have the form of one, because a value has
            them.
        kept_values: The values of the kept names.
        kept_names: As given.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        show_host: Callable[[str], str | None],
        salt: str,
        *,
        is_known: bool = True,
        kept_names: Collection[str] = (),
        hidden_names: Collection[str] = (),
    ) -> None:
        """Reduce calls to what a file may contain; `salt` makes digests of different files differ.

        `kept_names` are fields that stay as they are, `hidden_names` fields that are always hidden.
        """
        self._vocabulary = vocabulary
        self._show_host = show_host
        self._is_known = is_known
        self.kept_names = kept_names
        self._hidden_names = hidden_names
        self.stand_ins = StandIns(vocabulary.texts)
        self.credentials: set[str] = set()
        self.kept: set[str] = set()
        self.hidden: set[str] = set()
        self.kept_values: set[str] = set()
        self._templates = FaceTemplates()
        self._salt = salt
        self._now = dt.datetime.now(dt.UTC)
        self._private = PrivateTexts()
        #: All texts that are values.
        self._values = PrivateTexts()
        self._calls: list[ReducedCall] = []

    @property
    def mappings(self) -> list[dict[str, Any]]:
        """A mapping for each call, in order. An unchanged call has equal values as before."""
        return tell_apart(self._calls)

    def look_at(self, exchange: CapturedExchange) -> bool:
        """Collect a call's values.

        Return whether the calls that were added are still reduced as they should be. If this call
        shows that a word in them is private, or a value, they are not.
        """
        private = PrivateTexts()
        values = PrivateTexts()
        for field, value in _fields_of(exchange):
            self._look_at(FieldName(field), value, private, values, is_private=False)
        has_cleared = self._private.has_cleared(private) or self._values.has_cleared(values)
        self._private.add(private)
        self._values.add(values)
        return not self._calls or not has_cleared

    def add(self, exchange: CapturedExchange) -> None:
        """Reduce a call. `look_at` was called before with it, and with all others there are."""
        mapping = self._reduce_exchange(exchange)
        self._calls.append(ReducedCall.of(mapping, set(self.stand_ins.texts)))

    def _look_at(
        self,
        field: FieldName,
        value: Any,
        private: PrivateTexts,
        values: PrivateTexts,
        *,
        is_private: bool,
    ) -> None:
        """Collect the texts below a field, so that they can be found again in other texts.

        All that a private field contains is private, unless the user keeps the field of that name:
        then its value is kept wherever it stands. Booleans, and decimals that are not kept, are
        left out.
        """
        is_private = is_private or field.is_private
        if isinstance(value, JsonBody):
            value = value.value
        if isinstance(value, dict):
            for name, inner in value.items():
                self._look_at(FieldName(name), inner, private, values, is_private=is_private)
        elif isinstance(value, list):
            for inner in value:
                self._look_at(field, inner, private, values, is_private=is_private)
        elif field.name in self.kept_names:
            self.kept_values.add(str(value))
        elif isinstance(value, (str, int)) and not isinstance(value, bool):
            if is_private:
                self._collect_private(field, str(value), private)
            elif isinstance(value, str):
                self._collect_value(field, value, values)

    def _collect_private(self, field: FieldName, text: str, private: PrivateTexts) -> None:
        is_constant = field.has_constant and text in self._vocabulary.texts
        if not is_constant and len(text) > 1:
            private.collect(text, self._vocabulary.words)

    def _collect_value(self, field: FieldName, text: str, values: PrivateTexts) -> None:
        # A link to the vendor has the vendor's own names, and a sentence has their words.
        if text in self._vocabulary.texts or field.has_sentence or _LINK.match(text):
            return
        values.collect(text, self._vocabulary.words)

    def _reduce_exchange(self, exchange: CapturedExchange) -> dict[str, Any]:
        """Return a call as a WireMock mapping in which every value is reduced.

        The mapping matches by path, by kept values of the query, and by an action's header.
        """
        self._now = exchange.at
        headers = self._reduce_request_headers(exchange.headers)
        path, template = self._reduce_path(exchange.path)
        query = self._reduce_pairs(exchange.query)
        sent: dict[str, Any] = {"target": path, "headers": headers}
        if query:
            sent["target"] += f"?{urlencode(query)}"
        sent |= self._reduce_request_body(exchange.body)
        if exchange.picture_files:
            sent["pictures"] = exchange.picture_files
        reply = {
            "status": exchange.status,
            "headers": self._reduce_reply_headers(exchange.reply_headers),
            **self._reduce_reply_body(exchange.reply_body),
        }
        request: dict[str, Any] = {
            "method": exchange.method if exchange.method in _METHODS else "ANY",
            "urlPathTemplate": template,
        }
        kept_pairs = set(exchange.query)
        fixed = {name: {"equalTo": text} for name, text in query if (name, text) in kept_pairs}
        if fixed:
            request["queryParameters"] = fixed
        actions = {name: {"equalTo": headers[name]} for name in ACTION_HEADERS if name in headers}
        if actions:
            request["headers"] = actions
        return {
            "request": request,
            "response": reply,
            "metadata": {
                "vendor": exchange.vendor,
                "host": exchange.host,
                "recorded": f"{exchange.at:%Y-%m-%d}",
                "sent": sent,
                "pictures": list(exchange.pictures),
                "salt": self._salt,
            },
        }

    def _reduce_request_headers(self, headers: Headers) -> dict[str, str]:
        """Return the headers that the vendor's sources name, with their values reduced.

        Others are left out.
        """
        reduced = {}
        for name, text in headers:
            is_known = name in self._vocabulary.headers or name in ("authorization", "accept")
            if not is_known or name in HIDDEN_HEADERS:
                continue
            if _CREDENTIAL.fullmatch(name):
                reduced[name] = self._reduce_credential(text)
            else:
                reduced[name] = self._reduce_header(name, text)
        return reduced

    def _reduce_reply_headers(self, headers: Headers) -> dict[str, str]:
        reduced = {}
        for name, text in headers:
            lower = name.lower()
            if REPLY_HEADERS.fullmatch(lower) or (
                lower in self._vocabulary.headers and lower not in HIDDEN_HEADERS
            ):
                reduced[name] = self._reduce_header(lower, text)
        return reduced

    def _reduce_header(self, name: str, text: str) -> str:
        """Return a header's value if it is public or a count, else reduced as any text."""
        if text in self._vocabulary.texts:
            return text
        if _COUNT_HEADER.fullmatch(name) and _COUNT.fullmatch(text):
            return text
        if name in ACTION_HEADERS and self._vocabulary.words.issuperset(text.split(".")):
            return text
        if name in ("content-type", "accept", "allow", "www-authenticate"):
            # A form is encoded again, with another boundary.
            return self._reduce_sentence(re.sub(r"; *boundary=.*", "", text))
        return str(self._reduce_text(FieldName(name), text))

    def _reduce_credential(self, text: str) -> str:
        """Return the form of a key or signature: ``Bearer ***1``."""
        signed = _SIGNATURE.fullmatch(text)
        if signed is not None:
            scheme, access_key, scope, signed_headers, signature = signed.groups()
            self.credentials |= {access_key, signature}
            public = _SIGNED_HEADERS | self._vocabulary.headers
            names = ";".join(name for name in signed_headers.split(";") if name in public)
            key = self.stand_ins.of(access_key, "***{}")
            return f"{scheme}{key}{scope}{names}, Signature=***"
        matched = _SCHEME.match(text)
        scheme = matched[0] if matched is not None else ""
        key = text[len(scheme) :]
        self.credentials.add(key)
        return scheme + self.stand_ins.of(key, "***{}")

    def _reduce_path(self, path: str) -> tuple[str, str]:
        """Return a path with stand-ins, and its template with names for them."""
        steps = []
        names = []
        for number, encoded in enumerate(path.split("/")):
            step = unquote(encoded)
            # A name of a person has a capital, and a step of a vendor's path rarely.
            is_known = step in self._vocabulary.texts or step in self.kept_names
            may_stay = is_known or not step[:1].isupper()
            if step == "" or _VERSION.fullmatch(step) or (may_stay and self._is_kept_name(step)):
                kept = step
                name = step
            else:
                kept = self._hide(FieldName("id"), step)
                name = f"{{id{number}}}"
            steps.append(kept)
            names.append(name)
        return "/".join(steps), "/".join(names)

    def _reduce_pairs(self, pairs: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the pairs of a query as a recording shows them, without private names and texts.

        If the texts together are a face's template, each number gets another one, drawn from
        `numbers`.
        """
        reduced = []
        texts = [text for _, text in pairs]
        numbers = self._templates.numbers_for(texts) if is_face_template(texts) else None
        for name, text in pairs:
            if numbers is not None and is_number(text):
                made = make_number(text, numbers)
            else:
                made = str(self._reduce_text(FieldName(name), text))
            reduced.append((self._reduce_key(name), made))
        return reduced

    def _reduce_request_body(self, body: Body) -> dict[str, Any]:
        """Return what the mapping keeps of a sent body.

        That is JSON, a form with its files, or a card's name. A text is only marked as there; no
        body is nothing.
        """
        if isinstance(body, JsonBody):
            return {"json": self._reduce_value(FieldName(""), body.value)}
        if isinstance(body, FormBody):
            reduced: dict[str, Any] = {"form": self._reduce_value(FieldName(""), body.fields)}
            if body.files:
                reduced["files"] = [
                    [self._reduce_key(file.field), file.card or NO_PICTURE, file.extension]
                    for file in body.files
                ]
            return reduced
        if isinstance(body, CapturedPicture):
            return {"card": body.card}
        return {} if body is None else {"text": "*"}

    def _reduce_reply_body(self, body: Body) -> dict[str, Any]:
        if isinstance(body, JsonBody):
            return {"jsonBody": self._reduce_value(FieldName(""), body.value)}
        if isinstance(body, str):
            return {"body": self._reduce_reply_text(body)}
        # The bytes of a picture are no text.
        return {} if body is None else {"body": ""}

    def _reduce_reply_text(self, text: str) -> str:
        """Return a vendor's XML with reduced values, and anything else without its tags."""
        matched = _DECLARATION.match(text)
        declaration = matched[0] if matched is not None else ""
        text = text[len(declaration) :]
        beside_elements = re.sub(r"<[^>]*>", "", _ELEMENT.sub("", text))
        tags = re.findall(r"</?([^>]*)>", text)
        if tags and self._vocabulary.words.issuperset(tags) and not beside_elements.strip():
            return declaration + _ELEMENT.sub(self._reduce_element, text)
        return self._reduce_sentence(re.sub(r"<[^>]*>", " ", text))

    def _reduce_element(self, element: re.Match[str]) -> str:
        name, text = element.groups()
        return f"<{name}>{self._reduce_text(FieldName(name), text)}</{name}>"

    def _reduce_value(self, field: FieldName, value: Any, *, is_private: bool = False) -> Any:
        """Return what is kept of a JSON value; `is_private` if a field above it is."""
        if is_face_template(value):
            return self._reduce_template(field, value, self._templates.numbers_for(value))
        is_below_private = is_private
        is_private = is_private or field.is_private
        if isinstance(value, dict):
            reduced = {}
            for name, inner in value.items():
                key = self._reduce_key(name)
                reduced[key] = self._reduce_value(FieldName(name), inner, is_private=is_private)
            return reduced
        if isinstance(value, list):
            return [self._reduce_value(field, inner, is_private=is_private) for inner in value]
        if isinstance(value, JsonText):
            return json.dumps(self._reduce_value(field, value.value, is_private=is_private))
        if isinstance(value, CapturedPicture):
            return f"{value.prefix}{{{{card '{value.card}'}}}}"
        if isinstance(value, str):
            return self._reduce_text(field, value, is_below_private=is_below_private)
        if isinstance(value, bool) or value is None:
            return value
        return self._reduce_number(field, value, is_private=is_private)

    def _reduce_template(self, field: FieldName, value: Any, numbers: random.Random) -> Any:
        """Return a face template with other numbers."""
        if isinstance(value, dict):
            reduced = {}
            for name, inner in value.items():
                reduced[self._reduce_key(name)] = self._reduce_template(
                    FieldName(name), inner, numbers
                )
            return reduced
        if isinstance(value, list):
            return [self._reduce_template(field, inner, numbers) for inner in value]
        if is_number(value):
            return make_number(value, numbers)
        return self._reduce_value(field, value)

    def _reduce_number(self, field: FieldName, number: Any, *, is_private: bool) -> Any:
        """Return a number that may stand in the file.

        It is itself if it is small and no id, else a stand-in. A private number is 0. A time of
        Unix stays a time, moved; what is no finite number is 0.
        """
        if field.name in self.kept_names:
            return number
        if is_private:
            return 0
        if not self._is_known:
            return self._reduce_number_of_unknown(number)
        largest = _MOST_NO_ID if field.has_id else MAX_PLAIN_NUMBER
        if abs(number) <= largest:
            return number
        if not math.isfinite(number):
            return 0  # JSON has no such number
        text = str(int(number))
        if field.has_time and _UNIX_TIME.fullmatch(text):
            time = self._reduce_time(field, text)
            if time is not None:
                return time
        stand_in = self.stand_ins.of_id(str(abs(int(number))))
        # The same digits may have been a key.
        return int(stand_in) if stand_in.isdecimal() else 0

    def _reduce_number_of_unknown(self, number: Any) -> Any:
        """Return a number of at most three digits, or a stand-in; a fraction may be a position."""
        if isinstance(number, int) and abs(number) <= _MOST_UNKNOWN:
            return number
        stand_in = float(self.stand_ins.of(str(number), "{}"))
        return stand_in / 1000 if isinstance(number, float) else int(stand_in)

    def _reduce_key(self, name: str) -> str:
        """Return a JSON key, or the name of a form's field or of a parameter, or its stand-in.

        Of a name with brackets or dots, such as Stripe's ``options[document][allowed_types][0]`` or
        Alibaba's ``Tasks.2.ImageData``, each part, unless the rule or the user names the whole.
        """
        if name == "" or self._is_kept_name(name):
            return name
        if re.search(r"[\[.]", name) and name not in self._hidden_names:
            return re.sub(r"[^\[\].]+", self._reduce_part_of_key, name)
        return self._hide(FieldName("id"), name)

    def _reduce_part_of_key(self, part: re.Match[str]) -> str:
        """Return the name between two brackets or dots, or the index of an item."""
        name = part[0]
        return name if _INDEX.fullmatch(name) else self._reduce_key(name)

    def _is_kept_name(self, name: str) -> bool:
        """Return whether a key or a step of a path stays. This is the rule for all names.

        A name of the mock's sources stays; of the others, one that has the form of a name in code
        and is part of no value. The user's word goes before both. A key is no name, also where a
        path has it.
        """
        if name in self._hidden_names or name in self.credentials:
            return False
        if name in self.kept_names or name in self._vocabulary.texts:
            return True
        if not _has_form_of_name(name):
            return False
        if self._vocabulary.has_name(name) and self._private.clears_text(name):
            return True
        if not (self._private.clears_name(name) and self._values.clears_name(name)):
            self.hidden.add(name)
            return False
        self.kept.add(name)
        return True

    def _reduce_text(self, field: FieldName, text: str, *, is_below_private: bool = False) -> Any:
        """Return what is kept of a text, or its stand-in. The questions are in their order."""
        if text == "":
            return text
        if field.name in self.kept_names and not field.has_key:
            return text
        is_vendors = text in self._vocabulary.texts
        if is_vendors and field.has_constant and not field.is_private:
            return text
        stand_in = self.stand_ins.find(text)
        if stand_in is not None:
            return stand_in
        if text.lower() in _GENDERS:
            return _in_case_of(text, _GENDERS[text.lower()])
        if field.has_key:
            self.credentials.add(text)
            return self.stand_ins.of_id(text, "token-{}")
        if is_encoded_template(text):
            return self._templates.encoded_for(text)
        if _LINK.match(text):
            return self._reduce_link(text)
        if is_below_private or field.is_private:
            return _far_time(text) or self._hide(field, text)
        return self._reduce_public_text(field, text) or self._hide(field, text)

    def _reduce_public_text(self, field: FieldName, text: str) -> Any:
        """Return what is kept of a text that is under no private key, or None."""
        if text in self._vocabulary.texts and self._private.clears_text(text):
            return text
        if text in ("true", "false"):
            return text
        is_plain = _PLAIN_NUMBER.fullmatch(text) and (self._is_known or _INDEX.fullmatch(text))
        if is_plain and not field.has_id:
            return text
        if field.has_score and _SCORE.fullmatch(text) and self._is_known:
            return text
        if field.has_constant and (_VERSION.fullmatch(text) or self._is_constant(text)):
            return text
        time = self._reduce_time(field, text)
        if time is None and " " in text and self._is_vendors_sentence(field, text):
            return self._reduce_sentence(text)
        return time

    def _is_constant(self, text: str) -> bool:
        """Return whether a text is made of words that the mock's sources of the vendor have."""
        words = self._vocabulary.words
        is_vendors = text in words or self._vocabulary.has_name(text)
        is_known = self._is_known and is_vendors and _has_form_of_name(text)
        return is_known and self._private.clears_name(text)

    def _is_vendors_sentence(self, field: FieldName, text: str) -> bool:
        return field.has_sentence or self._reduce_sentence(text) == text

    def _reduce_sentence(self, sentence: str) -> str:
        """Hide the words of a sentence that no sentence of the mock's sources has."""

        def reduce(match: re.Match[str]) -> str:
            word = match[0]
            if _count_digits(word) > _MOST_DIGITS:
                return "*"
            is_plain = word.isdecimal() or word in self._vocabulary.words
            return word if is_plain and self._private.clears_word(word) else "*"

        def reduce_digits(match: re.Match[str]) -> str:
            return match[0] if _count_digits(match[0]) <= _MOST_DIGITS else "*"

        reduced = _DIGITS.sub(reduce_digits, WORD.sub(reduce, sentence))
        # Two braces would begin a template.
        return reduced.replace("{{", "{ {")

    def _reduce_link(self, text: str) -> str:
        """Return a link to the vendor with its path reduced, or the stand-in of another one."""
        try:
            parts = urlsplit(text)
            host = parts.hostname or ""
        except ValueError:
            return self.stand_ins.of(text, "https://example.com/link-{}")
        shown_host = self._show_host(host) if host else ""
        is_plain = parts.scheme in ("http", "https", "") and parts.username is None
        if shown_host is None or not is_plain:
            return self.stand_ins.of(text, "https://example.com/link-{}")
        path, _ = self._reduce_path(parts.path)
        query = self._reduce_pairs(parse_qsl(parts.query, keep_blank_values=True))
        origin = f"{parts.scheme}://{shown_host}" if host else ""
        return f"{origin}{path}?{urlencode(query)}" if query else f"{origin}{path}"

    def _reduce_time(self, field: FieldName, text: str) -> Any:
        """Return a template for a time near the call, a fixed time for another, else None."""
        if field.has_time and _UNIX_TIME.fullmatch(text):
            is_ms = len(text) > 10
            seconds = int(text) / 1000 if is_ms else int(text)
            return self._describe_time(seconds, "epoch" if is_ms else "unix")
        if _COMPACT_TIME.fullmatch(text):
            form = "yyyyMMdd'T'HHmmssX"
            moment = _read_time(text)
        elif _DAY.fullmatch(text):
            moment = _read_time(text)
            is_today = moment is not None and abs(moment - self._now) < 2 * _DAY_LENGTH
            return "{{now format='yyyy-MM-dd'}}" if is_today else _far_time(text)
        else:
            time = _TIME.fullmatch(text)
            if time is None:
                return None
            moment = _read_time(text)
            form = _form_of(time)
        near = None if moment is None else self._describe_time(moment.timestamp(), form)
        return _far_time(text) if near is None else near

    def _describe_time(self, seconds: float, form: str) -> Any:
        distance = round(seconds - self._now.timestamp(), -1)
        if abs(distance) > _NEAR_S:
            return None
        offset = f" offset='{distance:.0f} seconds'" if abs(distance) > 60 else ""
        return f'{{{{now{offset} format="{form}"}}}}'

    def _hide(self, field: FieldName, text: str) -> str:
        """Return the stand-in of a private text."""
        if _MAIL.fullmatch(text):
            return self.stand_ins.of(text, "person{}@example.com")
        return self.stand_ins.of_id(text, "id-{}" if field.has_id else "text-{}")


def _fields_of(exchange: CapturedExchange) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a request and its reply with their values."""
    yield from exchange.query
    for body in (exchange.body, exchange.reply_body):
        if isinstance(body, JsonBody):
            yield "", body.value
        elif isinstance(body, FormBody):
            yield "", body.fields
        elif isinstance(body, str):
            yield from _ELEMENT.findall(body)
    for encoded in exchange.path.split("/"):
        yield encoded, None


def _count_digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _has_form_of_name(text: str) -> bool:
    if _NAME.fullmatch(text) is None or len(text) > _LONGEST_NAME or _HEXADECIMAL.fullmatch(text):
        return False
    if text.islower() or text.isupper():
        return True
    # A person's name has capitals and hyphens.
    words = split_words(text)
    return "-" not in text and sum(map(len, words)) >= _LEAST_LETTERS * len(words)


def _in_case_of(text: str, word: str) -> str:
    if text.isupper():
        return word.upper()
    return word.title() if text.istitle() else word


def _read_time(text: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)


def _form_of(time: re.Match[str]) -> str:
    """Return the format of a time, for a template."""
    _, between, _, fraction, zone = time.groups()
    form = "yyyy-MM-dd'T'HH:mm:ss" if between == "T" else "yyyy-MM-dd HH:mm:ss"
    if fraction is not None:
        form += "." + "S" * (len(fraction) - 1)
    if zone in _ZONES:
        return form + _ZONES[zone]
    return form + ("xxx" if ":" in zone else "Z")


def _far_time(text: str) -> str | None:
    """Return a fixed time in the form of another one; None for no time."""
    if _DAY.fullmatch(text):
        return "1980-01-01"
    time = _TIME.fullmatch(text)
    if time is None:
        return None
    fraction = re.sub(r"\d", "0", time[4] or "")
    return f"1980-01-01{time[2]}00:00:00{fraction}{time[5] or ''}"
