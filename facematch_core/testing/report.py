"""What the contract says of one backend, as data that can be kept and sent."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from typing import Any, Self

import attrs

from facematch_core import Operation, Retention, ThresholdRule
from facematch_core.backend import Backend, ImageLimits
from facematch_core.errors import InvalidRequest
from facematch_core.models import read_document, written

#: Version of the JSON form; 0 until facematch 1.0: it may change with a minor release.
SCHEMA = 0
KIND = "conformance_report"

#: How the reason of a rule that did not run begins.
NOT_TESTED, DOES_NOT_APPLY, BECAUSE_OF = "Not tested: ", "Does not apply: ", "because of "

#: Why a rule is open where pytest was asked for others.
NOT_RUN = "it was not run"

#: How a reason begins that says nothing of the backend.
SIMULATOR_FAILED, KIT_FAILED = "the simulator failed: ", "the kit failed: "


class Status(enum.StrEnum):
    """What came out of a rule, or of one of its cases."""

    #: It was run, and kept.
    PASSED = "passed"
    #: It was run, and broken; or it could not be run to its end.
    FAILED = "failed"
    #: It would say the same as a rule that has failed, or the time of a run was over.
    NOT_JUDGED = "not_judged"
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
    #: The simulator failed: nothing is known of the backend.
    UNCHECKED = "unchecked"


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
        status: FAILED if any of its cases failed; else NOT_JUDGED if any was not judged; else OPEN
            if any was not tested; else PASSED if any passed; else DOES_NOT_APPLY.
        reasons: Why it is not PASSED, or what of it does not apply, each reason once; a failure
            with the cases that met it.
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
    def of(cls, number: str, title: str, cases: Sequence[Case]) -> Self:
        """The line of one rule, by its cases among these; open if none is."""
        cases = [case for case in cases if case.rule == number]
        statuses = {case.status for case in cases} or {Status.OPEN}
        weights = (Status.FAILED, Status.NOT_JUDGED, Status.OPEN, Status.PASSED)
        status = next((status for status in weights if status in statuses), Status.DOES_NOT_APPLY)
        names: dict[str, list[str]] = {} if cases else {NOT_RUN: []}
        for case in cases:
            if case.status is status and case.reason:
                names.setdefault(case.reason, []).append(case.name)
        reasons = []
        for reason, some in names.items():
            # Else it holds for every case, or speaks of none of those that met it.
            is_of_some = status is Status.FAILED and len(some) < len(cases)
            is_of_some &= not reason.startswith((SIMULATOR_FAILED, KIT_FAILED))
            reasons.append(f"{', '.join(some)}: {reason}" if is_of_some else reason)
        return cls(
            number=number,
            title=title,
            status=status,
            reasons=tuple(reasons),
            cases=len(cases),
            passed=sum(case.status is Status.PASSED for case in cases),
        )

    @property
    def is_of_the_backend(self) -> bool:
        """Whether the reasons speak of the backend: not where its simulator failed."""
        apart = (SIMULATOR_FAILED, KIT_FAILED)
        return not self.reasons or not all(reason.startswith(apart) for reason in self.reasons)


@attrs.frozen(kw_only=True)
class CapabilityLine:
    """One thing that the backend declares.

    Attributes:
        name: What it is called in the report.
        declared: What is declared of it; "yes" if there is nothing more to say.
        proved: Whether a rule about it passed, and each of the others did or does not apply.
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
        simulator: Name of the class that played its vendor.
        simulator_distribution, simulator_version: Who offers that; None if it was handed over.
        settings: Names of the settings that were set for this run.
        core_version: Version of facematch-core, and so of the rules.
        python_version: Of the interpreter.
        made_at: When, UTC.
        rules: Every rule of the contract, a cause before what follows from it.
        capabilities: Everything that the backend declares, and what its calls show that it does.
    """

    backend: str
    distribution: str | None = None
    version: str | None = None
    simulator: str
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
        """FAILS if a rule failed, but UNCHECKED if none by a fault of the backend; OPEN if one was
        not tested or judged, or a capability is not proved; else CONFORMS.
        """
        statuses = {rule.status for rule in self.rules}
        if failed := self.of(Status.FAILED):
            is_broken = any(rule.is_of_the_backend for rule in failed)
            return Verdict.FAILS if is_broken else Verdict.UNCHECKED
        is_proved = all(line.proved for line in self.capabilities)
        is_whole = is_proved and statuses <= {Status.PASSED, Status.DOES_NOT_APPLY}
        return Verdict.CONFORMS if is_whole else Verdict.OPEN

    @property
    def counts(self) -> dict[Status, int]:
        """How many rules there are of each status."""
        return {status: len(self.of(status)) for status in Status}

    def of(self, status: Status | str) -> tuple[RuleLine, ...]:
        """The rules of one status, which may be given as its word, for example ``failed``."""
        status = Status(status)
        return tuple(rule for rule in self.rules if rule.status is status)

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
            report = read_document(cls, document)
        except ValueError as error:
            raise InvalidRequest(str(error)) from None
        if document.get("verdict") != report.verdict.value:
            raise InvalidRequest(
                f"The report says {document.get('verdict')!r:.40}, its rules say "
                f"{report.verdict.value!r}: it was changed after it was made."
            )
        return report


def prove(backend: Backend, statuses: Mapping[str, Status]) -> tuple[CapabilityLine, ...]:
    """Everything that `backend` declares or shows, and whether the rules, by number, proved it."""
    can, apart = backend.capabilities, {Status.DOES_NOT_APPLY}
    applies = {number for number, status in statuses.items() if status not in apart}
    decides, limits = can.threshold_rule, {can.image_limits, can.reference_limits}
    thresholds = (can.default_threshold, can.default_liveness_threshold)
    defaults = " and ".join(f"{value:g}" for value in thresholds if value is not None)
    billed = ", ".join(each.value for each in Operation if each in can.billed_operations)
    # What only the vendor could prove is not there (its limits of requests), nor what says only how
    # to read or mask an answer.
    declared: tuple[tuple[str, str, str | bool | None], ...] = (
        ("match", "R51 R01 R06", Operation.MATCH in can.operations),
        ("liveness", "R51 R01 R06", Operation.LIVENESS in can.operations),
        ("rotate", "R25 R42", can.rotate),
        ("keep", "R25 R44", Retention.KEEP in can.retention),
        ("caller_ref", "R25", can.sends_caller_ref),
        ("metadata", "R25", can.sends_metadata),
        ("own options", "R25", getattr(can.options, "__name__", None)),
        (
            "threshold rule",
            "R07",
            # Of a plug-in that compares no pictures it is a default that nobody wrote.
            bool(can.operations) and decides != ThresholdRule.VENDOR and decides.replace("_", " "),
        ),
        ("default threshold", "R07", defaults),
        ("scale of scores", "R02", can.score_scale),
        ("scale of liveness", "R02", can.liveness_scale),
        ("limits of pictures", "R24", bool(limits - {ImageLimits(), None})),
        ("faces", "R48", can.reports_faces),
        ("what is charged", "R16 R18 R20", billed),
        ("look into records", "R32", type(backend).reconcile is not Backend.reconcile),
        (
            "sessions",
            "R52 R53 R54 R55 R56 R57 R58 R59 R61 R62",
            backend.session_capabilities is not None,
        ),
        # These nobody declares, and calls show them.
        ("clean-ups", "R49", "R49" in applies),
        ("nothing kept in memory", "R28", "R28" in applies),
    )
    return tuple(
        CapabilityLine(
            name=name,
            declared="yes" if value is True else value,
            proved={statuses.get(number) for number in rules.split()} - apart == {Status.PASSED},
            # What was left out proves nothing, beside what was not.
            rules=tuple(filter(applies.__contains__, rules.split())) or tuple(rules.split()),
        )
        for name, rules, value in declared
        if value
    )
