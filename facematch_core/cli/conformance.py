"""`facematch conformance`: whether a backend conforms to the contract, as a report."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facematch_core.errors import ConfigurationError

from .files import check_target, form_of, write_json
from .options import complete_backend, file_option, json_option, parse_pairs
from .text import Exit, print_json, quantity, say

if TYPE_CHECKING:
    from facematch_core.testing import ConformanceReport, RuleLine
    from facematch_core.testing.conformance import Progress

#: Verdict of a report to its word, colour, meaning and exit code.
VERDICTS: dict[str, tuple[str, str, str, Exit]] = {
    "conforms": ("CONFORMS", "green", "meets every rule that applies to it", Exit.OK),
    "open": ("OPEN", "yellow", "breaks no rule, but not every rule was tested", Exit.LOOK),
    "fails": ("FAILS", "red", "breaks", Exit.BROKEN),
    "unchecked": ("UNCHECKED", "red", "could not be checked", Exit.BROKEN),
}

#: What is said of a rule of each status, and of some.
WORDS = {
    "passed": ("passed", "passed"),
    "failed": ("failed", "failed"),
    "not_judged": ("not judged", "not judged"),
    "open": ("not tested", "not tested"),
    "does_not_apply": ("does not apply", "do not apply"),
}


@click.command("conformance")
@click.argument("name", shell_complete=complete_backend)
@file_option("--out", "Write the report as JSON.", metavar="REPORT.json")
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=parse_pairs,
    metavar="KEY=VALUE",
    help="A setting of the backend. May be repeated. No real key is needed.",
)
@click.option("--all", "everything", is_flag=True, help="Show every rule, not only the exceptions.")
@json_option
def command(
    *, name: str, out: Path | None, settings: dict[str, str], everything: bool, as_json: bool
) -> int:
    """Run every rule of the contract over the backend NAME, and print its report.

    No vendor is called: the simulator that comes with the backend stands in for it; without one
    there is nothing to check. The exit code is 0 if every rule that applies passed, 3 if some were
    not tested, 7 if one failed, or its simulator did.
    """
    if importlib.util.find_spec("pytest") is None:
        raise ConfigurationError(
            "facematch conformance needs pytest, which is not installed: "
            '`pip install -e ".[testing]"` in the checkout brings it.'
        )
    from facematch_core.config.plugins import backend_class
    from facematch_core.config.settings import settings_from_text
    from facematch_core.testing import conformance

    if out is not None:
        check_report("--out", out)
    values = settings_from_text(backend_class(name), settings, "--set")
    # What a backend prints is no part of the report.
    with draw_progress() as progress, contextlib.redirect_stdout(sys.stderr):
        report = conformance(name, settings=values, progress=progress)
    if out is not None:
        write_json(out, report.to_dict())
    if as_json:
        print_json(report.to_dict())
    else:
        show_report(report, everything=everything)
        if out is not None:
            say(f"The report as JSON: {out}")
    return VERDICTS[report.verdict.value][3]


def check_report(option: str, out: Path) -> None:
    """Refuse a file that could not be written, or that is something else than a report."""
    form_of(option, out, ".json")
    check_target(option, out, force=True)
    if not out.exists():
        return
    with contextlib.suppress(OSError, ValueError, RecursionError):
        document = json.loads(out.read_bytes()) if out.is_file() else None
        if isinstance(document, dict) and document.get("kind") == "conformance_report":
            return
    raise click.UsageError(
        f"{out} exists and is not a conformance report of facematch: name another file with "
        f"{option}."
    )


@contextlib.contextmanager
def draw_progress() -> Iterator[Progress | None]:
    """A bar on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label="rules", file=sys.stderr) as bar:

        def advance(done: int, total: int) -> None:
            bar.length, bar.update_min_steps = total, total // 100
            bar.update(done - bar.pos)

        yield advance


def show_report(report: ConformanceReport, *, everything: bool = False) -> None:
    """Print a report: the verdict first, then what did not pass, in words."""
    broken, proofs = _show_verdict(report), _show_subject(report)
    if broken:
        say()
        say(word="Failed", colour="red")
    for rule in broken:
        say(f"  {rule.number}  {rule.title}")
        for reason in rule.reasons:
            say(f"       {reason}")
    for title, colour, rules in (
        ("Not judged", "", report.of("not_judged")),
        ("Not tested", "yellow", report.of("open")),
        ("Do not apply", "", report.of("does_not_apply")),
        ("Do not apply in part", "", [rule for rule in report.of("passed") if rule.reasons]),
    ):
        if rules:
            say()
            say(word=title, colour=colour)
        for reason, group in _by_reason(sorted(rules, key=attrgetter("number"))).items():
            say(f"  {numbers(group)}: {reason}")
    if not everything:
        return
    say()
    say(word="Every rule")
    for rule in sorted(report.rules, key=attrgetter("number")):
        cases = f", {rule.passed} of {rule.cases} cases" if rule.cases > 1 else ""
        say(f"  {rule.number}  {WORDS[rule.status.value][0]}{cases}: {rule.title}")
    say()
    say(word="Everything declared")
    for line in report.capabilities:
        by = ", ".join(line.rules)
        say(f"  {line.name}: {line.declared}; {proofs[line.name]} by {by}")


def _show_verdict(report: ConformanceReport) -> list[RuleLine]:
    """Print verdict and counts; the rules that the backend itself breaks."""
    broken = [rule for rule in report.of("failed") if rule.is_of_the_backend]
    unknown = [rule for rule in report.of("failed") if not rule.is_of_the_backend]
    word, colour, says, _ = VERDICTS[report.verdict.value]
    if broken:
        says += f" {quantity(len(broken), 'rule')}: {numbers(broken)}"
    say(f"  {report.backend} {says}.", word=word, colour=colour)
    for reason, group in _by_reason(unknown).items():
        say(f"  {numbers(group)}: {reason}.")
    counts = {WORDS[status.value][1]: number for status, number in report.counts.items()}
    counts |= {WORDS["failed"][1]: len(broken), "could not be run": len(unknown)}
    parts = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    say(f"  {quantity(len(report.rules), 'rule')}: {parts}")
    return broken


def _show_subject(report: ConformanceReport) -> dict[str, str]:
    """Print of what the report is; whether each declaration was proved."""
    backend = f"{report.backend}{_of(report.distribution, report.version)}"
    offered = _of(report.simulator_distribution, report.simulator_version)
    settings = f", set: {', '.join(report.settings)}" if report.settings else ""
    say(f"  {backend}, simulated by {report.simulator}{offered}{settings}")
    python, day = report.python_version, f"{report.made_at:%Y-%m-%d}"
    say(f"  rules of facematch-core {report.core_version}, Python {python}, {day}")
    failed = {rule.number for rule in report.of("failed")}
    proofs = dict[str, str]()
    for line in report.capabilities:
        # A rule about it failed, or none has seen it.
        unproved = "not proved" if failed & {*line.rules} else "not checked"
        proofs[line.name] = "proved" if line.proved else unproved
    for proof, comma in (("proved", " and"), ("not proved", ","), ("not checked", ",")):
        if names := [name for name, its in proofs.items() if its == proof]:
            say(f"  Declared{comma} {proof}: {', '.join(names)}")
    return proofs


def _by_reason(rules: Iterable[RuleLine]) -> dict[str, list[RuleLine]]:
    """The rules that have each reason."""
    groups: dict[str, list[RuleLine]] = {}
    for rule in rules:
        for reason in rule.reasons or ("no reason was given",):
            groups.setdefault(reason, []).append(rule)
    return groups


def numbers(rules: Iterable[RuleLine]) -> str:
    """``R01-R04, R07``."""
    runs: list[list[str]] = []
    for number in (rule.number for rule in rules):
        if runs and int(number[1:]) == int(runs[-1][-1][1:]) + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _of(distribution: str | None, version: str | None) -> str:
    return f" of {distribution} {version or ''}".rstrip() if distribution else ""
