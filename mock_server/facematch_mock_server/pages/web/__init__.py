"""What a session's page says to the vendor's web SDK, which shows the page in a frame.

There is one script for each vendor. It runs only in a frame: without one, the page is plain forms.
"""

from __future__ import annotations

import functools
from importlib import resources

#: The vendors whose web SDK shows the page of a session.
VENDORS = frozenset({"didit", "persona", "stripe", "sumsub", "veriff"})
_FILES = frozenset({"frame.mjs", "act.mjs", *(f"{vendor}.mjs" for vendor in VENDORS)})


@functools.cache
def read_script(file_name: str) -> bytes | None:
    """Return a script of the page, or None if there is no such file."""
    if file_name not in _FILES:
        return None
    return resources.files(__package__).joinpath(file_name).read_bytes()
