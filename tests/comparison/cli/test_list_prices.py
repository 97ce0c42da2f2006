"""`--price NAME=list`."""

import click
import pytest

from facematch_comparison.cli.list_prices import with_list_prices


def test_list_price_is_looked_up_and_printed_with_its_source_and_day(capsys):
    prices = with_list_prices({"didit": "list", "mine": "0.2"}, currency="USD", what="match")
    assert prices == {"didit": "0.05", "mine": "0.2"}
    printed = " ".join(capsys.readouterr().err.split())
    assert "didit: USD 0.05 a match, https://docs.didit.me/" in printed
    assert "read 20" in printed


@pytest.mark.parametrize(
    ("name", "currency", "what"),
    [
        ("nobody", "USD", "match"),
        ("didit", "EUR", "match"),
        # Only others name its price.
        ("rekognition", "USD", "match"),
        ("baidu", "USD", "liveness"),
    ],
)
def test_list_price_that_is_unknown_or_in_another_currency_is_refused(name, currency, what):
    with pytest.raises(click.UsageError, match=name):
        with_list_prices({name: "list"}, currency=currency, what=what)
