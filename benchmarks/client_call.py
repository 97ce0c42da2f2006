"""Count the work of one warm `verify` with Didit: bytecodes, functions, files. Deterministic.

    python benchmarks/client_call.py [--rooms]

Uses the variants and pictures of `client_overhead`, 20 KB per picture. The program restarts itself
with an empty environment and a fixed hash seed, so the counts depend only on the code and Python's
version. Files and functions are facematch's, for the variant *bytes*.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
from pathlib import Path
from typing import Any

from _bench import count, print_files, restart_without_chance, verdict
from client_overhead import Client, Way, fresh, picture, server

#: Number of warm-up calls before the counted call.
WARM = 4
#: The most bytecodes per variant, as a multiple of bare requests.
MOST = {"image": 0.9, "bytes": 1.15, "policies": 1.24}


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description="Count the work of one verify.")
    parser.add_argument("--rooms", action="store_true", help="print the share of each file, too")
    options = parser.parse_args()
    restart_without_chance()
    files = picture(0, 20_000), picture(1, 20_000)
    first_pair = fresh([files])[0]
    with tempfile.TemporaryDirectory() as temporary, server(Path(temporary), first_pair) as port:
        client, ready = Client(port), (first_pair[0].prepared(), first_pair[1].prepared())
        clients: dict[str, tuple[Way, Any]] = {
            "bare": (client.bare(), ready),
            "image": (client.ours(), ready),
            "bytes": (client.ours(), files),
            "policies": (client.guarded(), files),
        }
        counts = {
            name: count(functools.partial(way, pair), WARM) for name, (way, pair) in clients.items()
        }
    bare = counts["bare"][0].total()
    print(f"bare requests: {bare} bytecodes")
    for name, limit in MOST.items():
        bytecodes = counts[name][0]
        verdict(
            f"{name}: {bytecodes.total()} bytecodes, times bare",
            bytecodes.total() / bare,
            most=limit,
        )
        if options.rooms:
            print_files(bytecodes)
    functions = counts["bytes"][1]
    print(
        f"{len(functions)} functions in {len({name for name, _ in functions})} files of facematch"
    )


if __name__ == "__main__":
    main()
