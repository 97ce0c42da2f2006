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
        host: Name of its machine, and which of its spaces of process numbers: a container has one
            of its own, though it may have the machine's name.
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
        # One step at a time: of two threads that both make one, both get the same.
        return _known.get(pid) or _known.setdefault(pid, cls._made(pid))

    @classmethod
    def _made(cls, pid: int) -> Owner:
        import socket  # not above: a program without a budget needs none

        return cls(host=f"{socket.gethostname()[:200]}{_space()}", pid=pid, run=_run(pid))

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
        fields, began = _stat(self.pid), self.run.rpartition("@")[2]
        if fields is None or not began:
            return None
        # One that has ended stays listed until its parent asks, which some parents never do.
        return fields[0] in _ENDED or began != fields[_BEGAN]


_known: dict[int, Owner] = {}

if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    # What a parent was called says nothing, and its number may come again.
    os.register_at_fork(after_in_child=_known.clear)

#: States of a process that has ended, and the place of when it began.
_ENDED = ("Z", "X")
_BEGAN = 19


def _space() -> str:
    """Which processes this one sees, by a number of its own; empty where nothing tells."""
    try:
        return f"/{Path('/proc/self/ns/pid').readlink().name.strip('pid:[]')}"
    except OSError:
        return ""


def _run(pid: int) -> str:
    return f"{uuid.uuid4()}@{_began(pid) or ''}"


def _began(pid: int) -> str | None:
    """When a process began, in ticks since the machine did; None where nothing tells."""
    fields = _stat(pid)
    return None if fields is None else fields[_BEGAN]


def _stat(pid: int) -> list[str] | None:
    """What the system tells of a process, its state first; None where nothing tells."""
    try:
        # A name is cut after 15 bytes, which may be in the middle of a letter.
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # Its name, in brackets, may hold anything: the rest is counted from the last bracket.
    fields = stat.rpartition(")")[2].split()
    return fields if len(fields) > _BEGAN else None
