"""The product on a machine in FIPS mode, whose OpenSSL refuses BLAKE2b and MD5."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kit import fips
from kit.vendors import PAID

TESTS = Path(__file__).parents[1]


def test_program_compares_at_every_mock_logs_and_evaluates(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "kit.fips", tmp_path],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    used = json.loads(done.stdout)
    assert used == dict.fromkeys(PAID, "no_match") | {"logged": len(PAID), "page": True}


def test_refused_digests_are_taken_away(monkeypatch):
    fips.take_away(monkeypatch.setattr)
    for name in fips.REFUSED:
        with pytest.raises(ValueError, match="unsupported"):
            getattr(hashlib, name)(b"")
        with pytest.raises(ValueError, match="unsupported"):
            hashlib.new(name)
    assert hashlib.md5(b"", usedforsecurity=False).digest_size == 16
    assert hashlib.new("sha256").name == "sha256"
