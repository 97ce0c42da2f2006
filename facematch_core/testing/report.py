"""What the contract says of one backend, as data that can be kept and sent."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Container, Mapping, Sequence
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

#: How a reason begins that says nothing of the backend: its simulator failed, or answers so late
#: that no rule was run.
SIMULATOR_FAILED, NO_RULE_RUN = "the simulator failed: ", "no rule was run: "


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


@attrs.frozen
class Case:
    """What came out of one case of a rule, and why; it has a name if it has others beside it."""

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
    def of(
        cls, number: str, title: str, cases: Sequence[Case], missing: str, shared: Container[str]
    ) -> Self:
        """The line of one rule: `missing` is the reason if it has no cases; one of the `shared` is
        given without the cases that met it.
        """
        statuses = {case.status for case in cases} or {Status.OPEN}
        weight = (Status.FAILED, Status.OPEN, Status.PASSED, Status.DOES_NOT_APPLY)
        status = next(one for one in weight if one in statuses)
        where: dict[str, list[str]] = {}
        for case in cases:
            if case.status is status and case.reason:
                where.setdefault(case.reason, []).append(case.name)
        reasons = [
            reason
            if reason in shared or len(names) == len(cases)
            else f"{', '.join(names)}: {reason}"
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

    @property
    def is_of_the_backend(self) -> bool:
        """Whether the reasons speak of the backend: not where its simulator failed."""
        others = (SIMULATOR_FAILED, NO_RULE_RUN)
        return not self.reasons or any(not one.startswith(others) for one in self.reasons)


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
    """Everything that `backend` declares, and whether the rules, by their numbers, proved it.

    What only the vendor could prove is not there (its limits of requests), nor what says only how
    to read or mask an answer.
    """
    can = backend.capabilities
    lines = []

    def line(name: str, declared: str | bool | None, *rules: str) -> None:
        met = {statuses.get(number, Status.OPEN) for number in rules}
        holds = Status.PASSED in met and not met & {Status.FAILED, Status.OPEN}
        if declared:
            said = "yes" if declared is True else declared
            lines.append(CapabilityLine(name=name, declared=said, proved=holds, rules=rules))

    for operation in Operation:
        line(operation.value, operation in can.operations, "R01", "R06")
    line("rotate", can.rotate, "R25", "R42")
    line("keep", Retention.KEEP in can.retention, "R25", "R44")
    line("caller_ref", can.sends_caller_ref, "R25")
    line("metadata", can.sends_metadata, "R25")
    line("own options", getattr(can.options, "__name__", None), "R25")
    rule = can.threshold_rule
    decides = rule is not ThresholdRule.VENDOR
    line("threshold rule", decides and rule.value.replace("_", " "), "R07", "R08")
    defaults = (can.default_threshold, can.default_liveness_threshold)
    told = " and ".join(f"{one:g}" for one in defaults if one is not None)
    line("default threshold", told, "R07")
    line("scale of scores", can.score_scale, "R02", "R03")
    line("scale of liveness", can.liveness_scale, "R02", "R03")
    limited = {can.image_limits, can.reference_limits} - {ImageLimits(), None}
    line("limits of pictures", bool(limited), "R24")
    line("faces", can.reports_faces, "R48")
    billed = ", ".join(one.value for one in Operation if one in can.billed_operations)
    line("what is charged", billed, "R16", "R17", "R18", "R20")
    line("look into records", type(backend).reconcile is not Backend.reconcile, "R32")
    return tuple(lines)
