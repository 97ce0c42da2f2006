"""What the contract says of one backend, as data that can be kept and sent."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping
from typing import Any, Self

import attrs

from facematch_core import Operation, Retention, ThresholdRule
from facematch_core.backend import Backend, ImageLimits
from facematch_core.errors import InvalidRequest
from facematch_core.models import read_as, written

#: Version of the JSON form; 0 until facematch 1.0: it may change with a minor release.
SCHEMA = 0
KIND = "conformance_report"


#: How the reason of a rule that did not run begins.
NOT_TESTED, DOES_NOT_APPLY = "Not tested: ", "Does not apply: "

#: How a reason begins that is about the simulator, not the backend.
SIMULATOR_FAILED = "the simulator failed: "


class Status(enum.StrEnum):
    """What came out of a rule, or of one of its cases."""

    #: It was run, and kept.
    PASSED = "passed"
    #: It was run, and broken; or it could not be run to its end.
    FAILED = "failed"
    #: It was not run, and could be with a simulator that can do more.
    OPEN = "open"
    #: It speaks of something that the backend does not declare, or that its vendor does not know.
    DOES_NOT_APPLY = "does_not_apply"


class Verdict(enum.StrEnum):
    """What a report says as a whole."""

    #: Every rule that applies was run and kept.
    CONFORMS = "conforms"
    #: Nothing failed, and a rule was not tested or a declared capability not proved.
    OPEN = "open"
    #: A rule is broken.
    FAILS = "fails"


@attrs.frozen(kw_only=True)
class Case:
    """What came out of one case of a rule.

    Attributes:
        rule: The rule's number.
        name: Its own among the cases of its rule; empty if it is the only one.
        status: What came out.
        reason: Why, in one line; empty if it passed.
    """

    rule: str
    name: str
    status: Status
    reason: str = ""


@attrs.frozen(kw_only=True)
class RuleLine:
    """What came out of one rule.

    Attributes:
        number, title: Of the rule.
        status: FAILED if any of its cases failed; else OPEN if any was not tested; else PASSED if
            any passed; else DOES_NOT_APPLY.
        reasons: Why it is not PASSED, each reason once, with the cases that it holds for.
        cases: How many cases it has: one, or one for each of several situations.
        passed: How many of them passed.
    """

    number: str
    title: str
    status: Status
    reasons: tuple[str, ...] = ()
    cases: int = 1
    passed: int = 0

    @classmethod
    def of(cls, number: str, title: str, cases: Iterable[Case], missing: str) -> Self:
        """The line of one rule; `missing` is the reason if it has no cases."""
        cases = tuple(cases)
        statuses = {case.status for case in cases} or {Status.OPEN}
        weight = (Status.FAILED, Status.OPEN, Status.PASSED, Status.DOES_NOT_APPLY)
        status = next(one for one in weight if one in statuses)
        where: dict[str, list[str]] = {}
        for case in cases:
            if case.status is status and case.reason:
                where.setdefault(case.reason, []).append(case.name)
        reasons = [
            f"{', '.join(filter(None, names))}: {reason}" if any(names) else reason
            for reason, names in where.items()
        ]
        return cls(
            number=number,
            title=title,
            status=status,
            reasons=tuple(reasons) if cases else (missing,),
            cases=len(cases),
            passed=sum(case.status is Status.PASSED for case in cases),
        )


@attrs.frozen(kw_only=True)
class CapabilityLine:
    """One thing that the backend declares.

    Attributes:
        name: What it is called in the report.
        declared: What is declared of it; "yes" if there is nothing more to say.
        proved: Whether a rule about it passed and none of them failed or was left open.
        rules: Numbers of the rules about it.
    """

    name: str
    declared: str
    proved: bool
    rules: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ConformanceReport:
    """What the contract says of one backend. There is no key, picture or path in it.

    Attributes:
        backend: Its name.
        distribution, version: Who offers it; None for a class that no distribution offers.
        simulator: Name of the class that played its vendor; None if nobody did, so that only the
            rules that ask the vendor nothing were run.
        simulator_distribution, simulator_version: Who offers that; None if it was handed over.
        settings: Names of the settings that were set for this run.
        core_version: Version of facematch-core, and so of the rules.
        python_version: Of the interpreter.
        made_at: When, UTC.
        rules: Every rule of the contract, by number.
        capabilities: Everything that the backend declares.
    """

    backend: str
    distribution: str | None = None
    version: str | None = None
    simulator: str | None = None
    simulator_distribution: str | None = None
    simulator_version: str | None = None
    settings: tuple[str, ...] = ()
    core_version: str
    python_version: str
    made_at: dt.datetime
    rules: tuple[RuleLine, ...]
    capabilities: tuple[CapabilityLine, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """FAILS if a rule failed; OPEN if one is open or a capability not proved; else CONFORMS."""
        if self.of(Status.FAILED):
            return Verdict.FAILS
        proved = all(one.proved for one in self.capabilities)
        return Verdict.CONFORMS if proved and not self.of(Status.OPEN) else Verdict.OPEN

    @property
    def counts(self) -> dict[Status, int]:
        """How many rules there are of each status."""
        return {status: len(self.of(status)) for status in Status}

    def of(self, status: Status | str) -> tuple[RuleLine, ...]:
        """The rules of one status, which may be given as its word, for example ``failed``."""
        wanted = Status(status)
        return tuple(rule for rule in self.rules if rule.status is wanted)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON; its schema is docs/reference/conformance-report.schema.json."""
        counts = {status.value: count for status, count in self.counts.items()}
        first = {"schema": SCHEMA, "kind": KIND, "verdict": self.verdict.value, "counts": counts}
        return first | written(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote. Unknown keys are passed over.

        Raises:
            InvalidRequest: another schema or kind, a missing key, a value of another type, or a
                verdict that its own rules contradict.
        """
        if not isinstance(document, Mapping):
            raise InvalidRequest(
                f"A conformance report must be an object, not {type(document).__name__}."
            )
        if document.get("schema") != SCHEMA or document.get("kind") != KIND:
            raise InvalidRequest(
                f"This is not a conformance report of schema {SCHEMA}: its schema is "
                f"{document.get('schema')!r:.40}, its kind {document.get('kind')!r:.40}."
            )
        try:
            report = read_as(cls, document)
        except ValueError as error:
            raise InvalidRequest(str(error)) from None
        if document.get("verdict") != report.verdict.value:
            raise InvalidRequest(
                f"The report says {document.get('verdict')!r:.40}, its rules say "
                f"{report.verdict.value!r}: it was changed after it was made."
            )
        return report


# --- Which rules prove what a backend declares ----------------------------------------------------


def proved(backend: Backend, statuses: Mapping[str, Status]) -> tuple[CapabilityLine, ...]:
    """Everything that `backend` declares, and whether the rules proved it.

    Args:
        backend: The backend.
        statuses: What came out, by number of the rule.
    """
    can = backend.capabilities
    rule = None if can.threshold_rule is ThresholdRule.VENDOR else can.threshold_rule
    defaults = (can.default_threshold, can.default_liveness_threshold)
    # What is declared, and the rules that prove it. What only the vendor could prove is not here
    # (its limits of requests), nor what says only how to read or mask an answer.
    declared: dict[str, tuple[str | bool | None, tuple[str, ...]]] = {
        "match": (Operation.MATCH in can.operations, ("R01", "R06")),
        "liveness": (Operation.LIVENESS in can.operations, ("R01", "R06")),
        "both in one call": (
            {Operation.MATCH, Operation.LIVENESS} <= can.operations,
            ("R33",),
        ),
        "rotate": (can.rotate, ("R26", "R42")),
        "keep": (Retention.KEEP in can.retention, ("R26", "R44")),
        "caller_ref": (can.sends_caller_ref, ("R26",)),
        "metadata": (can.sends_metadata, ("R26",)),
        "own options": (getattr(can.options, "__name__", None), ("R26",)),
        "threshold rule": (rule and rule.value.replace("_", " "), ("R07", "R08", "R09")),
        "default threshold": (
            " and ".join(f"{value:g}" for value in defaults if value is not None),
            ("R45",),
        ),
        "scale of scores": (can.score_scale, ("R02", "R03")),
        "scale of liveness": (can.liveness_scale, ("R02", "R03")),
        "limits of pictures": (can.image_limits != ImageLimits(), ("R24",)),
        "what is charged": (
            ", ".join(one.value for one in Operation if one in can.billed_operations),
            ("R16", "R17", "R18", "R20"),
        ),
        "look into records": (type(backend).reconcile is not Backend.reconcile, ("R32",)),
    }
    lines = []
    for name, (what, rules) in declared.items():
        met = {statuses.get(number, Status.OPEN) for number in rules}
        holds = Status.PASSED in met and not met & {Status.FAILED, Status.OPEN}
        if what:
            said = "yes" if what is True else what
            lines.append(CapabilityLine(name=name, declared=said, proved=holds, rules=rules))
    return tuple(lines)
