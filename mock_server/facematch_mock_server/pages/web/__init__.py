"""What a session's page says to the vendor's web SDK, which shows the page in a frame.

There is one script for each vendor. It runs only in a frame: without one, the page is plain forms.
"""

from __future__ import annotations

import functools
from importlib import resources

from facematch_mock_server.vendors import folder_of, vendor_names

#: The vendors whose web SDK shows the page of a session.
VENDORS = frozenset(name for name in vendor_names() if (folder_of(name) / "page.mjs").is_file())


@functools.cache
def read_script(file_name: str) -> bytes | None:
    """Return a script of the page, or None if there is no such file."""
    vendor = file_name.removesuffix(".mjs")
    if vendor in VENDORS:
        return (folder_of(vendor) / "page.mjs").read_bytes()
    if file_name not in ("frame.mjs", "act.mjs"):
        return None
    return resources.files(__package__).joinpath(file_name).read_bytes()
