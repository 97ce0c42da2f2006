"""The contract, run by pytest in this process: what came out, rule by rule and case by case.

Whoever calls it may have pytest settings, plug-ins and a conftest of their own, or be a test
themselves. None of that takes part: the same backend gets the same card everywhere. Warnings count
for nothing, because no rule speaks of them, and which ones there are depends on what else is
installed.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from ._double import VendorDouble
from ._reasons import Masked, in_one_line

SUITE = Path(__file__).with_name("_suite.py")

#: Our own frame and nobody else's: no file of settings, no conftest, no cache on disk.
ARGUMENTS = (
    str(SUITE),
    f"--rootdir={SUITE.parent}",
    f"--config-file={os.devnull}",
    "--import-mode=importlib",
    "--noconftest",
    "-pno:cacheprovider",
    "-pno:logging",
    "-pno:faulthandler",
    "-Wignore",
    "--tb=no",
    "--no-summary",
    "--no-header",
)

#: No plug-in of other distributions, and no word of the shell.
_ENVIRONMENT = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_ADDOPTS": None,
    "PYTEST_PLUGINS": None,
    # Of the test that is the caller, if one is; the inner run would take it away.
    "PYTEST_CURRENT_TEST": None,
}

#: Makes the double that one run of the contract is about.
MakeDouble = Callable[[], VendorDouble]

#: Told after each case: how many are done, and of how many.
Progress = Callable[[int, int], None]


class Status(enum.StrEnum):
    """What came out of a rule, or of one of its cases."""

    #: It was run, and kept.
    PASSED = "passed"
    #: It was run, and broken; or it could not be run to its end.
    FAILED = "failed"
    #: It was not run, and could be with a double that can do more.
    OPEN = "open"
    #: It speaks of something that the backend does not declare, or that its vendor does not know.
    DOES_NOT_APPLY = "does_not_apply"


@attrs.frozen(kw_only=True)
class Case:
    """What came out of one case of a rule.

    Attributes:
        rule: The rule's number.
        name: What tells it from the other cases of its rule; empty if it is the only one.
        status: What came out.
        reason: Why, in one line; empty if it passed.
    """

    rule: str
    name: str
    status: Status
    reason: str = ""


def run(
    subjects: Mapping[str, MakeDouble],
    *,
    pure_only: bool = False,
    aimed: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, tuple[Case, ...]]:
    """Run the contract over each subject.

    Args:
        subjects: By name; a fresh double is made for each case.
        pure_only: Only the rules that ask the vendor nothing.
        aimed: Numbers of rules, by the names of subjects about which nothing but that rule is
            asked, and no more of its cases than it takes until one fails.
        secrets: Texts that may stand in no reason, beside the secrets of the doubles.
        progress: Told after each case.

    Returns:
        The cases of each subject, in the order of the rules.

    Raises:
        KeyboardInterrupt: it was stopped.
        RuntimeError: pytest could not run it at all.
    """
    recorder = _Recorder(
        subjects, pure_only=pure_only, aimed=aimed or {}, secrets=secrets, progress=progress
    )
    with _environment(), contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main(list(ARGUMENTS), plugins=[recorder])
    if recorder.stopped:
        raise KeyboardInterrupt
    ran = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
    if code not in ran:
        raise RuntimeError(f"pytest could not run the rules:\n{said.getvalue()}")
    return {name: tuple(cases.values()) for name, cases in recorder.cases.items()}


class _Recorder:
    """A plug-in of pytest that hands the subjects in and notes what comes out."""

    def __init__(
        self,
        subjects: Mapping[str, MakeDouble],
        *,
        pure_only: bool,
        aimed: Mapping[str, str],
        secrets: Sequence[str],
        progress: Progress | None,
    ) -> None:
        self.cases: dict[str, dict[str, Case]] = {name: {} for name in subjects}
        self.stopped = False
        # Two subjects may be made by one and the same class.
        self._subjects = {name: functools.partial(make) for name, make in subjects.items()}
        self._names = {id(make): name for name, make in self._subjects.items()}
        self._pure_only = pure_only
        self._aimed = aimed
        self._secrets = secrets
        self._progress = progress
        self._total = self._done = 0

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        rule = _rule(metafunc.definition)
        asked = {n: make for n, make in self._subjects.items() if self._aimed.get(n, rule) == rule}
        metafunc.parametrize("subject", list(asked.values()), ids=list(asked))

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        # A rule that nobody is asked about has one item, about nothing.
        items[:] = [
            item
            for item in items
            if id(item.callspec.params["subject"]) in self._names
            and not (self._pure_only and not getattr(item.function, "asks_nothing", False))
        ]
        order = {name: place for place, name in enumerate(self._subjects)}
        items.sort(key=lambda item: (order[self._subject(item)], _rule(item)))
        self._total = len(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Function) -> bool | None:
        name = self._subject(item)
        cases = self.cases[name].values() if name in self._aimed else ()
        if all(case.status is not Status.FAILED for case in cases):
            return None
        self.pytest_runtest_logfinish()
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Function, call: pytest.CallInfo[None]
    ) -> Iterator[None]:
        report = yield
        case = self._judged(item, call, report)
        if case is not None:
            self.cases[self._subject(item)][item.nodeid] = case
        return report

    def pytest_runtest_logfinish(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.stopped = excinfo.errisinstance(KeyboardInterrupt)

    def _subject(self, item: pytest.Function) -> str:
        return self._names[id(item.callspec.params["subject"])]

    def _judged(
        self, item: pytest.Function, call: pytest.CallInfo[None], report: Any
    ) -> Case | None:
        """A case, if this phase of it has something to say."""
        status, reason = Status.PASSED, ""
        if call.excinfo is None:
            if call.when != "call":
                return None
        elif report.skipped:
            status, reason = _skipped(call.excinfo.value)
        else:
            double = item.funcargs.get("double")
            secrets = (*self._secrets, *getattr(double, "secrets", ()))
            when = "" if call.when == "call" else f"{_PHASES[call.when]}: "
            status = Status.FAILED
            reason = when + in_one_line(call.excinfo, Masked(secrets))
        return Case(rule=_rule(item), name=_name(item), status=status, reason=reason)


#: What the phases around a rule do.
_PHASES = {"setup": "before the rule", "teardown": "after the rule"}


def _rule(item: pytest.Function) -> str:
    return item.originalname.split("_")[1].upper()


def _name(item: pytest.Function) -> str:
    others = (value for key, value in item.callspec.params.items() if key != "subject")
    return ", ".join(str(getattr(value, "value", value)) for value in others)


def _skipped(skip: BaseException) -> tuple[Status, str]:
    # Not above: whoever imports the kit before pytest runs would get assertions that say nothing.
    from ._contract._bench import DOES_NOT_APPLY, NOT_TESTED

    reason = str(skip)
    if reason.startswith(DOES_NOT_APPLY):
        return Status.DOES_NOT_APPLY, reason.removeprefix(DOES_NOT_APPLY)
    return Status.OPEN, reason.removeprefix(NOT_TESTED)


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    _set(_ENVIRONMENT)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
