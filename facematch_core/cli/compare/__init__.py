"""The command `facematch compare`: a study of vendors, from pictures to a decision.

One module for each command, imported when it is used.
"""

from __future__ import annotations

import click

from facematch_core.cli._app import LazyGroup
from facematch_core.errors import ConfigurationError

#: Name of a command to what the list says of it; each is `command` of the module so named.
COMMANDS = {
    "plan": "How many comparisons a claim needs, and what they cost.",
    "draw": "Draw pairs from a folder of photographs, one folder per person.",
    "run": "Ask every vendor about every pair, once, whatever happens meanwhile.",
    "unknown": "List what may have been charged without an answer; settle it.",
    "report": "Judge the answers: one page for people, one document for programs.",
    "threshold": "Write the threshold for a wanted FMR to a file that verifiers read.",
    "gate": "PASS, FAIL or INCONCLUSIVE against a profile of requirements.",
    "simulate": "Make up scores with known error rates, to try all this.",
}

#: What the commands need beyond the core; `importlib` names of the extra `compare`.
NEEDED = ("numpy", "scipy", "sqlalchemy", "matplotlib", "jinja2")


class CompareGroup(LazyGroup):
    """Says what is missing for a command."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now; None if there is none of that name."""
        try:
            return super().get_command(ctx, cmd_name)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in NEEDED:
                raise
        raise ConfigurationError(
            f"facematch compare needs {missing}, which is not installed: "
            'pip install "facematch-core[compare]".'
        )


@click.group(
    "compare",
    cls=CompareGroup,
    package=__name__,
    table=COMMANDS,
    short_help="Which vendor, at which threshold, and how sure: study, run, report, gate.",
)
def command() -> None:
    """Which vendor, at which threshold, at what price, and how sure one can be.

    \b
    facematch compare plan --fmr 1e-3 --fnmr 0.01 --price didit=0.05
    facematch compare draw people/ --split --out pairs.csv
    facematch compare run pairs.csv --profile didit --backend local --store study.sqlite3
    facematch compare report --store study.sqlite3 --out report.html
    facematch compare gate --store study.sqlite3 --profile sp800-63a
    """
