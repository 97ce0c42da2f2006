"""A small TOML file, or one sentence that says why it is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from .errors import FaceMatchError

#: What people write by hand is small; more is a mistake.
MAX_FILE_BYTES: Final = 1 << 20


def parsed(path: Path, what: str, refusal: type[FaceMatchError]) -> dict[str, Any]:
    """What a file says.

    Args:
        path: The file.
        what: What the sentence calls it, for example "configuration file".
        refusal: The error that is raised.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise refusal(f"The {what} {str(path)!r} cannot be read: {reason}.") from None
    if len(content) > MAX_FILE_BYTES:
        raise refusal(f"The {what} {path} is over {MAX_FILE_BYTES} bytes.")
    import tomllib

    try:
        # Some editors begin a file with a mark of the order of bytes.
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except tomllib.TOMLDecodeError as error:
        reason = str(error).rstrip(".")
    except (ValueError, RecursionError) as error:
        reason = type(error).__name__
    raise refusal(f"The {what} {path} is no TOML: {reason}.")
