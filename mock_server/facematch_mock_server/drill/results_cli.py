"""The results of a drill: what is printed, and written as JUnit after each story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import attrs

from facematch_core.base.files import replacing
from facematch_core.cli.files import make_folder
from facematch_core.cli.text import Exit, clean, say

from .judge import Verdict
from .player import Played

_ORDER = list(Verdict)


@attrs.frozen(kw_only=True)
class Result:
    """A story that was played.

    Attributes:
        title: What it is about.
        story: Its steps, as `--play` takes them; empty if they do not fail alone.
        played: What came of it.
        lines: The story as it went.
        seconds: How long it took.
    """

    title: str
    story: str
    played: Played
    lines: Sequence[str]
    seconds: float

    @property
    def verdicts(self) -> list[Verdict]:
        """What is wrong, the gravest first."""
        return sorted({each.verdict for each in self.played.failures}, key=_ORDER.index)

    @property
    def shown_verdicts(self) -> str:
        """What is wrong, in capital letters."""
        return ", ".join(self.verdicts).upper()

    @property
    def told(self) -> list[str]:
        """The story as it went, and what is wrong."""
        told = list(self.lines)
        for failure in sorted(self.played.failures, key=lambda each: _ORDER.index(each.verdict)):
            told.append(f"       => {failure.verdict.upper()}: {failure.detail}")
        if self.story:
            told.append(f"       again: --play '{self.story}'")
        return told


def print_lines(lines: Sequence[str]) -> None:
    """Print lines that the application wrote."""
    if lines:
        say("The application wrote:")
    for line in lines:
        say(f"    {line}")


class Results:
    """The results of one drill; `late` counts the customers of its day who were right only later.

    Args:
        vendor: The vendor's name, which JUnit's classes have.
        junit: The file to write after each story, or None.
        is_strict: Whether a story that the application has no means for fails the drill.
    """

    def __init__(self, vendor: str, junit: Path | None, *, is_strict: bool) -> None:
        """Begin without results."""
        self._is_strict = is_strict
        self._junit = junit
        if junit is not None:
            make_folder(junit)
        self._suite = ET.Element("testsuite", name="facematch drill")
        self._class = f"drill.{vendor}"
        self._not_tried: Counter[str] = Counter()
        self._told: set[str] = set()
        self.played: list[Result] = []
        self.late = 0

    @property
    def exit_code(self) -> Exit:
        """NO if a story ends wrong, or is not tried in a strict drill."""
        is_wrong = any(each.verdicts for each in self.played)
        return Exit.NO if is_wrong or (self._is_strict and self._not_tried) else Exit.OK

    @property
    def why_none(self) -> str:
        """Why no story is played."""
        return f"No story is played: {', '.join(self._not_tried) or 'each is skipped'}."

    @property
    def has_crashed_thrice(self) -> bool:
        """Whether the application crashed in each of the last three stories."""
        last = self.played[-3:]
        return len(last) == 3 and all(Verdict.CRASHES in each.verdicts for each in last)

    def add(self, result: Result, *, is_told: bool = False) -> None:
        """Write a result, and print it, with the story if its verdict is new or `is_told`."""
        self.played.append(result)
        verdicts = result.shown_verdicts
        case = self._case(result.title, f"{result.seconds:.3f}")
        if verdicts:
            failure = ET.SubElement(case, "failure", message=verdicts)
            failure.text = "\n".join(map(clean, result.told))
            ET.SubElement(case, "system-out").text = "\n".join(map(clean, result.played.output))
        self._write()
        say(f"WRONG  {result.title}: {verdicts}" if verdicts else f"right  {result.title}")
        # The first story of a verdict is the shortest, and the others are told by --play.
        if is_told or (verdicts and verdicts not in self._told):
            for line in result.told:
                say(f"    {line}")
        elif verdicts:
            say(f"    {result.told[-1]}")
        if verdicts and (is_told or Verdict.CRASHES in result.verdicts):
            print_lines(result.played.output)
        self._told.add(verdicts)

    def skip(self, title: str, reason: str) -> None:
        """Write a story that is not played, and count it if another option would let it be."""
        if reason.startswith("needs"):
            self._not_tried[reason] += 1
        ET.SubElement(self._case(title, "0"), "skipped", message=reason)
        self._write()

    def print_count(self) -> None:
        """Print how many stories end right, and how many are not tried for which reason.

        Nothing if none was played.
        """
        if not self.played:
            return
        right = sum(not each.verdicts for each in self.played)
        line = f"{right} of {len(self.played)} stories end right"
        if self.late:
            line += f", {self.late} customers of the day late"
        for reason, number in self._not_tried.items():
            line += f"; not tried: {number} ({reason})"
        say(f"{line}.")

    def _case(self, title: str, seconds: str) -> ET.Element:
        return ET.SubElement(
            self._suite, "testcase", classname=self._class, name=clean(title), time=seconds
        )

    def _write(self) -> None:
        """Write the file whole, because the drill may be ended at any time."""
        if self._junit is None:
            return
        for name, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
            self._suite.set(name, str(sum(1 for _ in self._suite.iter(tag))))
        with replacing(self._junit) as file:
            ET.ElementTree(self._suite).write(file, encoding="utf-8", xml_declaration=True)
