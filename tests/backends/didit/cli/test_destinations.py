"""Webhook destinations: where Didit reports."""

import stat
from pathlib import Path

import pytest

from facematch_didit.cli.webhooks import shown_address

URL = "https://hooks.firm.io/didit?token=of-this-test"


def test_the_secret_goes_into_a_file(run, mock):
    """Private, and printed nowhere; so is a token in the address."""
    answer = run("destinations", "create", URL, "--secret-file", "hook.secret")
    assert answer.exit_code == 0, answer.output
    secret = Path("hook.secret").read_text().strip()
    assert secret
    assert stat.S_IMODE(Path("hook.secret").stat().st_mode) == 0o600
    shown = run("destinations", "list")
    assert "https://hooks.firm.io/didit?..." in shown.stdout
    for told in (answer.output, shown.output):
        assert secret not in told
        assert "of-this-test" not in told


def test_json(run_json):
    """The list, and what was made, without secrets."""
    status, made = run_json("destinations", "create", URL, "--secret-file", "s", "--label", "mine")
    assert (status, made["label"], made["secret_file"]) == (0, "mine", "s")
    status, document = run_json("destinations", "list")
    assert [item["destination_id"] for item in document["destinations"]] == [made["destination_id"]]
    assert document["destinations"][0]["events"] == ["status.updated"]


def test_a_destination_that_is_refused_leaves_no_file(run):
    """The same address a second time."""
    assert run("destinations", "create", URL, "--secret-file", "a").exit_code == 0
    assert run("destinations", "create", URL, "--secret-file", "b").exit_code == 5
    assert not Path("b").exists()


def test_deleting(run, run_json):
    """Asked first."""
    _, made = run_json("destinations", "create", URL, "--secret-file", "s")
    words = ("destinations", "delete", made["destination_id"])
    assert run(*words).exit_code == 2
    assert run(*words, "--yes").exit_code == 0
    assert run("destinations", "list").stdout == "There is none.\n"
    assert run(*words, "--yes").exit_code == 5


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pass@firm.io:8443/a/b?x=1#y", "https://firm.io:8443/a/b?..."),
        ("https://firm.io", "https://firm.io"),
        ("https://[::1]/a", "https://[::1]/a"),
        ("https://[", "(an address that cannot be read)"),
    ],
)
def test_addresses_without_what_may_be_a_token(url, shown):
    """Name, password, query and fragment are left out."""
    assert shown_address(url) == shown
