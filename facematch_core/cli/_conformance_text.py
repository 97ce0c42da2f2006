"""A card for people: the verdict first, then what did not pass, in words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from facematch_core.testing._running import Status

from ._text import clean, console, counted
from ._verdicts import Mark, Verdict

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from facematch_core.testing import Card, SelfTest
    from facematch_core.testing._card import RuleLine

#: Verdict of a card to how it is shown.
VERDICTS: dict[str, Verdict] = {
    "conforms": Verdict("CONFORMS", "keeps every rule that applies to it", Mark.CHECK),
    "open": Verdict("OPEN", "breaks no rule, but not all of it was tested", Mark.QUESTION),
    "fails": Verdict("FAILS", "breaks", Mark.CROSS),
}

#: How many rules there are of each status, in words.
WORDS = {
    Status.PASSED: "passed",
    Status.FAILED: "failed",
    Status.OPEN: "not tested",
    Status.DOES_NOT_APPLY: "do not apply",
}


@attrs.frozen
class Line:
    """One paragraph.

    Attributes:
        text: Its words.
        under: How far it is set in, in characters.
        hang: How much further its second line is.
        style: Its style on a terminal.
    """

    text: str
    under: int = 0
    hang: int = 0
    style: str = ""


def show_card(card: Card, *, everything: bool = False) -> None:
    """Print a card to stdout.

    Args:
        card: The card.
        everything: With a line for each rule.
    """
    verdict = VERDICTS[card.verdict.value]
    _print(console(), (verdict.word, verdict.style), card_lines(card, everything=everything))


def show_self_test(found: SelfTest) -> None:
    """Print to stdout whether every saboteur was caught."""
    verdict = Verdict("PASSED", "", Mark.CHECK) if found.passed else VERDICTS["fails"]
    _print(console(), (verdict.word, verdict.style), self_test_lines(found))


def card_lines(card: Card, *, everything: bool = False) -> Iterator[Line]:
    """A card as paragraphs; the first follows the word of its verdict."""
    failed = card.of(Status.FAILED)
    says = VERDICTS[card.verdict.value].says
    broken = f" {counted(len(failed), 'rule')}: {numbers(failed)}" if failed else ""
    yield Line(f"  {card.backend} {says}{broken}.")
    yield Line(_counts(card), under=2, hang=2)
    yield from (Line(words, under=2, hang=2) for words in _made(card))
    yield from _capabilities(card)
    yield from _one_by_one(failed)
    yield from _together("Not tested", card.of(Status.OPEN), style="bold yellow")
    yield from _together("Do not apply", card.of(Status.DOES_NOT_APPLY), style="bold")
    if everything:
        yield from _everything(card)


def self_test_lines(found: SelfTest) -> Iterator[Line]:
    """What became of the saboteurs, as paragraphs."""
    survivors, number = found.survivors, len(found.sabotages)
    caught = number - len(survivors)
    each = ", each by the rule that names its fault" if caught == number else ""
    yield Line(f"  {counted(number, 'saboteur')}, {caught} caught{each}.")
    for name, rules in found.paragons.items():
        told = f"does not pass {', '.join(rules)}" if rules else "keeps every rule that applies"
        yield Line(f"{name}, which is right in everything, {told}.", under=2)
    if found.idle:
        yield Line(f"Passed by nobody: {', '.join(found.idle)}.", under=2)
    for one in survivors:
        by = f"; failed there: {', '.join(one.failed)}" if one.failed else ""
        yield Line(f"{one.name} survives {one.rule}: {one.fault}{by}", under=2, hang=2)


def numbers(rules: Iterable[RuleLine]) -> str:
    """``R01-R04, R07``."""
    runs: list[list[RuleLine]] = []
    for rule in rules:
        if runs and int(rule.number[1:]) == int(runs[-1][-1].number[1:]) + 1:
            runs[-1].append(rule)
        else:
            runs.append([rule])
    ends = ((run[0].number, run[-1].number) for run in runs)
    return ", ".join(first if first == last else f"{first}-{last}" for first, last in ends)


def _counts(card: Card) -> str:
    counts = card.counts
    told = [f"{counts[status]} {word}" for status, word in WORDS.items() if counts[status]]
    return f"{counted(len(card.rules), 'rule')}: {', '.join(told)}"


def _made(card: Card) -> Iterator[str]:
    offered = _of(card.distribution, card.version)
    played = f"played by {card.double}{_of(card.double_distribution, card.double_version)}"
    chosen = [f"set: {', '.join(card.settings)}"] if card.settings else []
    yield ", ".join(
        [f"{card.backend}{offered}", played if card.double else "without a double", *chosen]
    )
    yield (
        f"rules of facematch-core {card.core_version}, Python {card.python_version}, "
        f"{card.made_at:%Y-%m-%d}"
    )


def _of(distribution: str | None, version: str | None) -> str:
    return f" of {distribution} {version or ''}".rstrip() if distribution else ""


def _capabilities(card: Card) -> Iterator[Line]:
    for title, proved in (("Declared and proved", True), ("Declared, not proved", False)):
        names = [one.name for one in card.capabilities if one.proved is proved]
        if names:
            style = "" if proved else "yellow"
            yield Line(f"{title}: {', '.join(names)}", under=2, hang=2, style=style)


def _one_by_one(failed: Sequence[RuleLine]) -> Iterator[Line]:
    if failed:
        yield Line("")
        yield Line("Failed", style="bold red")
    for rule in failed:
        yield Line(f"{rule.number}  {rule.title}", under=2, hang=5)
        yield from (Line(reason, under=7, hang=2) for reason in rule.reasons)


def _together(title: str, rules: Sequence[RuleLine], *, style: str) -> Iterator[Line]:
    """Rules with their reasons; those with the same reasons share them."""
    if rules:
        yield Line("")
        yield Line(title, style=style)
    by_reason: dict[tuple[str, ...], list[RuleLine]] = {}
    for rule in rules:
        by_reason.setdefault(rule.reasons, []).append(rule)
    for reasons, group in by_reason.items():
        first, *rest = reasons or ("no reason was given",)
        yield Line(f"{numbers(group)}: {first}", under=2, hang=2)
        yield from (Line(reason, under=4, hang=2) for reason in rest)


def _everything(card: Card) -> Iterator[Line]:
    yield Line("")
    yield Line("Every rule", style="bold")
    for rule in card.rules:
        cases = f", {rule.passed} of {rule.cases} cases" if rule.cases > 1 else ""
        word = WORDS[rule.status].replace("do not", "does not")
        yield Line(f"{rule.number}  {word}{cases}: {rule.title}", under=2, hang=5)
    yield Line("")
    yield Line("Everything declared", style="bold")
    for one in card.capabilities:
        word = "proved" if one.proved else "not proved"
        yield Line(f"{one.name}: {one.declared}; {word} by {', '.join(one.rules)}", under=2, hang=2)


def _print(to: Console, word: tuple[str, str], lines: Iterable[Line]) -> None:
    from rich.text import Text

    first, *rest = lines
    to.print(Text.assemble(word, clean(first.text)))
    for line in rest:
        to.print(_wrapped(line, to.width))


def _wrapped(line: Line, width: int) -> Text:
    from rich.text import Text

    indent = " " * line.under
    text = textwrap.fill(
        clean(line.text),
        width,
        initial_indent=indent,
        subsequent_indent=indent + " " * line.hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return Text(text, style=line.style)
