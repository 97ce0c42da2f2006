"""Which modules have mutants, and the tests that are aimed at each: none leaves this machine.

The tests of a module run in this order, so first those that most of its mutants do not survive.
"""

from mutation.mutants import mutants

MODULES = {"didit": ("wire", "words"), "deepvue": ("wire",)}
TESTS = {
    "didit": ("reading", "wire", "verdicts", "request", "errors"),
    "deepvue": ("wire", "verdicts", "errors", "expiry", "tokens", "wallet", "request", "login"),
}

AIMS = {
    f"facematch_{vendor}.{module}": [
        f"tests/backends/{vendor}/test_{name}.py" for name in TESTS[vendor]
    ]
    for vendor, modules in MODULES.items()
    for module in modules
}

#: Of the mock's vendors: what reads requests and what tells answers.
MOCK = {
    "didit.framework": (
        "test_own_words",
        "sessions/test_list",
        "test_access",
        "billing/test_top_up",
        "test_fields",
        "sessions/test_status",
        "oracle/test_oracle",
    ),
    "didit.decisions": (
        "sessions/test_decision",
        "sessions/test_media",
        "sessions/test_list",
    ),
}
AIMS |= {
    f"facematch_mock_server.vendors.{module}": [
        f"tests/mock_server/vendors/{module.partition('.')[0]}/{name}.py" for name in names
    ]
    for module, names in MOCK.items()
}

#: Of the core: what decides about money, and what every result passes before a caller sees it.
CORE = {
    "resilience.budget": (
        "resilience/test_budget",
        "resilience/test_budget_arguments",
        "store/test_stores",
    ),
    "resilience.retry": ("resilience/test_retries",),
    "policy": (
        "test_judging",
        "test_reconcile",
        "test_max_fmr",
        "test_declared_mock",
        "test_rules",
    ),
    "http": (
        "http/test_bills",
        "http/test_sign",
        "http/test_read_reply",
        "http/test_steps",
        "http/test_backend",
        "test_declared_mock",
    ),
    "refusals": ("http/test_error_table", "http/test_messages"),
}
AIMS |= {
    f"facematch_core.{module}": [f"tests/core/{name}.py" for name in names]
    for module, names in CORE.items()
}

#: On the reference backend of the conformance kit it is the contract that must notice.
AIMS["mutants.reference"] = ["tests/mutants/test_reference.py"]

#: Of these modules, the functions that have mutants: those whose names begin so.
ONLY = {
    "mutants.reference": ("Mapping.",),
    # From an answer to a result or an error, and what it cost.
    "facematch_core.http": (
        "HttpBackend._answer",
        "HttpBackend._advanced",
        "HttpBackend._refusal",
        "HttpBackend._mismatch",
        "HttpBackend._exchange",
        "_with_charges",
        "_bill_of",
    ),
    "facematch_core.refusals": ("default_row", "vendor_error", "retry_after_s"),
}

#: Of these modules, how many mutants are tried, chosen by a seed that never changes: all of them
#: would take longer than anybody waits.
SAMPLES = dict.fromkeys((f"facematch_core.{module}" for module in CORE), 150)

#: Names that only type checkers read.
UNREAD = frozenset({"D", "Faces", "T", "N", "R", "K", "Reader", "Block"})

#: What runs when a module is imported, beside the bodies of classes.
ON_IMPORT = frozenset({"(module)", "chosen"})

#: Of all mutants of a module, the least share that must be killed; a contract cannot ask for what a
#: vendor may leave out.
BARS = dict.fromkeys(AIMS, 0.95) | {"mutants.reference": 0.85}


def mutants_of(module):
    """The mutants that are tried of a module that has an aim."""
    return mutants(module, UNREAD, ONLY.get(module, ("",)), SAMPLES.get(module))
