"""Distributions made on the spot: metadata and modules in a temporary folder on the path."""

import itertools
import sys
import textwrap

_numbers = itertools.count()

BACKEND = """
    from facematch_core import Decision, MatchResult
    from facematch_core.backend import Backend

    class Made(Backend):
        name = "made"
        def match(self, call):
            return MatchResult(decision=Decision.NO_MATCH, backend="made")
"""


class Site:
    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self._monkeypatch = monkeypatch
        monkeypatch.syspath_prepend(str(folder))

    def add(self, distribution, entry_points, source=BACKEND, version="1.0"):
        module = f"made_{next(_numbers)}"
        self.folder.mkdir(exist_ok=True)
        (self.folder / f"{module}.py").write_text(textwrap.dedent(source))
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        lines = [f"[{group}]\n{name} = {module}:{target}\n" for group, name, target in entry_points]
        (info / "entry_points.txt").write_text("\n".join(lines))
        self._monkeypatch.delitem(sys.modules, module, raising=False)
        return module
