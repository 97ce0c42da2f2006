"""NOTICE lists the licence of everything that an extra brings, as its own metadata say."""

import functools
import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
US = "facematch-core"
CORE = "the core"
EXTRAS = importlib.metadata.metadata(US).get_all("Provides-Extra")
#: What packages write that have no expression of SPDX yet.
IN_SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "Boost Software License": "BSL-1.0",
    "MIT License": "MIT",
    "MIT OR Apache-2.0": "MIT OR Apache-2.0",
    "MIT license": "MIT",
    # python-dateutil and scipy, by the files that they come with.
    "Dual License": "Apache-2.0 OR BSD-3-Clause",
    "Copyright (c) 2001-2002 Enthought, Inc. 2003, SciPy Developers.": "BSD-3-Clause",
}


def listed():
    table = {}
    part = (ROOT / "NOTICE").read_text("utf-8").partition("Dependencies.")[2]
    heading = r"(?m)^With (?:the extra )?`?([a-z ]+?)`?:\n((?:  .+\n)+)"
    for extra, lines in re.findall(heading, part):
        table[extra] = {}
        for words, names in re.findall(r"(?m)^  (\S.*): (.+(?:\n    .+)*)$", lines):
            table[extra] |= dict.fromkeys(re.split(r",\s+", names), words)
    return table


@functools.cache
def licence(name):
    metadata = importlib.metadata.metadata(name)
    classifiers = metadata.get_all("Classifier", [])
    written = [
        metadata.get("License-Expression", ""),
        metadata.get("License", "").strip().partition("\n")[0],
        *(each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License :: ")),
    ]
    words = next(filter(None, written), "")
    is_spdx = words == written[0] or re.fullmatch(r"MIT|\w+(-\w+)*-\d[\w.-]*", words)
    return IN_SPDX.get(words, words if words and is_spdx else "unknown")


@functools.cache
def brought(extra):
    """The packages that an installation with this extra brings; of the core, if it is no extra."""
    todo = [(US, frozenset({extra}))]
    done = set()
    while todo:
        name, extras = each = todo.pop()
        if each in done:
            continue
        done.add(each)
        for line in importlib.metadata.requires(name) or ():
            needed = Requirement(line)
            chosen = [{"extra": extra} for extra in extras | {""}]
            if needed.marker is None or any(map(needed.marker.evaluate, chosen)):
                todo.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    return {name for name, _ in done} - {US}


@pytest.mark.parametrize("extra", [CORE, *EXTRAS])
def test_each_dependency_is_listed_with_the_licence_of_its_metadata(extra):
    names = brought(extra)
    assert names
    licences = {}
    for part, table in listed().items():
        if brought(part) <= names:
            licences |= table
    actual = {name: licence(name) for name in names}
    assert "unknown" not in actual.values()
    assert {name: licences.get(name) for name in names} == actual


def test_every_listed_dependency_is_in_a_lock_file():
    lock = (ROOT / "requirements" / "dev.txt").read_text("utf-8")
    pinned = set(re.findall(r"(?m)^([a-z0-9-]+)==", lock))
    table = listed()
    assert set(table) == {CORE, *EXTRAS} - {"all"}
    assert pinned >= {name for names in table.values() for name in names}
