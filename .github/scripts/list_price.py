"""Print how many calls a run may make to a vendor, and the vendor's list price, as Markdown.

    python .github/scripts/list_price.py didit 20

The price is the one of the page "Which vendor?", from the vendor's facts.toml. Needs only the
standard library.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

BACKENDS = Path(__file__).parents[2] / "backends"


def list_price(vendor: str, max_calls: str) -> str:
    """Return the sentence. Raises ValueError if the vendor is unknown or the number is not one."""
    files = {file.parent.name.partition("_")[2]: file for file in BACKENDS.glob("*/facts.toml")}
    if vendor not in files:
        raise ValueError(f"unknown vendor {vendor!r:.40}; known: {', '.join(sorted(files))}")
    if not max_calls.isdecimal() or int(max_calls) == 0:
        raise ValueError(f"{max_calls!r:.40} is no number of calls, such as 20")
    price = tomllib.loads(files[vendor].read_text(encoding="utf-8"))["price"]
    return f"At most {int(max_calls)} calls to {vendor}. List price: {price}."


def main() -> None:
    """Print the sentence, or the reason why there is none."""
    try:
        _, vendor, max_calls = sys.argv
        print(list_price(vendor, max_calls))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
