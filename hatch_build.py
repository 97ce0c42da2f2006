"""Put the pages of docs/ into the wheel, where `facematch docs` reads them, and compared.toml.

The repository's address, which pyproject.toml has once, becomes the metadata's links.
"""

from __future__ import annotations

import bz2
import re
import runpy
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

#: A link or a picture of README.md whose target is a file of the repository.
_LOCAL_LINK = re.compile(r"(!?\[[^\]]*\]\()(?!https?:|#|mailto:)([^)\s]+\))")


class LinksHook(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        """Add the links, and README.md, in which no link is relative once there is an address."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        repository = self.config["repository"].rstrip("/")
        metadata["urls"] = {}
        if repository:
            tag = f"v{metadata['version']}"
            text = with_absolute_links(text, repository, tag)
            metadata["urls"] = {
                "Source": repository,
                "Issues": f"{repository}/issues",
                "Changelog": f"{repository}/blob/{tag}/CHANGELOG.md",
            }
        metadata["readme"] = {"text": text, "content-type": "text/markdown"}


def with_absolute_links(text: str, repository: str, tag: str) -> str:
    """Return a page whose links lead to the files of a tag, where PyPI's readers find them."""

    def absolute(link: re.Match[str]) -> str:
        # A picture itself, not GitHub's page about it.
        place = "raw" if link[1].startswith("!") else "blob"
        return f"{link[1]}{repository}/{place}/{tag}/{link[2]}"

    return _LOCAL_LINK.sub(absolute, text)


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
