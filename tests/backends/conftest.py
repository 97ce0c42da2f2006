"""Which rules of the contract are slow."""

import re

import pytest

#: Rules that try every answer of a vendor.
LONG_RULES = re.compile(r"::test_(r16|r21|r38)_")
#: The answers that stay for each vendor: one of a paid call, and one that is lost.
QUICK_ANSWERS = ("[same_person]", "[lost_answer]")


def pytest_collection_modifyitems(items):
    """Didit is tried in full; of the other vendors, these rules are slow but for two answers."""
    for item in items:
        is_contract = item.path.name in ("test_contracts.py", "test_pair_contracts.py")
        if not is_contract or not LONG_RULES.search(item.nodeid):
            continue
        if "::TestDidit::" not in item.nodeid and not item.nodeid.endswith(QUICK_ANSWERS):
            item.add_marker(pytest.mark.slow)
