"""Rules in the order of causes, and a report of what came out of each: for a program, and pytest.

`Run` is what both have in common: `conformance` plays the cases of the contract in this process,
and `pytest --facematch-report` hands over what came out of a plug-in's own tests.
"""

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
from unittest import mock

import pytest

from facematch_core import __version__
from facematch_core.backend import Backend, Secret
from facematch_core.base.deadline import Deadline
from facematch_core.base.masking import without_secrets
from facematch_core.base.threads import HelperThreads, StillRunning
from facematch_core.config import plugins
from facematch_core.config.plugins import BACKENDS, backend_class
from facematch_core.errors import BackendUnavailable, ConfigurationError, FaceMatchError

from . import report as reports
from .bench import ENDS_S, NEVER_ENDS, Bench, tell_fault
from .contract import BackendContract, Rule
from .contract import rules as all_rules
from .leaks import console_back
from .report import (
    BECAUSE_OF,
    DOES_NOT_APPLY,
    NOT_TESTED,
    Case,
    ConformanceReport,
    RuleLine,
    Status,
)
from .simulator import Situation, VendorSimulator, check_declared

#: The entry-point group that simulators join: name of the backend to a subclass of
#: `VendorSimulator`, which is called without arguments.
GROUP = "facematch.simulators"

#: Seconds of a run, which with the end of its process is a minute; and of one in which no rule has
#: failed, which may be that of an honest engine on a slow machine.
RUN_S, HONEST_RUN_S = 55.0, 180.0

#: Seconds after which a call is given up when another one has not ended: a good call takes one.
AGAIN_S = 2.0

MakeSimulator = Callable[[], VendorSimulator]
Progress = Callable[[int, int], None]
Outcome = tuple[Status, str]


def conformance(
    backend: str | type[Backend],
    *,
    simulator: type[VendorSimulator] | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> ConformanceReport:
    """Run every rule of the contract over a backend.

    The vendor's simulator is found by the backend's name in the entry-point group
    ``facematch.simulators``. Nothing is sent beyond this machine, and no key of the environment is
    read.

    Rules are run in the order of causes. What follows from a rule that has failed is not judged,
    and a run in which a rule has failed ends within a minute, whatever a rule waits for.

    Args:
        backend: Name of an installed backend, or its class.
        simulator: Its simulator, instead of the one that is installed.
        settings: Settings of the backend, over those that the simulator gives it.
        progress: Called after each case with how many are done, and of how many.

    Raises:
        BackendUnavailable: there is no such backend or no simulator of it, or one of them cannot
            be imported or opened.
        ConfigurationError: the backend refuses its settings, or Python was asked to leave
            assertions out.
    """
    if not __debug__:
        raise ConfigurationError(
            "The rules are assertions, which Python leaves out with -O and PYTHONOPTIMIZE: run it "
            "without them."
        )
    cls: Any = backend_class(backend) if isinstance(backend, str) else backend
    if not (isinstance(cls, type) and issubclass(cls, Backend)):
        raise ConfigurationError(
            "conformance takes the name or the class of a backend, not "
            f"{type(backend).__name__}: give it type(backend)."
        )
    player = simulator_of(cls.name) if simulator is None else Offer(simulator)
    if player is None:
        raise BackendUnavailable(
            f"No simulator is installed that plays the vendor of {cls.name}: one joins the "
            f"entry-point group {GROUP}, and docs/extend/add-a-backend.md says how to write it."
        )
    values = dict(settings or {})
    texts = [value.reveal() if isinstance(value, Secret) else value for value in values.values()]
    secrets = tuple(text for text in texts if isinstance(text, str))

    def make() -> VendorSimulator:
        vendor: VendorSimulator = player.cls()
        # Under whatever the rule itself sets, over what the simulator would choose.
        vendor.backend = functools.partial(vendor.backend, **values)  # type: ignore[method-assign]
        return vendor

    opened = _open_once(make, cls, player, secrets)
    cases = each_case(make, secrets=secrets, progress=progress)
    return report_of(opened, player, cases, tuple(sorted(values)))


def report_of(
    backend: Backend, player: Offer, cases: Iterable[Case], settings: tuple[str, ...] = ()
) -> ConformanceReport:
    """The report of one backend: what came out, rule by rule, and what that proves."""
    lines, offer = rule_lines(cases), None
    with contextlib.suppress(FaceMatchError):
        offer = Offer.find(BACKENDS, backend.name, "backend")
    if offer is None or not isinstance(backend, offer.cls):
        offer = Offer(type(backend))
    return ConformanceReport(
        backend=backend.name,
        distribution=offer.distribution,
        version=offer.version,
        simulator=player.cls.__name__,
        simulator_distribution=player.distribution,
        simulator_version=player.version,
        settings=settings,
        core_version=__version__,
        python_version=platform.python_version(),
        made_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
        rules=lines,
        capabilities=reports.prove(backend, {line.number: line.status for line in lines}),
    )


def rule_lines(cases: Iterable[Case]) -> tuple[RuleLine, ...]:
    """What came out, rule by rule, in their order; a rule that was not run is open."""
    cases = tuple(cases)
    return tuple(RuleLine.of(rule.number, rule.title, cases) for rule in all_rules())


class Offer(NamedTuple):
    """A backend or a simulator, and who offers it; None for one that was handed over."""

    cls: Any
    distribution: str | None = None
    version: str | None = None

    @classmethod
    def find(cls, group: str, name: str, noun: str) -> Offer | None:
        if (loaded := plugins.load(group, name, noun)) is None:
            return None
        of, point = loaded
        return cls(of, plugins.distribution(point), plugins.version(point) or None)


def simulator_of(name: str) -> Offer | None:
    """The simulator for the backend of this name, imported now; None if nobody offers one."""
    offer = Offer.find(GROUP, name, "simulator")
    if offer and not (isinstance(offer.cls, type) and issubclass(offer.cls, VendorSimulator)):
        raise BackendUnavailable(
            f"The simulator {name} of {offer.distribution} is no subclass of "
            "facematch_core.testing.VendorSimulator: report this to its author."
        )
    return offer


def _open_once(
    make: MakeSimulator, cls: type[Backend], player: Offer, secrets: Sequence[str]
) -> Backend:
    """The backend, opened and closed: what cannot be started would else fail every rule."""

    def open_and_close() -> Backend:
        with (
            _unheard(),
            make() as simulator,
            contextlib.closing(simulator.backend()) as backend,
        ):
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
    of = f" of {player.distribution}" if player.distribution else ""
    raise BackendUnavailable(
        f"The simulator {player.cls.__name__}{of} cannot be used, so that {cls.name} could not be "
        f"checked ({reason})."
    )


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Let nobody but the program's own handlers hear what is logged meanwhile."""
    nobody = logging.NullHandler()
    # To a root without a handler `logging.warning` adds one, which would stay.
    handlers = [*logging.root.handlers, nobody]
    with (
        mock.patch.object(logging, "lastResort", nobody),
        mock.patch.object(logging.root, "handlers", handlers),
    ):
        yield


class Run:
    """What came out of the rules: what has failed decides what is still judged."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        #: The rules that have failed, by the reason that each was the first to meet.
        self._failed: dict[str, str] = {}

    def judge(self, rule: Rule, name: str, play: Callable[[], Outcome]) -> Case:
        """Play one case, unless it would say nothing new or the time of a run is over."""
        limit_s = RUN_S if self._failed else HONEST_RUN_S
        # Of the first rule that is too late, and has no cause, the lateness is the failure.
        status = Status.NOT_JUDGED if self._failed else Status.FAILED
        reason = f"the {limit_s:g} s of a run were over"
        if cause := self.cause_of(rule):
            status, reason = Status.NOT_JUDGED, cause
        elif (rest_s := self._began + limit_s - time.monotonic()) > 0:
            threads, deadline = HelperThreads(1, "facematch-kit"), Deadline.after(rest_s)
            with contextlib.suppress(StillRunning), console_back():
                status, reason = threads.run(play, deadline)
        return self.keep(rule, name, status, reason)

    def cause_of(self, rule: Rule) -> str | None:
        """Why a rule is not judged, by what has failed before it."""
        causes = (number for number in self._failed.values() if number in rule.follows)
        return next((f"{BECAUSE_OF}{number}" for number in causes), None)

    def keep(self, rule: Rule, name: str, status: Status, reason: str) -> Case:
        """One case; what an earlier rule has failed by says nothing new."""
        if status is Status.FAILED:
            cause = self._failed.setdefault(reason, rule.number)
            if cause != rule.number:
                status, reason = Status.NOT_JUDGED, f"{BECAUSE_OF}{cause}"
        return Case(rule.number, name, status, reason)

    def play(
        self, make: MakeSimulator, rule: Rule, situation: Situation | None, secrets: Sequence[str]
    ) -> Outcome:
        """Run one case with a simulator of its own."""
        test = getattr(BackendContract(), rule.name)
        simulator: VendorSimulator | None = None
        bench: Bench | None = None
        error: BaseException | None = None
        try:
            # No rule speaks of warnings.
            with warnings.catch_warnings(action="ignore"), _unheard(), make() as simulator:
                bench = Bench(simulator, ends_s=AGAIN_S if NEVER_ENDS in self._failed else ENDS_S)
                with contextlib.closing(bench):
                    test(bench) if situation is None else test(bench, situation)
        except (Exception, SystemExit, pytest.fail.Exception, pytest.skip.Exception) as caught:  # noqa: BLE001 - Ctrl-C ends the run
            error = caught
        return outcome_of(error, bench, (*secrets, *getattr(simulator, "secrets", ())))


def outcome_of(error: BaseException | None, bench: Bench | None, secrets: Sequence[str]) -> Outcome:
    """What a case that ended so says of its rule."""
    if error is None:
        return Status.PASSED, " ".join(bench.left_out if bench else ())
    if isinstance(error, pytest.skip.Exception):
        text = str(error)
        if text.startswith(BECAUSE_OF):
            return Status.NOT_JUDGED, text
        if text.startswith(DOES_NOT_APPLY):
            return Status.DOES_NOT_APPLY, text.removeprefix(DOES_NOT_APPLY)
        return Status.OPEN, text.removeprefix(NOT_TESTED)
    reason = tell_fault(error) if bench is None else bench.reason(error)
    return Status.FAILED, in_one_line(reason, secrets)


def each_case(
    make: MakeSimulator,
    rules: Collection[str] | None = None,
    secrets: Sequence[str] = (),
    progress: Progress | None = None,
) -> Iterator[Case]:
    """Run the rules of these numbers, or all, each case with a simulator of its own."""
    cases = list[tuple[Rule, Situation | None]]()
    for rule in all_rules():
        if rules is None or rule.number in rules:
            marks = getattr(getattr(BackendContract, rule.name), "pytestmark", ())
            tables = (mark.args[1] for mark in marks if mark.name == "parametrize")
            cases += [(rule, situation) for situation in next(tables, (None,))]
    run = Run()
    for done, (rule, situation) in enumerate(cases, 1):
        name = "" if situation is None else situation.value
        yield run.judge(rule, name, functools.partial(run.play, make, rule, situation, secrets))
        if progress is not None:
            progress(done, len(cases))


class Recorder:
    """Plug-in of pytest: a class of rules in the order of causes, and what comes out of each."""

    def __init__(self) -> None:
        self._run, self._rules = Run(), {rule.name: rule for rule in all_rules()}
        self._cases: dict[str, Case] = {}
        self._bench: Bench | None = None

    def _rule_of(self, item: Any) -> Rule | None:
        is_rule = issubclass(getattr(item, "cls", None) or object, BackendContract)
        return self._rules.get(item.originalname) if is_rule else None

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Put the rules, where they are among other tests, in the order of causes."""
        places = [at for at, item in enumerate(items) if self._rule_of(item)]
        tests, order = [items[at] for at in places], [*self._rules]
        if len({item.cls for item in tests}) > 1:
            raise pytest.UsageError("A conformance report is of one backend: name one test class.")
        tests.sort(key=lambda item: order.index(item.originalname))
        for at, item in zip(places, tests, strict=True):
            items[at] = item

    def pytest_runtest_setup(self, item: Any) -> None:
        """Skip what follows from a rule that has failed."""
        if (rule := self._rule_of(item)) and (cause := self._run.cause_of(rule)):
            pytest.skip(cause)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Iterator[Any]:
        """Keep what came out, whatever its author expects."""
        report = yield
        rule, error = self._rule_of(item), call.excinfo and call.excinfo.value
        if rule is not None and (call.when == "call" or error is not None):
            bench = self._bench = item.funcargs.get("bench") or self._bench
            simulator = item.funcargs.get("simulator")
            came = outcome_of(error, bench, getattr(simulator, "secrets", ()))
            # The author's own fixtures may have parameters, too.
            params = getattr(getattr(item, "callspec", None), "params", {})
            name = str(params.get("situation") or "")
            if item.nodeid not in self._cases or came[0] is Status.FAILED:
                self._cases[item.nodeid] = self._run.keep(rule, name, *came)
        return report

    def report(self) -> ConformanceReport | None:
        """What came out of the class; None if no rule of it could begin."""
        if self._bench is None:
            return None
        backend, cls = self._bench.backend, type(self._bench.simulator)
        offer = simulator_of(backend.name)
        player = offer if offer and offer.cls is cls else Offer(cls)
        return report_of(backend, player, self._cases.values())


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
