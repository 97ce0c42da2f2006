"""Which rules of the contract are slow."""

import re

import pytest

#: Rules that try every answer of a vendor.
LONG_RULES = re.compile(r"::test_(r16|r21|r38)_")
#: The answers that stay for each vendor: one of a paid call, and one that is lost.
QUICK_ANSWERS = ("[same_person]", "[lost_answer]")
#: What a picture without a face costs at each vendor.
UNBILLED_ANSWER = "::test_r16_results_tell_what_they_cost[no_face]"
#: The contract with the bodies of a vendor's documents, of which one is of a form that no mock has.
#: With mocks, the same backends are tried in test_contracts.py.
DOCUMENTED_BODIES = re.compile(r"/test_pair_contracts\.py::Test(?!DeepfaceWithoutConfidence::)")
#: What a session without a reference, or a call of another vendor, shows as well.
COPIES = (
    # Pictures of 16 MB, for want of a limit; R24 tries the formats, test_settings.py what is sent.
    "::TestDeepface::test_r25_",
    "::TestRegula::test_r25_",
    "::TestVeriffWithAReference::test_r53_",
    "::TestBaidu::test_r28_",
    "::TestTencent::test_r28_",
)


def is_slow(item):
    """Didit is tried in full; of the other vendors, these rules are slow but for two answers."""
    if item.nodeid.endswith(UNBILLED_ANSWER):
        return False
    if DOCUMENTED_BODIES.search(item.nodeid) or any(copy in item.nodeid for copy in COPIES):
        return True
    is_long = LONG_RULES.search(item.nodeid) and "::TestDidit::" not in item.nodeid
    return is_long and not item.nodeid.endswith(QUICK_ANSWERS)


def pytest_collection_modifyitems(items):
    for item in items:
        is_contract = item.path.name in ("test_contracts.py", "test_pair_contracts.py")
        if is_contract and is_slow(item):
            item.add_marker(pytest.mark.slow)
