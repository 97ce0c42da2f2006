"""The file of a recording, and the check that it has nothing private."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import secrets
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from facematch_core.base.files import OWNER_ONLY, write_file
from facematch_mock_server.base.messages import Request, Response

from .exchange import Album, CapturedExchange, capture_exchange
from .pictures import digest_pictures
from .reduction import Reduction
from .vocabulary import WORD, Vocabulary, words_in

#: Shorter private values occur by chance.
_LEAST_CHARACTERS = 6
_LONG_KEY = 16
#: What no recording needs: long tokens, and UUIDs that are no stand-ins.
_SUSPICIOUS = re.compile(
    r"(?=[\w+-]*\d)(?=[\w+-]*[A-Za-z])[\w+-]{40,}"
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-(?!4000-8000-0)[0-9a-fA-F]{4}"
)
_MAIL = re.compile(r"([\w.+-]+)@(?!example\.com)([\w.-]*\w)")


#: The host of a server that is no vendor's and not on this machine.
OWN_SERVER = "own-server.example"
#: The words of the format itself.
_FORMAT_WORDS = words_in(
    "mappings request response metadata example urlPath urlPathTemplate queryParameters equalTo "
    "jsonBody scenarioName requiredScenarioState newScenarioState repeated Started turn target "
    "headers recorded pictures vendor offset seconds format jsonPath"
)


class RecordingFile:
    """A file of own replies, written after each call. Thread-safe.

    A call is reduced once, and all are again if a later one shows that an earlier word is private.

    Args:
        path: The file. Raises FileExistsError if it exists, and OSError if it cannot be written.
        vocabulary: The vendors' own texts.
        show_host: Returns what may be written of a host; None if it is no vendor's.
        is_known, kept_names, hidden_names: As for `Reduction`.

    Attributes:
        kept: The names in the file that the vocabulary lacks.
        hidden: Names that are not in the file, because a value has them.
        left_out: Why calls were not written: sentences.
    """

    def __init__(
        self,
        path: Path,
        vocabulary: Vocabulary,
        *,
        show_host: Callable[[str], str | None],
        is_known: bool = True,
        kept_names: Collection[str] = (),
        hidden_names: Collection[str] = (),
    ) -> None:
        """Create the file, readable by its owner alone; raise FileExistsError if it exists.

        `show_host` returns the host that the file may name, or None. With `is_known` false the
        calls are of no vendor of ours, and hide more.
        """
        self.path = path
        self.kept: Collection[str] = ()
        self.hidden: Collection[str] = ()
        self.left_out: list[str] = []
        self._vocabulary = vocabulary
        self._show_host = show_host
        self._is_known = is_known
        self._kept_names = kept_names
        self._hidden_names = hidden_names
        self._salt = secrets.token_hex(8)
        self._album = Album()
        self._exchanges: list[CapturedExchange] = []
        self._failures: list[str] = []
        self._begin()
        self._lock = threading.Lock()
        # Before a call is paid, and for no other program's file.
        path.touch(OWNER_ONLY, exist_ok=False)
        path.write_text('{"mappings": []}\n', encoding="utf-8")

    def __len__(self) -> int:
        return len(self._exchanges)

    def add(self, vendor: str, host: str, request: Request, response: Response) -> None:
        """Add a call and its reply to the file. Never raises: the program waits for the reply."""
        with self._lock:
            # Errors are caught broadly: the vendor has answered, and was paid. Their texts may have
            # private values.
            try:
                exchange = capture_exchange(
                    vendor,
                    self._show_host(host) or OWN_SERVER,
                    request,
                    response,
                    album=self._album,
                    pictures=digest_pictures(request, self._salt),
                )
                is_settled = self._reduction.look_at(exchange)
                # A call that cannot be reduced must not be kept: no later one could be written.
                self._reduction.add(exchange)
                self._exchanges.append(exchange)
                if not is_settled:
                    self._reduce_all()
            except Exception as error:  # noqa: BLE001
                self._failures.append(f"A call is not in the file: {type(error).__name__}.")
            try:
                self._write()
            except Exception as error:  # noqa: BLE001
                self.left_out.append(f"The file could not be written: {type(error).__name__}.")

    def remove_if_empty(self) -> None:
        """Remove the file if no call was recorded."""
        if not self._exchanges:
            self.path.unlink(missing_ok=True)

    def _begin(self) -> None:
        """Forget what was learnt of names and values, and reduce all calls anew from here."""
        self._reduction = Reduction(
            self._vocabulary,
            self._show_host,
            self._salt,
            is_known=self._is_known,
            kept_names=self._kept_names,
            hidden_names=self._hidden_names,
        )
        self._check = _LeakCheck(self._reduction, self._vocabulary, self._album)
        self._written: list[_Written] = []

    def _reduce_all(self) -> None:
        self._begin()
        for exchange in self._exchanges:
            self._reduction.look_at(exchange)
        for exchange in self._exchanges:
            self._reduction.add(exchange)

    def _write(self) -> None:
        """Write all calls; leave out, and name, each in which a private value is still found."""
        mappings = self._reduction.mappings
        self._check.look_for_new_values()
        self.left_out = list(self._failures)
        written = []
        texts = []
        for number, mapping in enumerate(mappings, 1):
            before = self._written[number - 1] if number <= len(self._written) else None
            one = self._check_mapping(mapping, before)
            written.append(one)
            if one.text is None:
                self.left_out.append(
                    f"Call {number} is not in the file: a key, an id or a part of a picture "
                    "would have been."
                )
            else:
                texts.append(one.text)
        self._written = written
        text = ",\n".join(texts)
        write_file(self.path, f'{{"mappings": [\n{text}\n]}}\n'.encode())
        self.kept = sorted(self._reduction.kept)
        self.hidden = sorted(self._reduction.hidden)

    def _check_mapping(self, mapping: dict[str, Any], before: _Written | None) -> _Written:
        """Return a call as it is written. `before` is what was last written of it."""
        if before is None or before.text is None or before.mapping != mapping:
            content = "\n".join(_texts_in(mapping))
            has_leak = self._check.finds_leak(content)
            text = None if has_leak else json.dumps(mapping, indent=1, ensure_ascii=False)
            return _Written(mapping, content, text)
        if self._check.finds_new_leak(before.content):
            return attrs.evolve(before, text=None)
        return before


@attrs.frozen
class _Written:
    """A call in the file.

    Attributes:
        mapping: The call's own reply.
        content: The keys and the values of `mapping`, a line each.
        text: `mapping` in JSON; None if the call is left out.
    """

    mapping: dict[str, Any] = attrs.field(repr=False)
    content: str = attrs.field(repr=False)
    text: str | None = attrs.field(repr=False)


class _LeakCheck:
    """Looks for private values in what is to be written, also in base64 and hexadecimal."""

    def __init__(self, reduction: Reduction, vocabulary: Vocabulary, album: Album) -> None:
        """Collect the words that a file may contain: those of the vendors' sources."""
        self._reduction = reduction
        self._vocabulary = vocabulary
        self._album = album
        self._sources = "\n".join(vocabulary.texts)
        self._public_words: frozenset[str] = frozenset()
        #: Private values; and keys and parts of pictures, with their encodings.
        self._values: set[str] = set()
        self._secrets: dict[bytes, list[str]] = {}
        self._new_values: set[str] = set()
        self._new_secrets: dict[bytes, list[str]] = {}

    def look_for_new_values(self) -> None:
        """Take what the reduction and the album have found since the last time."""
        reduction = self._reduction
        values = {value for value in reduction.stand_ins.values if len(value) >= _LEAST_CHARACTERS}
        secrets = set(self._album.samples)
        for key in reduction.credentials:
            # A short key without a digit may be a word, as in a test.
            if len(key) >= _LONG_KEY or (len(key) >= _LEAST_CHARACTERS and re.search(r"\d", key)):
                secrets.add(key.encode(errors="replace"))
        self._new_values = values - self._values
        self._new_secrets = {
            secret: _encodings_of(secret) for secret in secrets - self._secrets.keys()
        }
        self._values |= self._new_values
        self._secrets |= self._new_secrets
        kept_words = {*reduction.kept, *self._reduction.kept_names}
        for value in reduction.kept_values:
            kept_words.update(WORD.findall(value))
        self._public_words = self._vocabulary.words | kept_words | _FORMAT_WORDS

    def finds_leak(self, content: str) -> bool:
        """Return whether a call has something private."""
        if _SUSPICIOUS.search(content):
            return True
        # The vendor's own address may be in a sentence.
        if any(not self._public_words.issuperset(mail) for mail in _MAIL.findall(content)):
            return True
        return self._has_one_of(content, self._secrets, self._values)

    def finds_new_leak(self, content: str) -> bool:
        """Return the same for a call that had nothing private before the new values came."""
        return self._has_one_of(content, self._new_secrets, self._new_values)

    def _has_one_of(
        self, content: str, secrets: Mapping[bytes, list[str]], values: Collection[str]
    ) -> bool:
        for encodings in secrets.values():
            if any(encoded in content for encoded in encodings):
                return True
        return any(value in content and self._is_leak(value, content) for value in values)

    def _is_leak(self, value: str, content: str) -> bool:
        # A name may be part of another word.
        if re.search(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", content) is None:
            return False
        is_public = self._public_words.issuperset(WORD.findall(value)) or value in self._sources
        return not is_public


def _texts_in(value: Any) -> Iterator[str]:
    """Yield the keys and the texts of a JSON value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts_in(inner)
    elif not isinstance(value, bool) and value is not None:
        yield str(value)


def _encodings_of(content: bytes) -> list[str]:
    """Return a key or a part of a picture as it is, if it is text, and in other forms."""
    encodings = [content.hex(), content.hex().upper()]
    with contextlib.suppress(UnicodeDecodeError):
        encodings.append(content.decode())
    # Base64 depends on how many bytes are before the content; six bits are a character.
    for before in range(3):
        start = (before * 8 + 5) // 6
        end = (before + len(content)) * 8 // 6
        padded = bytes(before) + content
        encodings.append(base64.b64encode(padded)[start:end].decode())
        encodings.append(base64.urlsafe_b64encode(padded)[start:end].decode())
    return encodings
