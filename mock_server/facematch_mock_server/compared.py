"""When mocks were compared with the real vendors, as `docs/vendors/compared.toml` says.

`docs/_compared.py` adds a comparison to the file, and checks what `facematch parity` reported.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from functools import cache
from pathlib import Path

import attrs

#: In a wheel; a checkout has it in docs/vendors.
FILE_IN_WHEEL = Path(__file__).with_name("compared.toml")
FILE_IN_CHECKOUT = Path(__file__).parents[2] / "docs/vendors/compared.toml"


@attrs.frozen(kw_only=True)
class Comparison:
    """A recording of a vendor's answers, compared with the mock's.

    Attributes:
        vendor: The vendor's name.
        date: The day of the recording.
        mock: The version of facematch whose mock was compared.
        exchanges: The number of recorded calls, those that the mock does not imitate included.
        alike: The calls that the mock answered in the same way.
        different: The calls that it answered in another way.
        report: The file of the report, in docs/vendors.
        recording: The SHA-256 of the recording, which is not kept.
        image: The image that answered, ``NAME@sha256:...``.
        software: The software that answered: ``deepface 0.0.103 (PyPI)``. None, as `image`, if the
            vendor's own hosts did.
        stand_ins: The models of the software whose weights were stand-ins, so that only the form of
            what they say was compared.
    """

    vendor: str
    date: dt.date
    mock: str
    exchanges: int
    alike: int
    different: int
    report: str
    recording: str
    image: str | None = None
    software: str | None = None
    stand_ins: str | None = None


@cache
def read_comparisons() -> tuple[Comparison, ...]:
    """Return all comparisons, oldest first; none if no vendor was ever compared."""
    file = FILE_IN_WHEEL if FILE_IN_WHEEL.exists() else FILE_IN_CHECKOUT
    rows = tomllib.loads(file.read_text(encoding="utf-8")).get("comparison", [])
    comparisons = [Comparison(**row) for row in rows]
    return tuple(sorted(comparisons, key=lambda comparison: comparison.date))


def latest_comparison(vendor: str) -> Comparison | None:
    """Return the latest comparison of a vendor; None if it was never compared."""
    latest = None
    for comparison in read_comparisons():
        if comparison.vendor == vendor:
            latest = comparison
    return latest
