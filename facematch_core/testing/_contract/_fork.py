"""Work in a child of this process, made by fork, that can never hang its parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NoReturn

#: Seconds that a child that was killed may take to be gone.
_GONE_S = 10.0


class Child:
    """A child at its work. `forked` makes one and sees to its end."""

    def __init__(self, process: BaseProcess, pipe: Connection) -> None:
        self._process, self._pipe = process, pipe

    def answer(self, patience_s: float) -> Any:
        """What the work gave.

        Args:
            patience_s: Seconds to wait for it; then the child is killed.

        Raises:
            AssertionError: it hangs, it failed, or the child is gone.
        """
        if not self._pipe.poll(patience_s):
            self.end()
            raise AssertionError(
                f"the child does not answer after {patience_s:.0f} s: it waits for a lock, a "
                "thread or a connection of its parent"
            )
        try:
            done, told = self._pipe.recv()
        except EOFError:
            self.end()
            raise AssertionError(f"the child ended with {self._process.exitcode}") from None
        assert done, f"the child failed: {told}"
        return told

    def end(self) -> None:
        """Kill it, if it still runs."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join(_GONE_S)


def can_fork() -> bool:
    """Whether a process can be forked here and go on. Not on Windows, and not safely on macOS."""
    return "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"


@contextlib.contextmanager
def forked(work: Callable[[], Any]) -> Iterator[Child]:
    """A child that does `work`, whose value must be one that pickle takes.

    It begins with what this process holds at this moment, and with no other thread. It is gone at
    the end of the block, whatever it does.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    # The system's usual way to start a process may be another one.
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_work, args=(work, theirs), daemon=True)
    child = Child(process, ours)
    with warnings.catch_warnings():
        # Python 3.12 and others warn of a fork beside threads, which is what is tested here.
        warnings.filterwarnings("ignore", message=".*fork")
        process.start()
    try:
        theirs.close()
        yield child
    finally:
        child.end()
        ours.close()


def _work(work: Callable[[], Any], pipe: Connection) -> NoReturn:
    try:
        told = (True, work())
    except BaseException as error:  # noqa: BLE001 - told to the parent, who raises
        told = (False, f"{type(error).__name__}: {error}")
    with contextlib.suppress(Exception):
        pipe.send(told)
    # Nothing of the parent's is tidied up here: no test runner, no buffer, no thread.
    os._exit(0)
