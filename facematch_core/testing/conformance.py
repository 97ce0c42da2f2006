"""From a backend's name to its conformance report: each rule of the contract, in this process."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import logging
import os
import platform
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import pytest

from facematch_core import __version__, plugins
from facematch_core.backend import Backend, Secret
from facematch_core.config import Plan
from facematch_core.deadline import Deadline
from facematch_core.errors import BackendUnavailable, ConfigurationError, FaceMatchError
from facematch_core.kinds import choices_of
from facematch_core.plugins import available_backends, backend_class
from facematch_core.settings import declared_settings, resolve_settings
from facematch_core.threads import HelperThreads, StillRunning

from . import report as reports
from .bench import Bench, raised
from .contract import BackendContract, Rule
from .contract import rules as all_rules
from .report import DOES_NOT_APPLY, NOT_TESTED, Case, ConformanceReport, RuleLine, Status
from .simulator import GOOD, Situation, VendorSimulator

#: The entry-point group that simulators join: name of the backend to a subclass of
#: `VendorSimulator`, which is called without arguments.
GROUP = "facematch.simulators"

#: Why most rules are open where nobody plays the vendor.
NO_SIMULATOR = f"no simulator is installed: entry-point group {GROUP}"

#: Seconds that a good call at a simulator may take, of which the contract makes hundreds; and how
#: often it is tried: the first one may load an engine.
CALL_S, TRIES = 1.0, 2

#: Seconds of a whole run: what is under way then is given up, and nothing further is begun.
RUN_S = 300.0

MakeSimulator = Callable[[], VendorSimulator]
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

    A backend whose good calls take more than a second each at its simulator fails without any rule
    being run, and a run ends after five minutes, whatever a rule waits for.

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
    playing = simulator_of(cls.name) if simulator is None else FoundSimulator(simulator)
    given = dict(settings or {})
    values = (value.reveal() if isinstance(value, Secret) else value for value in given.values())
    secrets = tuple(value for value in values if isinstance(value, str))
    make: MakeSimulator = functools.partial(Alone, cls, given)
    if playing is not None:
        make = functools.partial(_with_settings, playing.cls, given)
    opened = _tried(make, cls, playing, secrets)
    if playing is not None and (slow := too_slow(make)):
        cases = tuple(Case(rule.number, "", Status.FAILED, slow) for rule in all_rules())
    else:
        cases = run_rules(make, pure_only=playing is None, secrets=secrets, progress=progress)
    lines = rule_lines(cases)
    return ConformanceReport(
        backend=cls.name,
        distribution=distribution,
        version=version,
        simulator=playing and playing.cls.__name__,
        simulator_distribution=playing and playing.distribution,
        simulator_version=playing and playing.version,
        settings=tuple(sorted(given)),
        core_version=__version__,
        python_version=platform.python_version(),
        made_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
        rules=lines,
        capabilities=reports.proved(opened, {line.number: line.status for line in lines}),
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


class FoundSimulator(NamedTuple):
    """A simulator, and who offers it; None for one that was handed over."""

    cls: type[VendorSimulator]
    distribution: str | None = None
    version: str | None = None


def simulator_of(name: str) -> FoundSimulator | None:
    """The simulator for the backend of this name, imported now; None if nobody offers one."""
    found = plugins.load(GROUP, name, "simulator")
    if found is None:
        return None
    loaded, point = found
    if not (isinstance(loaded, type) and issubclass(loaded, VendorSimulator)):
        raise BackendUnavailable(
            f"The simulator {name} of {plugins.distribution(point)} is no subclass of "
            "facematch_core.testing.VendorSimulator: report this to its author."
        )
    return FoundSimulator(loaded, plugins.distribution(point), plugins.version(point))


def _with_settings(simulator: type[VendorSimulator], given: Mapping[str, Any]) -> VendorSimulator:
    made = simulator()
    # Under whatever the rule itself sets, over what the simulator would choose.
    made.backend = functools.partial(made.backend, **given)  # type: ignore[method-assign]  # on this one object
    return made


def _tried(
    make: MakeSimulator, cls: type[Backend], playing: FoundSimulator | None, secrets: Sequence[str]
) -> Backend:
    """The backend, opened and closed once: what cannot be started would else fail every rule."""
    try:
        with make() as simulator:
            opened = simulator.backend()
            opened.close()
    except FaceMatchError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a simulator raises is its own fault
        reason = in_one_line(f"{type(error).__name__}: {error}", secrets)
    else:
        if isinstance(opened, cls):
            return opened
        reason = f"it opens {type(opened).__name__}, which is no {cls.__name__}"
    who = f"The backend {cls.name}"
    if playing is not None:
        of = f" of {playing.distribution}" if playing.distribution else ""
        who = f"The simulator {playing.cls.__name__}{of}"
    raise BackendUnavailable(f"{who} cannot be used ({reason}).")


def too_slow(make: MakeSimulator) -> str | None:
    """Why no rule is worth running: a good call takes too long; None if it does not.

    What else is wrong with such a call the rules find out.
    """
    with (
        contextlib.suppress(Exception),
        _quiet(),
        make() as simulator,
        contextlib.closing(Bench(simulator)) as bench,
    ):
        for operation, situation in bench.cases(GOOD.values()):
            for _ in range(TRIES):
                began = time.monotonic()
                with contextlib.suppress(Exception):
                    bench.ask(operation, situation)
                taken_s = time.monotonic() - began
                if taken_s <= CALL_S:
                    break
            else:
                return (
                    f"{reports.NO_RULE_RUN}a good {operation} call took {taken_s:.1f} s at the "
                    f"simulator on this machine, and may take {CALL_S:g} s: a backend waits by "
                    "`yield Wait(seconds)`, which takes no time here, a simulator answers at once"
                )
    return None


def rule_lines(cases: Iterable[Case]) -> tuple[RuleLine, ...]:
    """What came out, rule by rule; a rule that was not run is open for want of a simulator.

    A reason that several rules share is about none of their cases: it is given without them.
    """
    found: dict[str, list[Case]] = {}
    met: dict[str, set[str]] = {}
    for case in cases:
        found.setdefault(case.rule, []).append(case)
        met.setdefault(case.reason, set()).add(case.rule)
    failed = reports.SIMULATOR_FAILED
    shared = {one for one, by in met.items() if len(by) > 1 or one.startswith(failed)}
    return tuple(
        RuleLine.of(rule.number, rule.title, found.get(rule.number, ()), NO_SIMULATOR, shared)
        for rule in all_rules()
    )


# --- With nobody behind it ------------------------------------------------------------------------


class Alone(VendorSimulator):
    """A backend with nobody behind it, for the rules marked `pure`: its keys are placeholders.

    Another setting that it needs cannot be guessed: a region or an address means something.
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


# --- One rule after another -----------------------------------------------------------------------


def run_rules(
    make: MakeSimulator,
    *,
    rules: Collection[str] | None = None,
    pure_only: bool = False,
    secrets: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[Case, ...]:
    """Run the rules of these numbers, or all, each case with a simulator of its own.

    No reason holds one of the `secrets`, or of those of the simulator.
    """
    return tuple(each_case(make, rules, pure_only, secrets, progress))


def each_case(
    make: MakeSimulator,
    rules: Collection[str] | None = None,
    pure_only: bool = False,
    secrets: Sequence[str] = (),
    progress: Progress | None = None,
) -> Iterator[Case]:
    """The same one by one: whoever has seen enough asks for no further case."""
    asked = [
        (rule, situation)
        for rule in all_rules()
        if (rules is None or rule.number in rules) and (rule.pure or not pure_only)
        for situation in _situations_of(rule)
    ]
    began = time.monotonic()
    for done, (rule, situation) in enumerate(asked, 1):
        judge = functools.partial(_judged, make, rule, situation, secrets)
        status, reason = _in_time(judge, began + RUN_S - time.monotonic())
        yield Case(rule.number, "" if situation is None else situation.value, status, reason)
        if progress is not None:
            progress(done, len(asked))


def _situations_of(rule: Rule) -> Sequence[Situation | None]:
    marks = getattr(getattr(BackendContract, rule.name), "pytestmark", ())
    tables = (mark.args[1] for mark in marks if mark.name == "parametrize")
    return tuple(next(tables, (None,)))


def _in_time(judge: Callable[[], tuple[Status, str]], left_s: float) -> tuple[Status, str]:
    if left_s <= 0:
        return Status.FAILED, f"not run: the {RUN_S:g} s of a run were over"
    try:
        return HelperThreads(1, "facematch-kit").run(judge, Deadline.after(left_s))
    except StillRunning:
        return Status.FAILED, f"it did not end before the {RUN_S:g} s of a run were over"


def _judged(
    make: MakeSimulator, rule: Rule, situation: Situation | None, secrets: Sequence[str]
) -> tuple[Status, str]:
    """What came out of one case, and why."""
    judge = getattr(BackendContract(), rule.name)
    simulator: VendorSimulator | None = None
    bench: Bench | None = None
    phase = "before the rule: "
    try:
        with _quiet(), make() as simulator, contextlib.closing(Bench(simulator)) as bench:
            phase = ""
            judge(bench) if situation is None else judge(bench, situation)
            phase = "after the rule: "
    except pytest.skip.Exception as skipped:
        told = str(skipped)
        if told.startswith(DOES_NOT_APPLY):
            return Status.DOES_NOT_APPLY, told.removeprefix(DOES_NOT_APPLY)
        return Status.OPEN, told.removeprefix(NOT_TESTED)
    except (Exception, SystemExit, pytest.fail.Exception) as error:  # noqa: BLE001 - Ctrl-C ends the run
        reason = phase + (raised(error, simulator) if bench is None else bench.reason(error))
        if getattr(simulator, "_problem", None) is error:
            where = f"in {type(simulator).__name__}.answer"
            reason = f"{reports.SIMULATOR_FAILED}{raised(error, simulator)} {where}"
        return Status.FAILED, in_one_line(reason, (*secrets, *getattr(simulator, "secrets", ())))
    return Status.PASSED, ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings, of which no rule speaks, and without logs that nobody listens to."""
    handler, root = logging.NullHandler(), logging.getLogger()
    root.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.removeHandler(handler)


# --- Why a rule failed, in one line that may be shown to anybody ----------------------------------

#: Longest reason, in characters.
LONGEST = 300

#: Folders of people and of the system that are no part of what went wrong.
_PLACES = re.compile(r"/(?:home|Users|root|tmp|private|var)(?:/[^\s'\"<>:,()]+)*/")


def in_one_line(text: str, secrets: Iterable[str] = ()) -> str:
    text = " ".join(masked(text, secrets).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 4] + " ..."


def masked(text: str, secrets: Iterable[str]) -> str:
    """`text` without secrets of 6 characters or more, and without paths of this machine."""
    hidden = {secret: "***" for secret in secrets if len(secret) >= 6}
    folders = {sys.prefix, sys.base_prefix, tempfile.gettempdir(), str(Path.cwd()), *sys.path}
    folders |= {os.path.realpath(folder) for folder in folders}
    hidden |= {one: "..." for one in folders if Path(one).is_absolute() and len(one) > 1}
    for shown in sorted(hidden, key=len, reverse=True):
        text = text.replace(shown, hidden[shown])
    return _PLACES.sub(".../", text)
