"""The kit, tried on backends that are right and on backends that are wrong in one way each."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

import attrs

from ._running import Case, MakeDouble, Progress, Status, run

if TYPE_CHECKING:
    from ._saboteurs import Saboteur


@attrs.frozen(kw_only=True)
class Sabotage:
    """What became of one saboteur.

    Attributes:
        name: Of its class.
        rule: Number of the rule that names its fault.
        fault: What is wrong with it, in a sentence.
        failed: Numbers of the rules that failed on it, of those that were run.
        passed: How many rules passed on it.
    """

    name: str
    rule: str
    fault: str
    failed: tuple[str, ...]
    passed: int

    @property
    def caught(self) -> bool:
        """Whether the rule that names its fault failed."""
        return self.rule in self.failed


@attrs.frozen(kw_only=True)
class SelfTest:
    """Whether the rules bite, and only where they should.

    Attributes:
        paragons: Backends that keep every rule, by name, with the rules that failed on each or
            were left open.
        idle: Rules that passed on no paragon.
        sabotages: What became of each saboteur.
    """

    paragons: dict[str, tuple[str, ...]]
    idle: tuple[str, ...]
    sabotages: tuple[Sabotage, ...]

    @property
    def survivors(self) -> tuple[Sabotage, ...]:
        """The saboteurs that were not caught by the rule that names their fault."""
        return tuple(one for one in self.sabotages if not one.caught)

    @property
    def passed(self) -> bool:
        """Whether every saboteur was caught, and the paragons keep every rule."""
        return not (self.survivors or self.idle or any(self.paragons.values()))

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "passed": self.passed,
            "paragons": {name: list(rules) for name, rules in self.paragons.items()},
            "idle": list(self.idle),
            "saboteurs": [
                {**attrs.asdict(one), "failed": list(one.failed), "caught": one.caught}
                for one in self.sabotages
            ],
        }


def self_test(*, everything: bool = False, progress: Progress | None = None) -> SelfTest:
    """Run every rule over backends that keep them all, and over each saboteur the one it breaks.

    Args:
        everything: Every rule over each saboteur, too, which takes minutes: so it is known what
            else its fault trips.
        progress: Told now and then how much is done, and of how much.
    """
    from ._conformance import refuse_without_assertions
    from ._contract import rules

    refuse_without_assertions()
    right, wrong = paragons(), saboteurs()
    names = [*right, *wrong]
    found = _everything(names, progress) if everything else _part(names, progress, aimed=True)
    kept = {rule for name in right for rule in _of(found[name], Status.PASSED)}
    return SelfTest(
        paragons={name: _of(found[name], Status.FAILED, Status.OPEN) for name in right},
        idle=tuple(rule.number for rule in rules() if rule.number not in kept),
        sabotages=tuple(judged(one, found[name]) for name, one in wrong.items()),
    )


#: Backends that one process tries before it is given others.
PART = 15


def _everything(names: Sequence[str], progress: Progress | None) -> dict[str, tuple[Case, ...]]:
    """What came out for each backend; in several processes where they can be had for nothing."""
    workers = min(os.cpu_count() or 1, len(names) // PART)
    if workers < 2 or sys.platform != "linux":
        return _part(names, progress)
    found: dict[str, tuple[Case, ...]] = {}
    parts = [names[at : at + PART] for at in range(0, len(names), PART)]
    # By fork: a fresh interpreter would run the caller's own program first.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        for done in as_completed([pool.submit(_part, part) for part in parts]):
            found |= done.result()
            if progress is not None:
                progress(len(found), len(names))
    return found


def _part(
    names: Sequence[str], progress: Progress | None = None, *, aimed: bool = False
) -> dict[str, tuple[Case, ...]]:
    wrong = saboteurs()
    makes = {**paragons(), **{name: one.make for name, one in wrong.items()}}
    own = {name: one.rule for name, one in wrong.items()} if aimed else None
    return run({name: makes[name] for name in names}, aimed=own, progress=progress)


def paragons() -> Mapping[str, MakeDouble]:
    """The backends that are right in everything, each behind its double, by name."""
    # Not above, here and below: hundreds of classes that nobody else needs.
    from ._saboteurs import ParagonDouble
    from ._saboteurs._http_paragon import HttpParagonDouble

    return {"Paragon": ParagonDouble, "HttpParagon": HttpParagonDouble}


def saboteurs() -> Mapping[str, Saboteur]:
    """The backends that are wrong in one way each, by name."""
    from ._saboteurs import SABOTEURS

    return SABOTEURS


def judged(one: Saboteur, cases: Sequence[Case]) -> Sabotage:
    """What became of a saboteur, from what came out of the rules."""
    return Sabotage(
        name=one.name,
        rule=one.rule,
        fault=one.fault,
        failed=_of(cases, Status.FAILED),
        passed=len(_of(cases, Status.PASSED)),
    )


def _of(cases: Sequence[Case], *statuses: Status) -> tuple[str, ...]:
    """The numbers of the rules with a case of these statuses."""
    return tuple(dict.fromkeys(case.rule for case in cases if case.status in statuses))
