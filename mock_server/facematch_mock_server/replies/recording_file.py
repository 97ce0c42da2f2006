"""The file of a recording, and the check that it has nothing private."""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from facematch_core.base.files import write_file
from facematch_mock_server.base.messages import Request, Response

from .exchange import Album, Exchange, take_exchange
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

    Every call is reduced anew, because a later call may show that an earlier word is private.

    Args:
        path: The file. Raises FileExistsError if it exists, and OSError if it cannot be written.
        vocabulary: The vendors' own texts.
        show_host: Returns what may be written of a host; None if it is no vendor's.
        hidden_words: Words to hide that the vocabulary lacks.
        shows_words: Whether the other ones may be written.

    Attributes:
        kept: The words in the file that the vocabulary lacks.
        waiting: The words that wait for `settle`, by the stand-ins in the file.
        left_out: Why calls were not written: sentences.
    """

    def __init__(
        self,
        path: Path,
        vocabulary: Vocabulary,
        *,
        show_host: Callable[[str], str | None],
        hidden_words: Collection[str] = (),
        shows_words: bool = False,
    ) -> None:
        self.path = path
        self.kept: Collection[str] = ()
        self.waiting: Mapping[str, str] = {}
        self.left_out: list[str] = []
        self._vocabulary = vocabulary
        self._show_host = show_host
        self._hidden_words = hidden_words
        self._shows_words = shows_words
        self._salt = secrets.token_hex(8)
        self._album = Album()
        self._exchanges: list[Exchange] = []
        self._lock = threading.Lock()
        # Before a call is paid, and for no other program's file.
        with path.open("x", encoding="utf-8") as file:
            file.write('{"mappings": []}\n')

    def __len__(self) -> int:
        return len(self._exchanges)

    def add(self, vendor: str, host: str, request: Request, response: Response) -> None:
        """Add a call and its reply to the file. Never raises: the program waits for the reply."""
        with self._lock:
            try:
                exchange = take_exchange(
                    vendor,
                    self._show_host(host) or OWN_SERVER,
                    request,
                    response,
                    album=self._album,
                    pictures=digest_pictures(request, self._salt),
                )
                self._exchanges.append(exchange)
                self._write()
            except Exception as error:  # noqa: BLE001 - the vendor has answered, and was paid
                # The error's text may have a private value.
                self.left_out.append(f"The file could not be written: {type(error).__name__}.")

    def settle(self, hidden_words: Collection[str]) -> None:
        """Write the words that wait, without `hidden_words`. Raises OSError."""
        with self._lock:
            self._hidden_words = hidden_words
            self._shows_words = True
            self._write()

    def remove_if_empty(self) -> None:
        """Remove the file if no call was recorded."""
        if not self._exchanges:
            self.path.unlink(missing_ok=True)

    def _write(self) -> None:
        reduction = Reduction(
            self._vocabulary,
            self._show_host,
            hidden_words=self._hidden_words,
            shows_words=self._shows_words,
        )
        mappings = reduction.reduce(self._exchanges, self._salt)
        check = _LeakCheck(reduction, self._vocabulary, self._album)
        self.left_out = []
        if check.finds_leak(mappings):
            clean = []
            for number, mapping in enumerate(mappings, 1):
                if check.finds_leak(mapping):
                    self.left_out.append(
                        f"Call {number} is not in the file: a key, an id or a part of a picture "
                        "would have been."
                    )
                else:
                    clean.append(mapping)
            mappings = clean
        text = json.dumps({"mappings": mappings}, indent=1, ensure_ascii=False)
        write_file(self.path, f"{text}\n".encode())
        self.kept = sorted(reduction.kept)
        self.waiting = reduction.waiting


class _LeakCheck:
    """Looks for private values in what is to be written, also in base64 and hexadecimal."""

    def __init__(self, reduction: Reduction, vocabulary: Vocabulary, album: Album) -> None:
        self._encoded: list[str] = []
        for sample in album.samples:
            self._encoded += _encodings_of(sample)
        for key in reduction.credentials:
            # A short key without a digit may be a word, as in a test.
            if len(key) >= _LONG_KEY or (len(key) >= _LEAST_CHARACTERS and re.search(r"\d", key)):
                self._encoded += [key, *_encodings_of(key.encode())]
        asked_words = {*reduction.kept, *reduction.waiting.values()}
        self._public_words = vocabulary.words | asked_words | _FORMAT_WORDS
        sources = "\n".join(vocabulary.texts)
        self._values: list[str] = []
        for value in reduction.stand_ins.values:
            is_public = self._public_words.issuperset(WORD.findall(value)) or value in sources
            if len(value) >= _LEAST_CHARACTERS and not is_public:
                self._values.append(value)

    def finds_leak(self, document: Any) -> bool:
        text = "\n".join(_texts_in(document))
        if _SUSPICIOUS.search(text) or any(encoded in text for encoded in self._encoded):
            return True
        # The vendor's own address may be in a sentence.
        if any(not self._public_words.issuperset(mail) for mail in _MAIL.findall(text)):
            return True
        for value in self._values:
            # A name may be part of another word.
            word = rf"(?<![^\W_]){re.escape(value)}(?![^\W_])"
            if value in text and re.search(word, text):
                return True
        return False


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
    encodings = [content.hex(), content.hex().upper()]
    # Base64 depends on how many bytes are before the content; six bits are a character.
    for before in range(3):
        start = (before * 8 + 5) // 6
        end = (before + len(content)) * 8 // 6
        padded = bytes(before) + content
        encodings.append(base64.b64encode(padded)[start:end].decode())
        encodings.append(base64.urlsafe_b64encode(padded)[start:end].decode())
    return encodings
