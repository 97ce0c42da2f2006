"""Choose what `make test-fast` omits, and write it to tests/omitted_from_fast.txt.

As a plug-in of pytest it records which lines of the product each test reaches, also in the
processes that it starts, and its seconds of the processor. As a program it then omits, one by one,
the test function that takes the most seconds for a line that only it reaches, until the others
take no more than `FAST_CPU_S`. `make choose-fast` does both.
"""

import copy
import heapq
import importlib
import json
import os
import pkgutil
from collections import Counter, defaultdict
from pathlib import Path

import coverage
import pytest
from kit.fast import OMITTED, function_of

RECORDS = Path(__file__).parents[2] / ".cache/fast"
#: What the other tests may take, with coverage: 65 without it and with the start of two workers.
FAST_CPU_S = 105
NEVER_OMITTED = {
    # Every import reaches a constant, but only the snapshot shows that its value has changed.
    "tests/packaging/test_shapes.py::test_public_signatures_are_unchanged",
    # Each contract reaches what a rule asserts, but only mutants show that the rule fails.
    "tests/mutants/test_table.py::test_each_mutant_is_caught_by_its_rule",
    "tests/mutants/test_table.py::test_every_reference_backend_passes_the_rules_that_apply",
    # Each call reaches the line that takes it back, but only here is it cancelled before it sends.
    "tests/core/test_aio.py::test_cancelled_call_is_free_before_its_first_byte_and_finished_after",
    # Any failed login reaches these lines, but only here are its error, charge and retry asserted.
    "tests/core/http/test_login.py::test_failed_login_is_free_and_sends_no_picture",
    # Each failing gate searches the curve, but only here between two of its points.
    "tests/comparison/judging/test_gate.py::test_other_thresholds_are_searched_between_points_of_the_curve",
    # Each report has a first page, but only here are its digest and models asserted.
    "tests/comparison/report/test_page.py::test_digest_and_models_are_on_the_first_page_and_in_the_margin_of_each",
    # Each address loses its path in the same lines, but only here are the paths of each vendor.
    "tests/backends/test_settings.py::test_pasted_address_is_used_without_the_paths_of_calls",
}


def cpu_s():
    """Return the seconds that this process and its ended children have used."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Recorder:
    def __init__(self, measurement):
        self.measurement = measurement
        self.cpu_s_by_function = Counter()

    def attribute_to(self, function):
        """Record what runs from now on, here and in new processes, as reached by this test."""
        self.measurement.switch_context(function)
        config = copy.copy(self.measurement.config)
        config.context = function
        os.environ["COVERAGE_PROCESS_CONFIG"] = config.serialize()

    def pytest_collection_finish(self):
        """Import every module: no test is chosen because it was the first to import one."""
        for package in self.measurement.config.source_pkgs:
            path = importlib.import_module(package).__path__
            for module in pkgutil.walk_packages(path, f"{package}."):
                # Importing one of these starts a program.
                if not module.name.endswith(".__main__") and "python_hook" not in module.name:
                    importlib.import_module(module.name)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item):
        function = function_of(item.nodeid)
        self.attribute_to(function)
        start_s = cpu_s()
        try:
            return (yield)
        finally:
            self.cpu_s_by_function[function] += cpu_s() - start_s
            self.attribute_to("")

    def pytest_sessionfinish(self):
        text = json.dumps(self.cpu_s_by_function)
        RECORDS.joinpath(f"cpu_s-{os.getpid()}.json").write_text(text)


def pytest_configure(config):
    measurement = coverage.Coverage.current()
    # Workers of pytest-xdist run the tests.
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(measurement))


def read_cpu_s():
    """Return the seconds of each function, the sum over its cases."""
    cpu_s_by_function = Counter()
    for file in RECORDS.glob("cpu_s-*.json"):
        cpu_s_by_function.update(json.loads(file.read_text()))
    return cpu_s_by_function


def read_lines():
    """Return the lines that each test function reaches and no import does."""
    functions_by_line = defaultdict(set)
    for file in RECORDS.glob("coverage.*"):
        data = coverage.CoverageData(str(file))
        try:
            data.read()
        except coverage.exceptions.DataError:
            print(f"{file.name} was left by a process that a test has killed: not read")
            continue
        for source in data.measured_files():
            for number, functions in data.contexts_by_lineno(source).items():
                functions_by_line[source, number].update(functions)
    lines_by_function = defaultdict(set)
    for line, functions in functions_by_line.items():
        # What no test has begun is imported, or runs on in a thread.
        if "" not in functions:
            for function in functions:
                lines_by_function[function].add(line)
    return lines_by_function


def choose_omitted(cpu_s_by_function, lines_by_function):
    """Return the functions to omit."""
    reached_by = Counter()
    for lines in lines_by_function.values():
        reached_by.update(lines)

    def rank(function):
        """The function with the lowest rank is omitted next."""
        reached_alone = sum(reached_by[line] == 1 for line in lines_by_function[function])
        return -cpu_s_by_function[function] / (1 + reached_alone)

    queue = [(rank(function), function) for function in cpu_s_by_function.keys() - NEVER_OMITTED]
    heapq.heapify(queue)
    fast_s = cpu_s_by_function.total()
    omitted = []
    while fast_s > FAST_CPU_S:
        _, function = heapq.heappop(queue)
        # Since it was ranked, others that reach its lines may have been omitted: ranks only rise.
        rank_now = rank(function)
        if rank_now > queue[0][0]:
            heapq.heappush(queue, (rank_now, function))
            continue
        reached_by.subtract(lines_by_function[function])
        fast_s -= cpu_s_by_function[function]
        omitted.append(function)
    return omitted


def main():
    cpu_s_by_function = read_cpu_s()
    omitted = choose_omitted(cpu_s_by_function, read_lines())
    OMITTED.write_text("".join(f"{function}\n" for function in sorted(omitted)))
    omitted_s = sum(cpu_s_by_function[function] for function in omitted)
    print(
        f"{OMITTED.name} has {len(omitted)} of {len(cpu_s_by_function)} test functions, which take "
        f"{omitted_s:.0f} of {cpu_s_by_function.total():.0f} seconds of the processor."
    )


if __name__ == "__main__":
    main()
