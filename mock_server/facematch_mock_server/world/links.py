"""Pictures that clients do not send but name, by a link or by a bucket and a key.

Nothing is ever fetched from another machine.
"""

from __future__ import annotations

from collections import UserDict
from pathlib import Path
from typing import Any, TypeAlias

from facematch_core.base.files import read_regular
from facematch_mock_server.recognition.ready import READY

from .outgoing import may_send, send

#: The bytes of a picture, the name of an included test card such as ``p1``, or a file.
PictureSource: TypeAlias = bytes | str | Path

#: How long a picture may take to be fetched, and the largest file that can be named; ours.
FETCH_TIMEOUT_S = 5.0
MAX_FILE_BYTES = 64 * 1024 * 1024
#: The name of the threads that end a fetch which takes too long.
THREAD = "facematch-mock-pictures"


# A value is read from any `PictureSource`, and is bytes from then on.
class NamedPictures(UserDict[str, Any]):
    """The pictures that a test has put at links and into buckets, by name. Thread-safe.

    A name is a URL, or a bucket and a key, such as ``photos/p1.png``. A name that ends with a slash
    stands for everything that begins with it.

    Example:
        >>> from facematch_mock_server import MockServer
        >>> mock = MockServer(vendor="rekognition")
        >>> mock.control.pictures["photos/ada.png"] = "p1"
        >>> mock.control.pictures["https://cdn.example/"] = "no-face"
        >>> list(mock.control.pictures)
        ['photos/ada.png', 'https://cdn.example/']
    """

    def __setitem__(self, name: str, picture: PictureSource) -> None:
        """Put a picture at a name: its bytes, the name of an included test card, or a file.

        Raises ValueError for an invalid name, an unknown card, or a file that cannot be read.
        """
        _check_name(name)
        self.data[name] = _read(picture)

    def __repr__(self) -> str:
        return f"NamedPictures({len(self)})"

    def find(self, link: str) -> bytes | None:
        """Return the picture at a link, or at ``BUCKET/KEY``; None if it has no name.

        The first of these names counts: the link, the link without its query (which in a signed
        link is new each time), and the longest name with a slash at its end that the link begins
        with.
        """
        for name in (link, link.partition("?")[0]):
            if name in self.data:
                return self.data.get(name)
        # A copy of the names, because another thread may name a picture meanwhile.
        prefixes = [
            name for name in tuple(self.data) if name.endswith("/") and link.startswith(name)
        ]
        return self.data.get(max(prefixes, key=len)) if prefixes else None


def _check_name(name: object) -> None:
    """Raise ValueError for a name at which no client can look for a picture."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise ValueError(f"a picture's name must be a link or BUCKET/KEY, not {name!r:.80}")


def _read(picture: PictureSource) -> bytes:
    """Return a picture's bytes. Raises ValueError if there is no such card, or no such file."""
    if isinstance(picture, (bytes, bytearray)):
        return bytes(picture)
    if isinstance(picture, str) and picture in READY:
        return READY[picture].data
    if not isinstance(picture, (str, Path)):
        raise ValueError(  # noqa: TRY004 - one error for all mistakes
            f"a picture must be bytes, a file or the name of a card, not {type(picture).__name__}"
        )
    try:
        return read_regular(picture, MAX_FILE_BYTES)
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise ValueError(
            f"the picture {str(picture)[:200]!r} cannot be read ({problem}); it is none of the "
            f"cards {', '.join(READY)}"
        ) from None


def find_card(link: str, *, is_s3_key: bool = False) -> bytes | None:
    """Return the included card whose file name, such as ``p1.png``, a link or a key ends with.

    None for any other name, for a link to this machine, where a missing picture stays missing, and
    for a text that is neither a link nor a key in S3.
    """
    is_far = link.startswith(("http://", "https://")) and not may_send(link, ())
    if not is_s3_key and not is_far:
        return None
    _, _, file_name = link.partition("?")[0].rpartition("/")
    card = READY.get(file_name.removesuffix(".png"))
    return card.data if card is not None and file_name.endswith(".png") else None


def fetch_picture(link: str, max_bytes: int) -> bytes | None:
    """Return what is at a link on this machine, at most `max_bytes`; None for anything else.

    A redirect, an answer other than 200, and one that takes longer than `FETCH_TIMEOUT_S` are None,
    too. Nothing is sent to another machine.
    """
    if not may_send(link, ()):
        return None
    exchange = send(
        "GET",
        link,
        headers=(("User-Agent", "facematch-mock"), ("Accept", "*/*")),
        timeout_s=FETCH_TIMEOUT_S,
        max_answer_bytes=max_bytes,
        thread_name=THREAD,
    )
    is_whole = exchange.status == 200 and exchange.problem is None
    return exchange.body if is_whole else None
