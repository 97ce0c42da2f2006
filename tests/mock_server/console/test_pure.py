"""What the console's page works out by itself, in node."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from facematch_mock_server import console

NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed: the page's functions NOT TESTED")
def test_the_functions_of_the_page():
    """All of pure.test.mjs."""
    ran = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", Path(__file__).with_name("pure.test.mjs")],
        env={**os.environ, "PURE": str(Path(console.__file__).with_name("pure.mjs"))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout
    assert "# fail 0" in ran.stdout
    assert "# pass 0" not in ran.stdout
