"""The command `facematch compare`: a comparison of vendors, from pictures to a decision."""

from __future__ import annotations

import importlib
from typing import Any, Final

import click

from facematch_core.backend.kinds import show_arguments_as_options
from facematch_core.base.extras import install_command
from facematch_core.cli.app import LazyGroup
from facematch_core.errors import ConfigurationError

#: Short help of each command.
COMMANDS: Final = {
    "plan": "Compute how many pairs you need.",
    "draw": "Draw pairs from a folder of photographs, one folder per person.",
    "run": "Run every pair on every system, once; stop and resume at any time.",
    "report": "Evaluate the answers: verdict, HTML, JSON, list of errors.",
    "gate": "Check systems against requirements: PASS, FAIL or INCONCLUSIVE.",
    "shadow": "Compare a vendor with a candidate in the shadow, by a call log.",
    "review": "Label the calls of a review file on a page in your browser.",
    "drift": "Show how a vendor's answers change over time, by a call log.",
}

#: The module of each command that is not in `judge`.
_MODULES: Final = {
    **dict.fromkeys(("draw", "run"), "run"),
    **dict.fromkeys(("shadow", "review", "drift"), "production"),
}

#: Modules of the extra `compare` that the commands need.
_NEEDED: Final = ("numpy", "scipy", "sqlalchemy", "jinja2", "pandas", "pyarrow")


class CompareGroup(LazyGroup):
    """A group that reports missing packages, and names options in errors, not Python arguments."""

    def load(self, name: str) -> click.Command:
        # The function in the module is named like the command.
        module = _MODULES.get(name, "judge")
        command: click.Command = getattr(importlib.import_module(f"{self.package}.{module}"), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with show_arguments_as_options():
                return super().invoke(ctx)
        except ModuleNotFoundError as error:
            name = (error.name or "").partition(".")[0]
            if name not in _NEEDED:
                raise
        raise ConfigurationError(f"facematch compare needs {name}: {install_command('compare')}")


@click.group(
    "compare",
    cls=CompareGroup,
    package=__name__,
    table=COMMANDS,
    short_help="Compare vendors on your photographs: draw, run, report, gate.",
    context_settings={"show_default": True},
)
def command() -> None:
    """Compare vendors by error rates, threshold and price, with confidence intervals.

    \b
    facematch compare plan --fmr 1e-3 --frr 0.01
    facematch compare draw people/ --out pairs.csv
    facematch compare run pairs.csv --profile didit --backend local \\
      --store study.sqlite3
    facematch compare report --store study.sqlite3 --out report.html
    facematch compare gate --store study.sqlite3 --requirements sp800-63a
    """
