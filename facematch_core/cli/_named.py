"""What people name on the command line in place of a picture's file, and what to do instead."""

from __future__ import annotations

import os
import re

from facematch_core.errors import InvalidImage

#: What a text looks like that names no file, and what is said of it. The text is never repeated: it
#: may be the picture, or an address with a key in it.
_NO_NAMES = (
    (r"\s*$", "The name of the {of} is empty."),
    (r"file:/", "The {of} is a URL: give the name of the file alone."),
    (
        r"[a-z][a-z0-9+.-]+://|(https?|ftp|s3|gs):/",
        "The {of} is a URL, and none is fetched: download it first.",
    ),
    (
        r"data:|/9j/|iVBORw0KGgo|UklGR|[A-Za-z0-9+/=\s]{256}",
        "The {of} is not a file name: write the picture into a file, and name that.",
    ),
)


def check_name(of: str, text: str) -> None:
    """Refuse a text that cannot be the name of a picture's file.

    Args:
        of: What it is given for: ``probe``, ``reference`` or ``picture``.
        text: As it was typed.

    Raises:
        InvalidImage: an empty text, a URL, or a picture in base64; unless there is such a file.
    """
    if os.path.lexists(text):
        return
    for pattern, says in _NO_NAMES:
        if re.match(pattern, text, re.IGNORECASE):
            raise InvalidImage(says.format(of=of))


def for_shells(error: InvalidImage) -> InvalidImage:
    """The same refusal of a file's content, without advice for programs in Python."""
    return InvalidImage(error.message.replace("use Image.from_base64", "decode it first"))
