"""An option of an earlier version names what to type in its place."""

import pytest

REPLACED = [
    ("budget resolve x --charged", "resolve CALL charged"),
    ("budget resolve x --not-charged --yes", "resolve CALL not-charged"),
    ("compare unresolved --resolve x --charged", "unresolved CALL charged"),
    ("compare unresolved --not-charged --resolve=x", "unresolved CALL charged (or not-charged)"),
    ("verify --pairs pairs.csv --out out.csv --force", "--repeat all"),
    ("verify --pairs pairs.csv --out out.csv --repeat-unknown", "--repeat unknown"),
    ("mock --control-token secret-words", "--control-token-file"),
    ("cards make --person p1 --out p1.png", "cards make PERSON"),
    ("cards make p1 --status 503 --out p1.png", "--fault status=503"),
    ("cards make p1 --retry-after 5 --out p1.png", "--fault retry_after=5"),
    ("cards make p1 --delay 2 --out p1.png", "--fault delay=2.5"),
    ("cards make p1 --lost after_charge --out p1.png", "--fault lost=after_charge"),
    ("compare report --scores a.csv --distance", "--rule at_most"),
    ("compare gate --requirements x.toml --scores a.csv --distance", "--rule at_most"),
]


@pytest.mark.parametrize(("line", "advice"), REPLACED, ids=[line for line, _ in REPLACED])
def test_an_option_that_was_replaced_is_refused_with_the_new_one(line, advice, run):
    answer = run(*line.split())
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert advice in answer.stderr
    assert "secret-words" not in answer.stderr


def test_no_help_shows_an_option_that_was_replaced(run):
    for line, _ in REPLACED:
        command = [word for word in line.split() if word in ("budget", "resolve", "verify")]
        if command:
            shown = run(*command, "-h").stdout
            assert "--charged" not in shown
            assert "--force" not in shown
