"""`pytest --facematch-report FILE`: the conformance report of a plug-in's own contract test.

Pytest loads this module wherever facematch is installed: it imports nothing but pytest until the
option is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the report is written."""
    parser.getgroup("facematch").addoption(
        "--facematch-report",
        metavar="REPORT.json",
        type=Path,
        help="write the conformance report of the one class of BackendContract that is run",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Listen to every rule, if somebody wants a report."""
    if (out := config.getoption("facematch_report")) is None:
        return
    import click

    from facematch_core.testing.conformance import Recorder

    from .conformance import check_report

    if hasattr(config, "workerinput") or config.getoption("numprocesses", None):
        raise pytest.UsageError("--facematch-report hears the rules of one process: leave out -n.")
    try:
        check_report("--facematch-report", out)
    except click.UsageError as error:
        raise pytest.UsageError(error.message) from None
    config.pluginmanager.register(Recorder(), "facematch-recorder")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the report, and write it."""
    if (out := config.getoption("facematch_report")) is None:
        return
    from .conformance import show_report
    from .files import write_json

    terminalreporter.section("facematch")
    report = config.pluginmanager.get_plugin("facematch-recorder").report()  # type: ignore[union-attr]
    if report is None:
        terminalreporter.line("There is no report: no rule could begin.")
        return
    show_report(report)
    write_json(out, report.to_dict())
    terminalreporter.line(f"The report as JSON: {out}")
