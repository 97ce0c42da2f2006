"""Which process makes a call, and whether it is still there."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class Owner:
    """One process.

    Attributes:
        host: Name of its machine or container.
        pid: Its number there.
        run: An id of this one process, which no later one with the same number has.
    """

    host: str
    pid: int
    run: str

    @classmethod
    def here(cls) -> Owner:
        """This process; another one in the child of a fork."""
        pid = os.getpid()
        if pid not in _known:
            import socket  # not above: a program without a budget needs none

            # What a parent was called says nothing here.
            _known.clear()
            _known[pid] = cls(host=socket.gethostname()[:200], pid=pid, run=_run(pid))
        return _known[pid]

    def is_gone(self) -> bool | None:
        """Whether it has ended; None if that cannot be told, as of another machine."""
        here = Owner.here()
        if self.host != here.host:
            return None
        if self.pid == here.pid:
            return self.run != here.run
        if os.name == "nt":
            # To ask there would end it.
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            # Somebody else's, so it exists.
            pass
        fields = _stat(self.pid)
        if fields is None:
            return None
        # One that has ended stays listed until its parent asks, which some parents never do.
        return fields[0] in _ENDED or not self.run.endswith(f"@{fields[_BEGAN]}")


_known: dict[int, Owner] = {}

#: States of a process that has ended, and the place of when it began.
_ENDED = ("Z", "X")
_BEGAN = 19


def _run(pid: int) -> str:
    return f"{uuid.uuid4()}@{_began(pid) or ''}"


def _began(pid: int) -> str | None:
    """When a process began, in ticks since the machine did; None where nothing tells."""
    fields = _stat(pid)
    return None if fields is None else fields[_BEGAN]


def _stat(pid: int) -> list[str] | None:
    """What the system tells of a process, its state first; None where nothing tells."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # Its name, in brackets, may hold anything: the rest is counted from the last bracket.
    fields = stat.rpartition(")")[2].split()
    return fields if len(fields) > _BEGAN else None
