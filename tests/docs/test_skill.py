"""The programs of the skill for coding agents take what an ordinary day brings."""

import importlib
import re
import sys

import pytest

from facematch_core import Budget, open_verifier
from facematch_core.cli.pages import SKILL
from facematch_mock_server import make_card

ADA = make_card("ada")
TITLED_BLOCK = re.compile(
    r'^```python title="(?P<title>\w+)\.py"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL
)


@pytest.fixture
def skill(tmp_path, monkeypatch):
    """Import the skill's program with this name."""
    for block in TITLED_BLOCK.finditer(SKILL.read_text()):
        (tmp_path / f"{block['title']}.py").write_text(block["text"])
    monkeypatch.syspath_prepend(tmp_path)

    def import_program(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    yield import_program
    for name in ("shop", "door"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("picture", [b"%PDF-1.7\n%", b""], ids=["pdf", "empty"])
def test_check_answers_a_file_that_is_no_picture(skill, didit_mock, picture):
    assert skill("shop").check(picture, ADA) == "InvalidImage, charged: no"
    assert didit_mock.control.charges() == ()


def test_check_answers_a_spent_budget(skill, didit_mock, monkeypatch):
    budget = Budget(1, name="day")

    def open_with_budget(name):
        return open_verifier(name, policies=[budget])

    shop = skill("shop")
    monkeypatch.setattr(shop, "open_verifier", open_with_budget)
    assert shop.check(ADA, ADA) == "match"
    assert shop.check(ADA, ADA) == "BudgetExceeded, charged: no"
    assert len(didit_mock.control.charges()) == 1


def test_webhook_answers_a_forged_delivery(skill, persona_mock, tmp_path, monkeypatch):
    monkeypatch.setenv("PERSONA_WEBHOOK_SECRET", "wbhsec_of-the-shop")
    door = skill("door")
    forged = {"Persona-Signature": "t=1,v1=" + 64 * "0", "content-type": "application/json"}
    with door.open_store(f"sqlite:///{tmp_path}/sessions.sqlite3") as store:
        assert door.webhook(store, b"{}", forged) == 401
        assert door.webhook(store, b"", {}) == 401
