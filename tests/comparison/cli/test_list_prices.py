"""`--price NAME=list`."""

import sys

import click
import pytest
from kit.plugins import Site

from facematch_comparison.cli.list_prices import read_facts, with_list_prices


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


def test_list_price_of_a_plug_in_stands_beside_its_backend(tmp_path, monkeypatch):
    site = Site(tmp_path, monkeypatch)
    module = site.add("facematch-made", [("facematch.backends", "made", "Made")], "import nothing")
    site.add("facematch-gone", [("facematch.backends", "gone", "Gone")], "")
    (info,) = tmp_path.glob("facematch_gone*/entry_points.txt")
    info.write_text("[facematch.backends]\ngone = no_such_package.backend:Gone\n")
    (tmp_path / "facts.toml").write_text(
        """
        [[prices]]
        what = "match"
        price = "0.07"
        currency = "USD"
        per = 1
        source = "https://made.example/prices"
        dated = "2026-11-30"
        read = "2026-11-30"
        trust = "vendor"
        """
    )
    prices = with_list_prices({"made": "list"}, currency="USD", what="match")
    assert prices == {"made": "0.07"}
    assert module not in sys.modules, "a backend may need what is not installed"
    assert "gone" not in read_facts()
