"""What other places say of the package."""

from pathlib import Path

from facematch_core.http import MOCK_HEADER
from facematch_didit import account
from facematch_didit.webhooks import delivery


def test_the_account_is_in_the_reference():
    """Each name that its module exports stands on its page."""
    page = Path(__file__).parents[3] / "docs" / "reference" / "didit-account.md"
    text = page.read_text()
    assert not [name for name in account.__all__ if f"facematch_didit.account.{name}\n" not in text]


def test_one_name_for_the_header_of_mocks():
    """A webhook is told to be of a mock by the header that answers carry."""
    assert MOCK_HEADER.lower() == delivery.MOCK
