"""The application under drill: how it is called, started, killed and started again."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import attrs
import requests

#: Seconds to wait for an answer of the application.
ANSWER_S = 20.0
#: Seconds to wait for its start, which may compile it.
START_S = 60.0
#: Seconds to wait for a killed application to leave its ports.
_END_S = 10.0
#: How many lines of its output are shown.
_LAST_LINES = 20
#: What a test may pass instead of a URL or a command: a function of the customer's name.
Target: TypeAlias = "str | Callable[[str], Any]"


class ApplicationError(Exception):
    """The application cannot be played with; the message is one sentence."""


@attrs.frozen(kw_only=True)
class Answer:
    """What the application answered.

    Attributes:
        text: The body and the headers, or what a command printed.
        body: The body alone.
        status: The HTTP status, or 200 for a command that succeeded, else 500; None for no answer.
    """

    text: str = ""
    body: str = ""
    status: int | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the application did what it was asked for."""
        return self.status is not None and self.status < 400

    def __str__(self) -> str:
        return "nothing" if self.status is None else str(self.status)


def url_of(target: Target) -> str | None:
    """Return the URL of a target; None for a command or a function."""
    if not isinstance(target, str):
        return None
    last_word = target.rpartition(" ")[2]
    first_word = target.partition(" ")[0]
    is_url = target.startswith(("http://", "https://"))
    is_request = first_word.isupper() and last_word.startswith(("http://", "https://"))
    return last_word if is_url or is_request else None


def ask(target: Target, customer: str) -> Answer:
    """Ask the application for a customer: by HTTP, by a command, or by a function of a test."""
    if not isinstance(target, str):
        value = target(customer)
        if type(value) is int:
            return Answer(status=value)
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        return Answer(text=text, body=text, status=200)
    # Names that differ only in case have one e-mail address.
    target = target.replace("{email}", f"{customer.lower()}@shop.example")
    target = target.replace("{customer}", customer)
    url = url_of(target)
    if url is None:
        return _run(shlex.split(target))
    method, _, _ = target.rpartition(" ")
    try:
        with requests.Session() as http:
            # A proxy of the environment does not reach this machine.
            http.trust_env = False
            answer = http.request(method or "GET", url, timeout=ANSWER_S, allow_redirects=False)
    except requests.RequestException:
        return Answer()
    text = f"{answer.text}\n{dict(answer.headers)}"
    return Answer(text=text, body=answer.text.strip(), status=answer.status_code)


def _run(command: Sequence[str]) -> Answer:
    """Run the application's command.

    Return what it prints, as status 200, or 500 for another exit code. A command that is too slow
    is ended with its children, and is no answer. Raise ApplicationError if it cannot be run.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ApplicationError(f"{shlex.join(command)} cannot be run: {error.strerror}.") from None
    with process:
        try:
            printed, _ = process.communicate(timeout=ANSWER_S)
        except subprocess.TimeoutExpired:
            _kill_group(process)
            return Answer()
        except BaseException:
            # In its own session it gets no Ctrl-C.
            _kill_group(process)
            raise
    body = printed.strip()
    return Answer(text=body, body=body, status=500 if process.returncode else 200)


def _kill_group(process: subprocess.Popen[Any]) -> None:
    """Kill a process that leads a group, and all that it has started, at once."""
    if sys.platform == "win32":
        process.kill()
        return
    descendants = _descendants_of(process.pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for process_id in descendants:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)


def _descendants_of(process_id: int) -> list[int]:
    """Return what a process has started, also in groups of their own; on Linux alone."""
    parents = [process_id]
    for parent in parents:
        for file in Path(f"/proc/{parent}/task").glob("*/children"):
            # A thread may have ended meanwhile.
            with contextlib.suppress(OSError):
                parents += [int(child) for child in file.read_text().split()]
    return parents[1:]


def listens(url: str) -> bool:
    """Return whether somebody listens at a URL's port."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=1):
            return True
    except OSError:
        return False


def wait_until(is_done: Callable[[], object], seconds: float) -> bool:
    """Wait until something is done, for so many seconds at most; return whether it is."""
    gives_up_at = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > gives_up_at:
            return False
        time.sleep(0.02)
    return True


def wait_for_listeners(
    urls: Sequence[str],
    check_running: Callable[[], None] = lambda: None,
    last_words: Callable[[], str] = str,
) -> None:
    """Wait until somebody listens at each URL, which are those of an application that starts.

    Meanwhile `check_running` may raise. Raise ApplicationError, with the last words, if it does
    not listen in time.
    """

    def is_ready() -> bool:
        check_running()
        return all(listens(url) for url in urls)

    if not wait_until(is_ready, START_S):
        raise ApplicationError(
            f"The application does not listen at {urls[0]} within {START_S:.0f} s.{last_words()}"
        )


def wait_for_word(state: str) -> None:
    """Wait until the command of an application that starts says a word; at most as for a start.

    It may say none of a customer whom it does not know, so that is no failure.
    """

    def says_one() -> bool:
        answer = ask(state, "nobody")
        return answer.is_accepted and answer.body != ""

    wait_until(says_one, START_S)


class Program:
    """The application as a child process, in a group of its own that is killed with it.

    Args:
        command: The command that starts it.
        environment: Its environment.
        urls: Where it must listen before it is played with.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], urls: Sequence[str]
    ) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._urls = urls
        self._process: subprocess.Popen[bytes] | None = None
        # A file that is open twice: reading it does not move the place where the program writes.
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._output = Path(self._folder.name) / "output"
        self._output.touch()

    def start(self) -> None:
        """Start it, and wait until it listens. Raises ApplicationError."""
        for url in self._urls:
            if listens(url):
                raise ApplicationError(
                    f"Port {urlsplit(url).port} is taken by another program: end that one, or give "
                    "the application another port."
                )
        name = self._command[0]
        path = shutil.which(name, path=self._environment.get("PATH")) or name
        try:
            with self._output.open("ab") as output:
                self._process = subprocess.Popen(  # noqa: S603 - the user's own command
                    [path, *self._command[1:]],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise ApplicationError(f"Command {name!r} cannot be run: {error.strerror}.") from None
        wait_for_listeners(self._urls, self.check_running, self._last_words)
        self.check_running()

    def exit_code(self) -> int | None:
        """Return the exit code if the application has ended by itself; else None."""
        return None if self._process is None else self._process.poll()

    def check_running(self) -> None:
        """Raise ApplicationError if the application has ended by itself."""
        exit_code = self.exit_code()
        if exit_code is not None:
            raise ApplicationError(
                f"The application ended by itself with exit code {exit_code}.{self._last_words()}"
            )

    def kill(self) -> None:
        """Kill its whole group at once, as a crash does."""
        process, self._process = self._process, None
        if process is None:
            return
        _kill_group(process)
        process.wait()

    def restart(self) -> None:
        """Kill it, and start it again."""
        self.kill()
        # What the killed process has started, such as node by npm, may end later.
        wait_until(lambda: not any(listens(url) for url in self._urls), _END_S)
        self.start()

    def close(self) -> None:
        """Kill it, and forget its output."""
        self.kill()
        self._folder.cleanup()

    def output_size(self) -> int:
        """Return how many bytes it has written."""
        return self._output.stat().st_size

    def last_lines(self, number: int = _LAST_LINES, since: int = 0) -> list[str]:
        """Return the last lines that it has written, of those after so many bytes."""
        written = self._output.read_bytes()[since:].decode(errors="replace")
        lines = [line.strip()[:200] for line in written.split("\n") if line.strip()]
        return lines[-number:]

    def _last_words(self) -> str:
        lines = self.last_lines(1)
        return f" Its last line: {lines[0]}" if lines else ""
