"""How much code one warm `FaceVerifier.verify` passes through: files and functions, by package.

    python benchmarks/call_path.py [--list]

Two calls of one verifier with `DiditBackend` against the mock over the loopback; the second one is
counted, in the thread that makes it. A function counts once, however often it is called; what a
comprehension, a lambda or a class body runs belongs to the function or the module around it.
`--list` names the functions. *policies* is the same call with budget, circuit breaker, rate limiter
and retry, which count as functions of the core.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facematch_core import FaceVerifier, open_verifier
from facematch_didit import DiditBackend
from facematch_mock_server import MockServer, make_card

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "facematch_core": ROOT / "facematch_core",
    "facematch_didit": ROOT / "backends" / "facematch_didit",
}
#: Of the core, what no call comes through.
BESIDE = ("comparison", "testing")

Function = tuple[str, str]


def functions_of(call: Callable[[], Any]) -> set[Function]:
    """Every Python function that `call` enters in this thread: its file and its name."""
    found: set[Function] = set()

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            code = frame.f_code
            name = code.co_qualname.partition(".<locals>.<")[0]
            found.add((code.co_filename, name))

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return {(file, name) for file, name in found if file != __file__}


def package_of(file: str) -> str:
    """Whose file it is."""
    path = Path(file).resolve()
    for name, folder in PACKAGES.items():
        if path.is_relative_to(folder):
            beside = path.relative_to(folder).parts[0] in BESIDE
            return "others" if beside else name
    return "others"


def warm_call(verifier: Any) -> set[Function]:
    """What the second call of `verifier` enters; its pictures are bytes that nobody has seen."""
    verifier.verify(make_card("p1"), make_card("p1", quality=70))
    pair = make_card("p2"), make_card("p2", quality=70)
    return functions_of(lambda: verifier.verify(*pair))


def profile_file(folder: Path, text: str) -> Path:
    """A configuration with one profile that has all four policies."""
    file = folder / "facematch.toml"
    file.write_text(text)
    return file


#: The tables of the policies: as they are called, and as they were called in 0.1.
TABLES = (
    ("budget", "circuit_breaker", "rate_limit", "retry"),
    ("budget", "breaker", "pacing", "retries"),
)


def with_policies(server: MockServer, folder: Path) -> Any:
    """A verifier with all four policies, opened from a profile."""
    from facematch_core import ConfigurationError

    (folder / "key").write_text(server.live_key)
    (folder / "key").chmod(0o600)
    said = {"budget": "calls = 100", "rate": "per_minute = 1000"}
    for names in TABLES:
        text = (
            '[profiles.all]\nbackend = "didit"\n[profiles.all.settings]\n'
            f'api_key = {{ file = "key" }}\nbase_url = "{server.url}"\n'
        )
        for name, what in zip(names, (said["budget"], "", said["rate"], ""), strict=True):
            text += f"[profiles.all.{name}]\n{what}\n"
        try:
            return open_verifier(profile="all", config=profile_file(folder, text))
        except ConfigurationError as error:
            problem = error
    raise problem


def report(title: str, found: set[Function]) -> None:
    """Print one small table."""
    print(f"{title:38}{'files':>7}{'functions':>11}")
    for package in (*PACKAGES, "others"):
        own = [(file, name) for file, name in found if package_of(file) == package]
        print(f"  {package:36}{len({file for file, _ in own}):7}{len(own):11}")


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description="Count what one call passes through.")
    parser.add_argument("--list", action="store_true", help="name the functions as well")
    asked = parser.parse_args()
    with MockServer() as server, tempfile.TemporaryDirectory() as folder:
        backend = DiditBackend(api_key=server.live_key, base_url=server.url)
        with FaceVerifier(backend) as verifier:
            found = warm_call(verifier)
        report("one warm verify()", found)
        with with_policies(server, Path(folder)) as verifier:
            report("the same with all four policies", warm_call(verifier))
    if asked.list:
        for file, name in sorted(found):
            if package_of(file) != "others":
                print(f"  {Path(file).relative_to(ROOT)}  {name}")


if __name__ == "__main__":
    main()
