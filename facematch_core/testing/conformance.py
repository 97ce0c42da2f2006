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

from facematch_core import __version__
from facematch_core.backend import Backend, Secret
from facematch_core.backend.kinds import choices_of
from facematch_core.base.deadline import Deadline
from facematch_core.base.masking import without_secrets
from facematch_core.base.threads import HelperThreads, StillRunning
from facematch_core.config import plugins
from facematch_core.config.opening import Plan
from facematch_core.config.plugins import BACKENDS, backend_class
from facematch_core.config.settings import declared_settings, resolve_settings
from facematch_core.errors import BackendUnavailable, ConfigurationError, FaceMatchError

from . import report as reports
from .bench import ENDS_S, NEVER_ENDS, Bench, tell_fault
from .contract import BackendContract, Rule
from .contract import rules as all_rules
from .report import DOES_NOT_APPLY, NOT_TESTED, Case, ConformanceReport, RuleLine, Status
from .simulator import Situation, VendorSimulator, check_declared

#: The entry-point group that simulators join: name of the backend to a subclass of
#: `VendorSimulator`, which is called without arguments.
GROUP = "facematch.simulators"

#: Why most rules are open where nobody plays the vendor.
NO_SIMULATOR = f"no simulator is installed: entry-point group {GROUP}"

#: Seconds of a run, which with the end of its process is a minute; and of one in which no rule has
#: failed, which may be that of an honest engine on a slow machine.
RUN_S, HONEST_RUN_S = 55.0, 180.0

#: Seconds after which a call is given up when another one has not ended: a good call takes one.
AGAIN_S = 2.0

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

    Rules are run in the order of causes. What follows from a rule that has failed is not judged,
    and a run in which a rule has failed ends within a minute, whatever a rule waits for.

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
    cls, distribution, version = _find_backend(backend)
    player = simulator_of(cls.name) if simulator is None else FoundSimulator(simulator)
    values = dict(settings or {})
    texts = [value.reveal() if isinstance(value, Secret) else value for value in values.values()]
    secrets = tuple(text for text in texts if isinstance(text, str))
    make: MakeSimulator = functools.partial(Alone, cls, values)
    if player is not None:
        make = functools.partial(_make_with_settings, player.cls, values)
    opened = _open_once(make, cls, player, secrets)
    lines = rule_lines(each_case(make, None, player is None, secrets, progress))
    return ConformanceReport(
        backend=cls.name,
        distribution=distribution,
        version=version,
        simulator=player and player.cls.__name__,
        simulator_distribution=player and player.distribution,
        simulator_version=player and player.version,
        settings=tuple(sorted(values)),
        core_version=__version__,
        python_version=platform.python_version(),
        made_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
        rules=lines,
        capabilities=reports.prove(opened, {line.number: line.status for line in lines}),
    )


def _find_backend(backend: object) -> tuple[type[Backend], str | None, str | None]:
    if isinstance(backend, str):
        cls = backend_class(backend)
    elif isinstance(backend, type) and issubclass(backend, Backend):
        cls = backend
    else:
        raise ConfigurationError(
            "conformance takes the name or the class of a backend, not "
            f"{type(backend).__name__}: give it type(backend)."
        )
    with contextlib.suppress(FaceMatchError):
        loaded, point = plugins.load(BACKENDS, cls.name, "backend") or (None, None)
        if loaded is cls and point is not None:
            return cls, plugins.distribution(point), plugins.version(point) or None
    return cls, None, None


class FoundSimulator(NamedTuple):
    """A simulator, and who offers it; None for one that was handed over."""

    cls: type[VendorSimulator]
    distribution: str | None = None
    version: str | None = None


def simulator_of(name: str) -> FoundSimulator | None:
    """The simulator for the backend of this name, imported now; None if nobody offers one."""
    loaded = plugins.load(GROUP, name, "simulator")
    if loaded is None:
        return None
    cls, point = loaded
    if not (isinstance(cls, type) and issubclass(cls, VendorSimulator)):
        raise BackendUnavailable(
            f"The simulator {name} of {plugins.distribution(point)} is no subclass of "
            "facematch_core.testing.VendorSimulator: report this to its author."
        )
    return FoundSimulator(cls, plugins.distribution(point), plugins.version(point))


def _make_with_settings(cls: type[VendorSimulator], settings: Mapping[str, Any]) -> VendorSimulator:
    simulator = cls()
    # Under whatever the rule itself sets, over what the simulator would choose.
    backend = functools.partial(simulator.backend, **settings)
    simulator.backend = backend  # type: ignore[method-assign]  # on this one object
    return simulator


def _open_once(
    make: MakeSimulator, cls: type[Backend], player: FoundSimulator | None, secrets: Sequence[str]
) -> Backend:
    """The backend, opened and closed: what cannot be started would else fail every rule."""

    def open_and_close() -> Backend:
        with make() as simulator, contextlib.closing(simulator.backend()) as backend:
            check_declared(simulator)
            return backend

    try:
        backend = HelperThreads(1, "facematch-kit").run(open_and_close, Deadline.after(RUN_S))
    except FaceMatchError:
        raise
    except StillRunning:
        reason = f"it is not open after {RUN_S:g} s"
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a simulator raises is its own fault
        reason = in_one_line(f"{type(error).__name__}: {error}", secrets)
    else:
        if isinstance(backend, cls):
            return backend
        reason = f"it opens {type(backend).__name__}, which is no {cls.__name__}"
    who = f"The backend {cls.name}"
    if player is not None:
        of = f" of {player.distribution}" if player.distribution else ""
        who = f"The simulator {player.cls.__name__}{of}"
    raise BackendUnavailable(
        f"{who} cannot be used, so that {cls.name} could not be checked ({reason})."
    )


def rule_lines(cases: Iterable[Case]) -> tuple[RuleLine, ...]:
    """What came out, rule by rule; a rule that was not run is open for want of a simulator."""
    cases = tuple(cases)
    return tuple(RuleLine.of(rule.number, rule.title, cases, NO_SIMULATOR) for rule in all_rules())


class Alone(VendorSimulator):
    """A backend with nobody behind it, for the rules marked `pure`: its keys are placeholders."""

    situations = frozenset()
    requests_seen = 0
    charges = 0

    def __init__(self, cls: type[Backend], settings: Mapping[str, Any] | None = None) -> None:
        self._class, self._settings = cls, dict(settings or {})
        for name, (kind, default) in declared_settings(cls).items():
            value, is_needed = self._settings.get(name), default is attrs.NOTHING
            if Secret in choices_of(kind):
                if value is None and is_needed:
                    # Each has its own, so that a report shows which of two keys it has met.
                    value = f"placeholder-{name}-7c1e90d2"
                if isinstance(value, str):
                    self._settings[name] = Secret(value, origin="placeholder")
            elif name not in self._settings and is_needed:  # a region, say, means something
                raise ConfigurationError(
                    f"The backend {cls.name} needs {name}, for which there is no placeholder: give "
                    f"it with --set {name}=VALUE, or declare it as a Secret if it is one."
                )
        self.secrets = tuple(v.reveal() for v in self._settings.values() if isinstance(v, Secret))

    def backend(self, **settings: Any) -> Backend:
        if settings:
            return self._class(**self._settings | settings)
        # As `open_verifier` opens it, but that the environment's keys stay out of it.
        resolved = resolve_settings(
            self._class, arguments=self._settings, in_file={}, where="", folder=Path(), environ={}
        )
        return Plan(backend=self._class, settings=resolved, profile=None).open_backend()

    def set_situation(
        self, situation: Situation, *, score: float | None = None, step: int | None = None
    ) -> None:
        raise NotImplementedError(f"Nobody is behind {self._class.name}: give it a simulator.")


def each_case(
    make: MakeSimulator,
    rules: Collection[str] | None = None,
    pure_only: bool = False,
    secrets: Sequence[str] = (),
    progress: Progress | None = None,
) -> Iterator[Case]:
    """Run the rules of these numbers, or all, each case with a simulator of its own."""
    cases = [
        (rule, situation)
        for rule in all_rules()
        if (rules is None or rule.number in rules) and (rule.pure or not pure_only)
        for situation in _situations_of(rule)
    ]
    run = _Run(make, secrets)
    for done, (rule, situation) in enumerate(cases, 1):
        yield run.judge(rule, situation)
        if progress is not None:
            progress(done, len(cases))


def _situations_of(rule: Rule) -> Sequence[Situation | None]:
    marks = getattr(getattr(BackendContract, rule.name), "pytestmark", ())
    tables = (mark.args[1] for mark in marks if mark.name == "parametrize")
    return tuple(next(tables, (None,)))


class _Run:
    """One run: what has failed in it decides what is still judged, and how long it may take."""

    def __init__(self, make: MakeSimulator, secrets: Sequence[str]) -> None:
        self._make, self._secrets, self._began = make, secrets, time.monotonic()
        #: The rules that have failed, by the reason that each was the first to meet.
        self._failed: dict[str, str] = {}

    def judge(self, rule: Rule, situation: Situation | None) -> Case:
        """Run one case, unless a rule that it follows from has failed."""
        cause = next((number for number in self._failed.values() if number in rule.follows), None)
        if cause is None:
            # It is not judged, or the first to fail, if time is over.
            run_s = RUN_S if self._failed else HONEST_RUN_S
            status = Status.NOT_JUDGED if self._failed else Status.FAILED
            reason = f"the {run_s:g} s of a run were over"
            rest_s = self._began + run_s - time.monotonic()
            work = functools.partial(self._run_case, rule, situation)
            with contextlib.suppress(StillRunning), _console_back():
                if rest_s > 0:
                    limit = Deadline.after(rest_s)
                    status, reason = HelperThreads(1, "facematch-kit").run(work, limit)
            if status is Status.FAILED:
                cause = self._failed.setdefault(reason, rule.number)
        if cause not in (None, rule.number):
            status, reason = Status.NOT_JUDGED, f"because of {cause}"
        return Case(rule.number, "" if situation is None else situation.value, status, reason)

    def _run_case(self, rule: Rule, situation: Situation | None) -> tuple[Status, str]:
        test = getattr(BackendContract(), rule.name)
        ends_s = AGAIN_S if NEVER_ENDS in self._failed else ENDS_S
        simulator: VendorSimulator | None = None
        bench: Bench | None = None
        try:
            with (
                _quiet(),
                self._make() as simulator,
                contextlib.closing(Bench(simulator, ends_s=ends_s)) as bench,
            ):
                test(bench) if situation is None else test(bench, situation)
        except pytest.skip.Exception as skipped:
            text = str(skipped)
            if text.startswith(DOES_NOT_APPLY):
                return Status.DOES_NOT_APPLY, text.removeprefix(DOES_NOT_APPLY)
            return Status.OPEN, text.removeprefix(NOT_TESTED)
        except (Exception, SystemExit, pytest.fail.Exception) as error:  # noqa: BLE001 - Ctrl-C ends the run
            reason = tell_fault(error) if bench is None else bench.reason(error)
            secrets = (*self._secrets, *getattr(simulator, "secrets", ()))
            return Status.FAILED, in_one_line(reason, secrets)
        return Status.PASSED, " ".join(bench.left_out)


@contextlib.contextmanager
def _console_back() -> Iterator[None]:
    """Give the console back at the end: a case that goes on may have taken it."""
    streams, descriptors = (sys.stdout, sys.stderr), [os.dup(number) for number in (1, 2)]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        for number, descriptor in enumerate(descriptors, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings, of which no rule speaks, and without logs that nobody listens to."""
    handler, root = logging.NullHandler(), logging.getLogger()
    root.addHandler(handler)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        root.removeHandler(handler)


#: Longest reason, in characters.
LONGEST = 300

#: Folders of people and of the system that are no part of what went wrong.
_PLACES = re.compile(r"/(?:home|Users|root|tmp|private|var)(?:/[^\s'\"<>:,()]+)*/")


def in_one_line(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without secrets of 6 characters or more, and without paths of this machine."""
    text = without_secrets(text, tuple(Secret(secret) for secret in secrets if len(secret) >= 6))
    folders = {sys.prefix, sys.base_prefix, tempfile.gettempdir(), str(Path.cwd()), *sys.path}
    folders |= {os.path.realpath(folder) for folder in folders}
    for folder in sorted(folders, key=len, reverse=True):
        if len(folder) > 1 and Path(folder).is_absolute():
            text = text.replace(folder, "...")
    text = " ".join(_PLACES.sub(".../", text).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 4] + " ..."
