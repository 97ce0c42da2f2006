"""From a backend's name to its conformance report: the contract, run by pytest in this process.

Whoever calls it may have pytest settings, plug-ins and a conftest of their own, or be a test
themselves. None of that takes part: the same backend gets the same report everywhere. Warnings
count for nothing, because no rule speaks of them, and which ones there are depends on what else is
installed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import io
import os
import platform
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from facematch_core import __version__, plugins
from facematch_core.backend import Backend, Secret
from facematch_core.config import Plan
from facematch_core.errors import BackendUnavailable, ConfigurationError, FaceMatchError
from facematch_core.kinds import choices_of
from facematch_core.plugins import available_backends, backend_class
from facematch_core.settings import declared_settings, resolve_settings

from .report import (
    DOES_NOT_APPLY,
    NOT_TESTED,
    SIMULATOR_FAILED,
    Case,
    ConformanceReport,
    RuleLine,
    Status,
    proved,
)
from .simulator import Situation, VendorSimulator

#: The entry-point group that simulators join: name of the backend to a subclass of
#: `VendorSimulator`, which is called without arguments.
GROUP = "facematch.simulators"

#: Why most rules are open where nobody plays the vendor.
NO_SIMULATOR = f"no simulator is installed: entry-point group {GROUP}"

#: Makes the simulator that one run of the contract is about.
MakeSimulator = Callable[[], VendorSimulator]

#: Called after each case: how many are done, and of how many.
Progress = Callable[[int, int], None]


def conformance(
    backend: str | type[Backend],
    *,
    simulator: type[VendorSimulator] | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> ConformanceReport:
    """Run every rule of the contract over a backend.

    The vendor's simulator is found by the backend's name in the entry-point group
    ``facematch.simulators``. Without one only the rules that ask the vendor nothing are run, over
    the backend's class opened with placeholders for its keys; the report says so. Nothing is sent
    beyond this machine, and no key of the environment is read.

    Args:
        backend: Name of an installed backend, or its class.
        simulator: Its simulator, instead of the one that is installed.
        settings: Settings of the backend, over those that the simulator or the placeholders give
            it.
        progress: Called after each case with how many are done, and of how many.

    Raises:
        BackendUnavailable: there is no such backend, or it or its simulator cannot be imported or
            opened.
        ConfigurationError: the backend refuses its settings, or needs one that is no secret; or
            Python was asked to leave assertions out.
    """
    if not __debug__:
        raise ConfigurationError(
            "The rules are assertions, which Python leaves out with -O and PYTHONOPTIMIZE: run it "
            "without them."
        )
    cls, distribution, version = _found(backend)
    playing = simulator_of(cls.name) if simulator is None else FoundSimulator(cls=simulator)
    given = dict(settings or {})
    values = (value.reveal() if isinstance(value, Secret) else value for value in given.values())
    secrets = tuple(value for value in values if isinstance(value, str))
    make: MakeSimulator = functools.partial(Alone, cls, given)
    if playing is not None:
        make = functools.partial(_with_settings, playing.cls, given)
    opened = _tried(make, cls, playing, secrets)
    cases = run({cls.name: make}, pure_only=playing is None, secrets=secrets, progress=progress)
    lines = rule_lines(cases[cls.name])
    return ConformanceReport(
        backend=cls.name,
        distribution=distribution,
        version=version,
        simulator=None if playing is None else playing.cls.__name__,
        simulator_distribution=None if playing is None else playing.distribution,
        simulator_version=None if playing is None else playing.version,
        settings=tuple(sorted(given)),
        core_version=__version__,
        python_version=platform.python_version(),
        made_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
        rules=lines,
        capabilities=proved(opened, {line.number: line.status for line in lines}),
    )


def rule_lines(cases: Iterable[Case]) -> tuple[RuleLine, ...]:
    """What came out, rule by rule; a rule that was not run is open for want of a simulator."""
    # Not above: whoever imports the kit before pytest runs would get assertions that say nothing.
    from .contract import rules

    cases = tuple(cases)
    return tuple(
        RuleLine.of(
            rule.number,
            rule.title,
            (case for case in cases if case.rule == rule.number),
            NO_SIMULATOR,
        )
        for rule in rules()
    )


def _found(backend: object) -> tuple[type[Backend], str | None, str | None]:
    """A backend's class, and the distribution and version that offer it, if any does."""
    if isinstance(backend, str):
        cls = backend_class(backend)
    elif isinstance(backend, type) and issubclass(backend, Backend):
        cls = backend
    else:
        raise ConfigurationError(
            "conformance takes the name or the class of a backend, not "
            f"{type(backend).__name__}: give it type(backend)."
        )
    for info in available_backends():
        if info.name == cls.name and info.problem is None:
            with contextlib.suppress(FaceMatchError):
                if backend_class(info.name) is cls:
                    return cls, info.distribution, info.version or None
    return cls, None, None


@attrs.frozen(kw_only=True)
class FoundSimulator:
    """The simulator of one backend.

    Attributes:
        cls: Its class.
        distribution, version: Who offers it; None if it was handed over and not found.
    """

    cls: type[VendorSimulator]
    distribution: str | None = None
    version: str | None = None


def simulator_of(name: str) -> FoundSimulator | None:
    """The simulator for the backend of this name, imported now; None if nobody offers one.

    Raises:
        BackendUnavailable: two distributions offer one, a stranger offers one for a backend of
            ours, its import fails, or it is no `VendorSimulator`.
    """
    found = plugins.load(GROUP, name, "simulator")
    if found is None:
        return None
    loaded, point = found
    if not (isinstance(loaded, type) and issubclass(loaded, VendorSimulator)):
        raise BackendUnavailable(
            f"The simulator {name} of {plugins.distribution(point)} is no subclass of "
            "facematch_core.testing.VendorSimulator: report this to its author."
        )
    return FoundSimulator(
        cls=loaded, distribution=plugins.distribution(point), version=plugins.version(point)
    )


def _with_settings(simulator: type[VendorSimulator], given: Mapping[str, Any]) -> VendorSimulator:
    made = simulator()
    if given:
        # Under whatever the rule itself sets, over what the simulator would choose.
        made.backend = functools.partial(made.backend, **given)  # type: ignore[method-assign]  # on this one object
    return made


def _tried(
    make: MakeSimulator,
    cls: type[Backend],
    playing: FoundSimulator | None,
    secrets: Sequence[str],
) -> Backend:
    """The backend as the rules will meet it, opened and closed once.

    A simulator that cannot be started would else fail every rule, one by one.
    """
    try:
        with make() as simulator:
            opened = simulator.backend()
            opened.close()
    except FaceMatchError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a simulator raises is its own fault
        reason = masked(f"{type(error).__name__}: {error}", secrets)[:LONGEST]
    else:
        if isinstance(opened, cls):
            return opened
        reason = f"it opens {type(opened).__name__}, which is no {cls.__name__}"
    who = f"The backend {cls.name}"
    if playing is not None:
        of = f" of {playing.distribution}" if playing.distribution else ""
        who = f"The simulator {playing.cls.__name__}{of}"
    raise BackendUnavailable(f"{who} cannot be used ({reason}).")


# --- With nobody behind it ------------------------------------------------------------------------


class Alone(VendorSimulator):
    """A backend with nobody behind it: in the simulator's place for the rules marked `pure`.

    Each secret that the backend needs is a placeholder. Another setting that it needs cannot be
    guessed: a region, a scale or an address means something.

    Args:
        cls: The backend's class.
        given: Settings that it cannot do without, of their declared types.

    Raises:
        ConfigurationError: a setting is needed that can neither be guessed nor is given.
    """

    situations = frozenset()
    requests_seen = 0
    charges = 0

    def __init__(self, cls: type[Backend], given: Mapping[str, Any] | None = None) -> None:
        self._class = cls
        self._settings = dict(given or {})
        for name, (wanted, default) in declared_settings(cls).items():
            if Secret in choices_of(wanted):
                value = self._settings.get(name)
                if value is None and default is attrs.NOTHING:
                    # Each has its own, so that a report shows which of two keys it has met.
                    value = f"placeholder-{name}-7c1e90d2"
                if isinstance(value, str):
                    self._settings[name] = Secret(value, origin="placeholder")
            elif name not in self._settings and default is attrs.NOTHING:
                raise ConfigurationError(
                    f"The backend {cls.name} needs {name}, for which there is no placeholder: give "
                    f"it with --set {name}=VALUE, or declare it as a Secret if it is one."
                )
        self.secrets = tuple(v.reveal() for v in self._settings.values() if isinstance(v, Secret))

    def backend(self, **settings: Any) -> Backend:
        if settings:
            # Then it is the class itself that judges them.
            return self._class(**self._settings | settings)
        # As `open_verifier` opens it, but that the environment's keys stay out of it.
        found = resolve_settings(
            self._class, given=self._settings, in_file={}, where="", folder=Path(), environ={}
        )
        return Plan(backend=self._class, settings=found, profile=None).open_backend()

    def set_situation(
        self, situation: Situation, *, score: float | None = None, step: int | None = None
    ) -> None:
        raise NotImplementedError(f"Nobody is behind {self._class.name}: give it a simulator.")


# --- The run of pytest ----------------------------------------------------------------------------

_SUITE = Path(__file__).with_name("_suite.py")

#: Our own frame and nobody else's: no file of settings, no conftest, no cache on disk.
ARGUMENTS = (
    str(_SUITE),
    f"--rootdir={_SUITE.parent}",
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

#: No plug-in of other distributions, no word of the shell, and nothing of the test that is the
#: caller, if one is; the inner run would take it away.
_ENVIRONMENT = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_ADDOPTS": None,
    "PYTEST_PLUGINS": None,
    "PYTEST_CURRENT_TEST": None,
}


def run(
    subjects: Mapping[str, MakeSimulator],
    *,
    pure_only: bool = False,
    aimed: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, tuple[Case, ...]]:
    """Run the contract over each subject.

    Args:
        subjects: By name; a fresh simulator is made for each case.
        pure_only: Only the rules that ask the vendor nothing.
        aimed: Numbers of rules, by the names of subjects about which nothing but that rule is
            asked, and no more of its cases than it takes until one fails.
        secrets: Texts that may be in no reason, beside the secrets of the simulators.
        progress: Called after each case.

    Returns:
        The cases of each subject, in the order of the rules.

    Raises:
        KeyboardInterrupt: it was stopped.
        RuntimeError: pytest could not run it at all.
    """
    recorder = _Recorder(
        # Two subjects may be made by one and the same class.
        subjects={name: functools.partial(make) for name, make in subjects.items()},
        cases={name: {} for name in subjects},
        pure_only=pure_only,
        aimed=aimed or {},
        secrets=secrets,
        progress=progress,
    )
    with _environment(_ENVIRONMENT), contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main(list(ARGUMENTS), plugins=[recorder])
    if recorder.stopped:
        raise KeyboardInterrupt
    ran = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
    if code not in ran:
        raise RuntimeError(f"pytest could not run the rules:\n{said.getvalue()}")
    return {name: tuple(cases.values()) for name, cases in recorder.cases.items()}


@attrs.define(kw_only=True)
class _Recorder:
    """A plug-in of pytest that hands the subjects in and notes what comes out."""

    subjects: dict[str, MakeSimulator]
    cases: dict[str, dict[str, Case]]
    pure_only: bool
    aimed: Mapping[str, str]
    secrets: Sequence[str]
    progress: Progress | None
    stopped: bool = False
    total: int = 0
    done: int = 0

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        rule = _rule(metafunc.definition)
        asked = {n: make for n, make in self.subjects.items() if self.aimed.get(n, rule) == rule}
        metafunc.parametrize("subject", list(asked.values()), ids=list(asked))

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        # A rule that nobody is asked about has one item, about nothing.
        order = [id(make) for make in self.subjects.values()]
        items[:] = [
            item
            for item in items
            if id(item.callspec.params["subject"]) in order
            and not (self.pure_only and not getattr(item.function, "asks_nothing", False))
        ]
        items.sort(key=lambda i: (order.index(id(i.callspec.params["subject"])), _rule(i)))
        self.total = len(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Function) -> bool | None:
        name = self._subject(item)
        cases = self.cases[name].values() if name in self.aimed else ()
        if all(case.status is not Status.FAILED for case in cases):
            return None
        self.pytest_runtest_logfinish()
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Function, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, Any]:
        report = yield
        if call.excinfo is not None or call.when == "call":
            status, reason = Status.PASSED, ""
            if call.excinfo is not None and report.skipped:
                status, reason = _skipped(str(call.excinfo.value))
            elif call.excinfo is not None:
                simulator = item.funcargs.get("simulator")
                hidden = (*self.secrets, *getattr(simulator, "secrets", ()))
                when = _PHASES.get(call.when, "")
                if getattr(simulator, "_problem", None) is call.excinfo.value:
                    reason = _of_simulator(call.excinfo.value, simulator, hidden)
                else:
                    reason = when + in_one_line(call.excinfo, hidden)
                status = Status.FAILED
            others = (v for key, v in item.callspec.params.items() if key != "subject")
            name = ", ".join(str(getattr(value, "value", value)) for value in others)
            case = Case(rule=_rule(item), name=name, status=status, reason=reason)
            self.cases[self._subject(item)][item.nodeid] = case
        return report

    def pytest_runtest_logfinish(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.stopped = excinfo.errisinstance(KeyboardInterrupt)

    def _subject(self, item: pytest.Function) -> str:
        subject = item.callspec.params["subject"]
        return next(name for name, make in self.subjects.items() if make is subject)


#: What the phases around a rule do.
_PHASES = {"setup": "before the rule: ", "teardown": "after the rule: "}


def _rule(item: pytest.Function) -> str:
    return item.originalname.split("_")[1].upper()


def _skipped(reason: str) -> tuple[Status, str]:
    if reason.startswith(DOES_NOT_APPLY):
        return Status.DOES_NOT_APPLY, reason.removeprefix(DOES_NOT_APPLY)
    return Status.OPEN, reason.removeprefix(NOT_TESTED)


@contextlib.contextmanager
def _environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    for name in variables:
        os.environ.pop(name, None)
    os.environ.update({name: value for name, value in variables.items() if value is not None})
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in before.items() if value is not None})


# --- Why a rule failed, in one line that may be shown to anybody ----------------------------------

#: Longest reason, in characters.
LONGEST = 300

#: Folders of people and of the system that are no part of what went wrong.
_PLACES = re.compile(r"/(?:home|Users|root|tmp|private|var)(?:/[^\s'\"<>:,()]+)*/")


def masked(text: str, secrets: Iterable[str]) -> str:
    """`text` without secrets of 6 characters or more, and without paths of this machine."""
    hidden = {secret: "***" for secret in secrets if len(secret) >= 6}
    folders = {sys.prefix, sys.base_prefix, tempfile.gettempdir(), str(Path.cwd()), *sys.path}
    folders |= {os.path.realpath(folder) for folder in folders}
    hidden |= {one: "..." for one in folders if Path(one).is_absolute() and len(one) > 1}
    for shown in sorted(hidden, key=len, reverse=True):
        text = text.replace(shown, hidden[shown])
    return _PLACES.sub(".../", text)


def in_one_line(caught: pytest.ExceptionInfo[BaseException], secrets: Iterable[str] = ()) -> str:
    """What a failed rule saw.

    An assertion's own words if it has some, else the assertion with the values that it met.
    """
    text = " ".join(masked(_told(caught), secrets).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 4] + " ..."


def _of_simulator(error: BaseException, simulator: object, secrets: Iterable[str]) -> str:
    """What a simulator failed with, and where in its own file."""
    cls = type(simulator)
    own = sys.modules[cls.__module__].__file__
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == own]
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = " ".join(masked(f"{type(error).__name__}: {error}", secrets).split())[:LONGEST]
    return f"{SIMULATOR_FAILED}{text} in {cls.__name__}.answer{place}"


def _told(caught: pytest.ExceptionInfo[BaseException]) -> str:
    error = caught.value
    text = str(error)
    if isinstance(error, pytest.fail.Exception):
        return text
    if not isinstance(error, AssertionError):
        # Where it was, of what a simulator raised: its author looks for it.
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        return (f"{type(error).__name__}: {text}" if text else type(error).__name__) + notes
    if not text:
        # pytest met this module too late to rewrite its assertions.
        return str(caught.traceback[-1].statement)
    first, _, _ = text.partition("\n")
    # An assertion without words of its own goes on: what stood where.
    return text.replace("\n +  where", ", where") if first.startswith("assert ") else first
