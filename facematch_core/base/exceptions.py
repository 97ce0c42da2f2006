"""Search the chain of an exception: causes, contexts, reasons and arguments."""

from __future__ import annotations

import signal
import threading
import traceback


def find_callers_exception(error: BaseException) -> BaseException | None:
    """Return the exception in the chain of `error` that a signal handler raised, or None.

    Such an exception looks like an error in the interrupted line. Call this before an
    `except Exception` translates the error, and raise the result outside the except block.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    # Functions and methods have `__code__`; SIG_DFL and SIG_IGN do not.
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    codes = {getattr(handler, "__code__", None) for handler in handlers}
    for link in links_of(error):
        for frame, _line in traceback.walk_tb(link.__traceback__):
            if frame.f_code in codes:
                return link
    return None


def links_of(error: BaseException) -> list[BaseException]:
    """Return `error` and all exceptions in its chain: causes, contexts, reasons, arguments."""
    exceptions: list[BaseException] = []
    ids: set[int] = set()
    links: list[object] = [error]
    for link in links:  # grows during the loop
        if isinstance(link, BaseException) and id(link) not in ids:
            ids.add(id(link))
            exceptions.append(link)
            links.append(link.__cause__)
            links.append(link.__context__)
            links.append(getattr(link, "reason", None))  # of urllib3 and ssl
            links.extend(link.args)
    return exceptions
