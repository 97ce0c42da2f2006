"""`--fast` omits the slowest tests, which together take half of the time on this machine.

Each run records the seconds of its tests in .cache/seconds.json. What has not run yet is not
omitted, so in a new checkout the first `make test-fast` runs everything.
"""

import json
import os
from collections import Counter
from operator import itemgetter

import pytest


def pytest_addoption(parser):
    parser.addoption("--fast", action="store_true", help="omit the slowest tests: half of the time")


def pytest_configure(config):
    # Workers of pytest-xdist send their reports to the process that started them.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config))


class Recorder:
    def __init__(self, config):
        self.config = config
        self.seconds = Counter()

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self):
        file = file_of(self.config)
        known = read_seconds(file) | {test: round(s, 3) for test, s in self.seconds.items()}
        file.parent.mkdir(exist_ok=True)
        # Another run may read it.
        new_file = file.with_suffix(f".{os.getpid()}")
        new_file.write_text(json.dumps(known))
        new_file.replace(file)


def file_of(config):
    return config.rootpath / ".cache/seconds.json"


def read_seconds(file):
    return json.loads(file.read_text()) if file.exists() else {}


def slowest(seconds):
    """Return the slowest tests that together take at most half of the time."""
    omitted = set()
    left_s = sum(seconds.values()) / 2
    for test, test_s in sorted(seconds.items(), key=itemgetter(1), reverse=True):
        left_s -= test_s
        if left_s < 0 or test_s == 0:
            break
        omitted.add(test)
    return omitted


# Last: after `-m` has deselected what this run does not have.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    if not config.getoption("--fast"):
        return
    known = read_seconds(file_of(config))
    omitted = slowest({item.nodeid: known.get(item.nodeid, 0) for item in items})
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in omitted])
    items[:] = [item for item in items if item.nodeid not in omitted]
