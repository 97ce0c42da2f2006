import os
import shutil
import subprocess
from pathlib import Path

import pytest

from facematch_mock_server.pages import console

FILES = Path(console.__file__).parent
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed: the page NOT TESTED")


@needs_node
def test_node_reads_the_scripts_of_the_page():
    for script in FILES.glob("*.mjs"):
        subprocess.run([NODE, "--check", script], check=True, timeout=60)


@needs_node
def test_what_the_page_works_out_by_itself():
    """All of pure.test.mjs."""
    ran = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", Path(__file__).with_name("pure.test.mjs")],
        env={**os.environ, "PURE": str(FILES / "pure.mjs")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout
    assert "# fail 0" in ran.stdout
    assert "# pass 0" not in ran.stdout
