"""How much code one warm call passes through, of a client and of the mock: files and functions.

    python benchmarks/call_path.py [--list]

Two calls of one verifier with `DiditBackend` against the mock over the loopback; the second one is
counted, in the thread that makes it. *one warm mocked call* is a face match that requests sends to
a server: what of the mock is entered on its loop between request and answer; both pictures were
sent before, and what attrs generates does not count. A function counts once, however often it is
called; what a comprehension, a lambda or a class body runs belongs to the function or the module
around it.
`--list` names the functions. *policies* is the same call with budget, circuit breaker, rate limiter
and retry, which count as functions of the core.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

import facematch_core
import facematch_didit
import facematch_mock_server
from facematch_core import FaceVerifier, open_verifier
from facematch_didit import DiditBackend
from facematch_mock_server import MockServer, make_card

PACKAGES = {
    package.__name__: Path(package.__file__).resolve().parent
    for package in (facematch_core, facematch_didit, facematch_mock_server)
}
#: Of the core, what no call comes through.
BESIDE = ("comparison", "testing")

Function = tuple[str, str]


class Counter:
    """Every Python function that is entered while it counts: its file and its name."""

    def __init__(self) -> None:
        self.functions: set[Function] = set()
        self.is_counting = False

    def note(self, frame: Any, event: str, _: Any) -> None:
        """What `sys.setprofile` calls."""
        if self.is_counting and event == "call" and frame.f_code.co_filename != __file__:
            name = frame.f_code.co_qualname.partition(".<locals>.<")[0]
            self.functions.add((frame.f_code.co_filename, name))


def functions_of(call: Callable[[], Any]) -> set[Function]:
    """Every Python function that `call` enters in this thread."""
    counter = Counter()
    counter.is_counting = True
    sys.setprofile(counter.note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return counter.functions


def functions_of_server() -> set[Function]:
    """Every Python function that a server enters for one warm face match, on its loop."""
    counter = Counter()
    threading.setprofile(counter.note)  # for threads that begin from now on
    with MockServer() as server, requests.Session() as session:
        threading.setprofile(None)  # type: ignore[arg-type]  # as the documentation has it
        headers = {"x-api-key": server.live_key}
        files = {name: (f"{name}.png", make_card("p1")) for name in ("user_image", "ref_image")}
        for counter.is_counting in (False, False, True):
            reply = session.post(f"{server.url}/v3/face-match/", headers=headers, files=files)
            reply.raise_for_status()
        counter.is_counting = False
    return counter.functions


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
    tables = {"budget": "calls = 100", "rate": "per_minute = 1000"}
    for names in TABLES:
        text = (
            '[profiles.all]\nbackend = "didit"\n[profiles.all.settings]\n'
            f'api_key = {{ file = "key" }}\nbase_url = "{server.url}"\n'
        )
        for name, what in zip(names, (tables["budget"], "", tables["rate"], ""), strict=True):
            text += f"[profiles.all.{name}]\n{what}\n"
        try:
            return open_verifier(profile="all", config=profile_file(folder, text))
        except ConfigurationError as error:
            problem = error
    raise problem


def report(title: str, functions: set[Function]) -> None:
    """Print one small table, of the packages that the call comes through."""
    print(f"{title:38}{'files':>7}{'functions':>11}")
    for package in (*PACKAGES, "others"):
        entered = [(file, name) for file, name in functions if package_of(file) == package]
        if entered:
            print(f"  {package:36}{len({file for file, _ in entered}):7}{len(entered):11}")


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description="Count what one call passes through.")
    parser.add_argument("--list", action="store_true", help="name the functions as well")
    arguments = parser.parse_args()
    with MockServer() as server, tempfile.TemporaryDirectory() as folder:
        backend = DiditBackend(api_key=server.live_key, base_url=server.url)
        with FaceVerifier(backend) as verifier:
            functions = warm_call(verifier)
        report("one warm verify()", functions)
        with with_policies(server, Path(folder)) as verifier:
            report("the same with all four policies", warm_call(verifier))
    mocked = functions_of_server()
    report("one warm mocked call", mocked)
    if arguments.list:
        for file, name in sorted(functions | mocked):
            if (package := package_of(file)) != "others":
                print(f"  {package}/{Path(file).resolve().relative_to(PACKAGES[package])}  {name}")


if __name__ == "__main__":
    main()
