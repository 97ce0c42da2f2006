"""Renew the lease of a row while its call is under way, so that only a dead process loses it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Final

from facematch_core.errors import FaceMatchError

#: Seconds between two renewals.
_RENEWAL_S: Final = 3.0


@contextlib.contextmanager
def renewed_lease(
    renew: Callable[[float], None], lease_s: float, *, longest_s: float
) -> Iterator[None]:
    """Call `renew(lease_s)` every three seconds.

    If no thread can be started, call `renew(longest_s)` once.
    """
    is_over = threading.Event()

    def renew_until_over() -> None:
        while not is_over.wait(_RENEWAL_S):
            # The next renewal may succeed.
            with contextlib.suppress(FaceMatchError):
                renew(lease_s)

    renewer = threading.Thread(target=renew_until_over, name="facematch-lease", daemon=True)
    try:
        renewer.start()
    except RuntimeError:  # no thread can be started
        renew(longest_s)
    try:
        yield
    finally:
        is_over.set()
        if renewer.ident is not None:
            # A renewal that outlived the store's `close` would leave its connection open.
            renewer.join()
