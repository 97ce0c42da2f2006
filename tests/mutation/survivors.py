"""Which mutants survived that nobody has accepted; `make mutation` ends with it.

    python tests/mutation/survivors.py FOLDER [PATTERN]... [--accept REASON]

FOLDER is where mutmut ran, a PATTERN as `mutmut run` takes it: the mutants that were to be tried.
What is accepted is in `accepted.toml` beside this file, by its function and what was changed,
so that other lines may move. The exit code is 1 if a mutant survived that is not in it, or was not
tried. `--accept` writes the new ones into it, all with this reason: read each before you keep it.
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import attrs
import tomli_w

ACCEPTED = Path(__file__).with_name("accepted.toml")
REPORT = "report.md"
CAUGHT = {"killed", "timeout", "segfault", "caught by type check", "skipped"}
NOT_TRIED = {"not checked", "check was interrupted by user"}
#: In mutmut's names of methods: x, this, the class, this, the method.
SEPARATOR = "ǁ"


@attrs.frozen(order=True)
class Change:
    """A change that mutmut makes, wherever its function has it."""

    function: str
    was: str
    now: str

    def __str__(self):
        sides = (textwrap.indent(self.was, "- "), textwrap.indent(self.now, "+ "))
        return "\n".join([f"`{self.function}`", "```diff", *filter(None, sides), "```"])


@attrs.frozen
class Accepted:
    """What `accepted.toml` says."""

    #: The reason of each change, as often as the function has it.
    reasons: dict[Change, list[str]] = attrs.field(factory=dict)
    #: Modules whose survivors nobody has read yet: they are counted only.
    unread: tuple[str, ...] = ()

    @classmethod
    def read(cls, path):
        tables = tomllib.loads(path.read_text("utf-8"))
        unread = tuple(tables.pop("unread"))
        reasons = collections.defaultdict(list)
        for function, entries in tables.items():
            for entry in entries:
                change = Change(function, entry["was"], entry["now"])
                reasons[change].append(entry["why"])
        return cls(dict(reasons), unread)

    def write(self, path):
        tables = {"unread": list(self.unread)}
        for change, whys in sorted(self.reasons.items()):
            entries = tables.setdefault(change.function, [])
            entries += [{"was": change.was, "now": change.now, "why": why} for why in whys]
        comment = re.match(r"(?:#.*\n)*", path.read_text("utf-8"))[0]
        path.write_text(comment + tomli_w.dumps(tables, multiline_strings=True), "utf-8")

    def with_reason(self, changes, why):
        reasons = {change: list(whys) for change, whys in self.reasons.items()}
        for change in changes:
            reasons.setdefault(change, []).append(why)
        return attrs.evolve(self, reasons=reasons)


@attrs.frozen
class Outcome:
    """What a run says, compared with what is accepted."""

    new: list[Change]
    gone: list[Change]
    not_tried: list[str]
    unread: dict[str, int]
    tried: int

    @property
    def code(self):
        return 1 if self.new or self.not_tried or not self.tried else 0

    def __str__(self):
        parts = [f"{self.tried} mutants were tried."]
        if self.new:
            parts += [f"{len(self.new)} survived that nobody has accepted:", *map(str, self.new)]
        if self.not_tried:
            parts.append(f"{len(self.not_tried)} were not tried: {', '.join(self.not_tried[:9])}")
        if self.gone:
            end = "take them out of accepted.toml"
            parts += [f"{len(self.gone)} accepted ones survive no more: {end}."]
            parts += map(str, self.gone)
        for module, count in sorted(self.unread.items()):
            parts.append(f"{count} survived in {module}, which nobody has read yet.")
        return "\n\n".join(parts) + "\n"


def name_function(mutant):
    """`pack.x_find__mutmut_1` is of `pack.find`, `pack.xǁBoxǁopen__mutmut_2` of `pack.Box.open`."""
    module, _, name = mutant.partition("__mutmut_")[0].rpartition(".")
    if SEPARATOR in name:
        _, *path = name.split(SEPARATOR)
        return ".".join([module, *path])
    return f"{module}.{name.removeprefix('x_')}"


def read_change(mutant, shown):
    """The change that `mutmut show` shows."""
    lines = re.findall(r"(?m)^([-+])(?!-- |\+\+ )(.*)$", shown)
    was, now = (
        textwrap.dedent("\n".join(line for side, line in lines if side == sign)).strip("\n")
        for sign in "-+"
    )
    return Change(name_function(mutant), was, now)


def read_statuses(listed):
    """The status of each mutant that `mutmut results` lists."""
    return dict(re.findall(r"(?m)^ +(\S+): (.+)$", listed))


def compare(statuses, changes, accepted, *, is_whole=True):
    """What is new, and what survives no more; of a part of the mutants, in its functions only."""
    unread = collections.Counter()
    survived = collections.Counter()
    for change in changes:
        inside = (each for each in accepted.unread if change.function.startswith(f"{each}."))
        module = next(inside, None)
        if module:
            unread[module] += 1
        else:
            survived[change] += 1
    allowed = collections.Counter({change: len(whys) for change, whys in accepted.reasons.items()})
    functions = {name_function(mutant) for mutant in statuses}
    return Outcome(
        new=sorted((survived - allowed).elements()),
        gone=sorted(
            change
            for change in (allowed - survived).elements()
            if is_whole or change.function in functions
        ),
        not_tried=[mutant for mutant, status in statuses.items() if status in NOT_TRIED],
        unread=dict(unread),
        tried=sum(status not in NOT_TRIED for status in statuses.values()),
    )


def run_mutmut(mutmut, folder, *words):
    done = subprocess.run(
        [mutmut, *words], cwd=folder, stdout=subprocess.PIPE, text=True, check=True, timeout=120
    )
    return done.stdout


def read_run(mutmut, folder, patterns):
    """The statuses of the mutants of these patterns, and the changes that survived."""
    everything = read_statuses(run_mutmut(mutmut, folder, "results", "--all", "true"))
    statuses = {
        mutant: status
        for mutant, status in everything.items()
        if not patterns or any(fnmatch.fnmatch(mutant, pattern) for pattern in patterns)
    }
    survivors = [name for name, status in statuses.items() if status not in CAUGHT | NOT_TRIED]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        shown = threads.map(lambda name: run_mutmut(mutmut, folder, "show", name), survivors)
        return statuses, [read_change(*pair) for pair in zip(survivors, shown, strict=True)]


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("patterns", nargs="*")
    parser.add_argument("--accept", metavar="REASON")
    parser.add_argument("--accepted", type=Path, default=ACCEPTED)
    parser.add_argument("--mutmut", default=Path(sys.executable).with_name("mutmut"))
    options = parser.parse_args(arguments)
    accepted = Accepted.read(options.accepted)
    statuses, changes = read_run(options.mutmut, options.folder, options.patterns)
    outcome = compare(statuses, changes, accepted, is_whole=not options.patterns)
    if options.accept:
        accepted.with_reason(outcome.new, options.accept).write(options.accepted)
    (options.folder / REPORT).write_text(str(outcome), "utf-8")
    sys.stdout.write(str(outcome))
    return outcome.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
