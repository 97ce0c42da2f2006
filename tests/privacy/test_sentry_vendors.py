"""Sentry with its defaults gets no key of a vendor's first calls, but for those named here."""

import json
import os
import subprocess
import sys
from pathlib import Path

from kit.vendors import BUNDLED_VENDORS

TESTS = Path(__file__).parents[1]
PROGRAM = Path(__file__).parent / "sentry_vendors_program.py"
#: What stands before a secret in a URL that Sentry records, by the variables of the way to sign in:
#: the vendor takes it nowhere else. The token of Baidu ends with the key of the app.
IN_URLS = {("BAIDU_API_KEY", "BAIDU_SECRET_KEY"): {"access_token="}}
IN_TOKENS = {"BAIDU_API_KEY"}
WORDS_BEFORE_SECRETS = ("access_token=", "api_secret=", "client_secret=", "secret=", "Signature=")


def call(*arguments):
    """Return what Sentry would send about each vendor's first call, by its way to sign in."""
    words = [sys.executable, "-W", "ignore", PROGRAM, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    ended = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    return json.loads(ended.stdout)


def test_only_the_named_secrets_are_sent():
    first_calls = call(*BUNDLED_VENDORS)
    assert {each["vendor"] for each in first_calls} == set(BUNDLED_VENDORS)
    in_urls = {}
    for each in first_calls:
        assert "the call has ended" in each["sent"]
        # The mock does not ask for the keys of a DeepFace or Regula of one's own.
        expected_label = "none" if each["vendor"] in ("deepface", "regula") else "live"
        assert each["labels"] == [expected_label], each["vendor"]
        words = {word for word in WORDS_BEFORE_SECRETS if word in each["sent"]}
        if words:
            in_urls[tuple(each["keys"])] = words
        for variable, key in each["keys"].items():
            is_named = bool(words) and variable in IN_TOKENS
            assert (key in each["sent"]) is is_named, variable
    assert in_urls == IN_URLS


def test_without_the_integration_that_records_urls_no_secret_is_sent():
    for each in call("--without-urls", "baidu"):
        assert "the call has ended" in each["sent"]
        assert "access_token" not in each["sent"]
        for key in each["keys"].values():
            assert key not in each["sent"]
