"""What was begun and what ended, on the disk before anything else happens."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from facematch_core import InvalidRequest
from facematch_core.files import OWNER_ONLY


class Journal:
    """The calls of one plan, in a file of the owner's alone that one process uses at a time.

    Attributes:
        calls: By name what `Caller.make` saw of a call; None of one that was begun and not ended,
            which may be paid for and is not made again.
    """

    def __init__(self, path: Path, plan: Sequence[object]) -> None:
        self.calls: dict[str, Any] = {}
        problem = "belongs to another profile, edition or other pictures: name another --out"
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, OWNER_ONLY)
            with contextlib.suppress(ImportError):  # Windows
                import fcntl

                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            content = path.read_bytes()
            # The last line may have been cut off.
            first, *lines = [json.loads(line) for line in content.split(b"\n")[:-1]] or [None]
            salt = first["salt"] if first else os.urandom(16).hex()
            # Salted: nobody can look for a picture by it.
            digest = hashlib.sha256(repr((salt, *plan)).encode()).hexdigest()
            if first is None or first["plan"] == digest:
                problem = ""
            for line in lines:
                self._keep(**line)
        except BlockingIOError:
            problem = "is in use by another run: wait for its end"
        except OSError as error:
            problem = f"cannot be used ({error.strerror}): name another --out"
        except (ValueError, LookupError, TypeError):
            problem = "is no journal of parity: name another --out"
        if problem:
            raise InvalidRequest(f"{path} {problem}.")
        os.ftruncate(self._file, content.rfind(b"\n") + 1)
        if first is None:
            self._write({"salt": salt, "plan": digest})

    def write(self, call: str, seen: Any = None) -> None:
        """Write that a call begins, or what was seen of it: {} if it counts as never made."""
        self._write({"call": call, "seen": seen})
        self._keep(call, seen)

    def _write(self, line: Any) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")
        os.fsync(self._file)

    def _keep(self, call: str, seen: Any) -> None:
        self.calls[call] = seen
        if seen == {}:
            del self.calls[call]

    def count_charges(self, most: int) -> int:
        """The charges so far: of a call of which nobody knows all that it can cost, `most`."""
        total = 0
        for seen in self.calls.values():
            outcome = seen["outcome"] if seen else {"charged": "unknown", "charges": None}
            if outcome["charged"] != "no" or Decimal(seen["price"] or 0) > 0:
                total += min(most, outcome["charges"] or most)
        return total

    def close(self) -> None:
        """Close the file, and with it the lock."""
        os.close(self._file)
