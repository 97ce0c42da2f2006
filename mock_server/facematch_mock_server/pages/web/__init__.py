"""What a session's page says to the vendor's web SDK, which shows the page in a frame.

Each vendor with such an SDK has a script `page.mjs` in its folder. It runs only in a frame: without
one, the page is plain forms.
"""

from __future__ import annotations

from importlib import resources

from facematch_mock_server.vendors import find_file


def has_script(vendor: str) -> bool:
    """Return whether a vendor's web SDK shows the page of a session."""
    return find_file(vendor, "page.mjs") is not None


def read_script(file_name: str) -> bytes | None:
    """Return a script of the page, `NAME.mjs` of a vendor's; None if there is no such file."""
    script = find_file(file_name.removesuffix(".mjs"), "page.mjs")
    if script is not None:
        return script.read_bytes()
    if file_name not in ("frame.mjs", "act.mjs"):
        return None
    return resources.files(__package__).joinpath(file_name).read_bytes()
