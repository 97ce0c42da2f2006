"""Put the pages of docs/ into the wheel, where `facematch docs` reads them, and compared.toml."""

from __future__ import annotations

import bz2
import runpy
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PagesHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the pages, but not to an editable installation, which reads the checkout."""
        if version == "editable":
            return
        root = Path(self.root)
        # By its path: a build has none of the packages that facematch_core imports.
        module = runpy.run_path(str(root / "facematch_core/cli/pages.py"))
        self.folder = tempfile.mkdtemp()
        file = Path(self.folder, module["JOINED"].name)
        file.write_bytes(bz2.compress(module["joined_pages"](root).encode()))
        included = build_data["force_include"]
        included[str(file)] = f"facematch_core/{file.name}"
        included[str(root / "docs/vendors/compared.toml")] = "facematch_mock_server/compared.toml"

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Remove the file."""
        if version != "editable":
            shutil.rmtree(self.folder)
