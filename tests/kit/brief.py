"""`pytest --brief`, as `make test` runs it: what fails in full, all else in a few lines.

A line for each fifth of the tests instead of two hundred lines of dots, and of what was skipped
each reason once. `-v` shows every test, as ever.
"""

import collections
import time

import pytest

from facematch_core.testing.report import DOES_NOT_APPLY, NOT_TESTED

#: A rule of the contract that is left out says why for each backend: `facematch conformance` lists
#: them, and a conformance report of a backend of ours may have none that is open.
FOLDED = {
    DOES_NOT_APPLY: "rules of the contract do not apply to a backend",
    NOT_TESTED: "rules of the contract are open, because a reduced simulator cannot show them",
}
PARTS = 5


def pytest_addoption(parser):
    parser.addoption("--brief", action="store_true", help="few lines when all is well (make test)")


def pytest_configure(config):
    if config.option.brief and not hasattr(config, "workerinput"):
        config.option.reportchars = config.option.reportchars.replace("a", "fE")
        config.pluginmanager.register(Brief(config))


class Brief:
    """Counts what is done; says nothing of a test that passed or was skipped."""

    def __init__(self, config):
        self._plugins = config.pluginmanager
        self._began, self._done, self._of, self._shown_part = time.monotonic(), 0, 0, 0

    def pytest_report_teststatus(self, report):
        if report.failed or hasattr(report, "wasxfail"):
            return None
        if report.skipped:
            return "skipped", "", ""
        return ("passed" if report.when == "call" else ""), "", ""

    def pytest_collection_finish(self, session):
        self._of = self._of or len(session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids):
        self._of = len(ids)

    def pytest_runtest_logfinish(self):
        self._done += 1
        part = self._done * PARTS // max(self._of, 1)
        if part > self._shown_part and self._done < self._of:
            self._shown_part = part
            seconds = time.monotonic() - self._began
            terminal = self._plugins.get_plugin("terminalreporter")
            terminal.write_line(f"{self._done} of {self._of} tests, {seconds:.0f} s")

    def pytest_terminal_summary(self, terminalreporter):
        reasons = collections.Counter()
        for report in terminalreporter.stats.get("skipped", ()):
            reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else "")
            reason = reason.removeprefix("Skipped: ")
            reasons[
                next((FOLDED[start] for start in FOLDED if reason.startswith(start)), reason)
            ] += 1
        if reasons:
            terminalreporter.write_line("skipped (all of it with -rs):")
        for reason, count in reasons.most_common(15):
            terminalreporter.write_line(f"{count:5d}  {reason[:90]}")
        if len(reasons) > 15:
            terminalreporter.write_line(f"       and {len(reasons) - 15} further reasons")
