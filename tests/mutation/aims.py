"""Which modules have mutants, and the tests that are aimed at each: none leaves this machine.

The tests of a module run in this order, so first those that most of its mutants do not survive.
"""

MODULES = {"didit": ("wire", "words"), "deepvue": ("_wire", "_verdict", "_reading")}
TESTS = {
    "didit": ("reading", "wire", "verdicts", "request", "errors", "search", "age", "lookups"),
    "deepvue": ("reading", "wire", "verdicts"),
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
        "test_framework_edges",
        "test_own_words",
        "test_framework_values",
        "sessions/test_list",
        "test_access",
        "billing/test_top_up",
        "test_fields",
    ),
    "didit.decisions": (
        "sessions/test_decision",
        "sessions/test_media",
        "sessions/test_reviews",
        "sessions/test_list",
    ),
}
AIMS |= {
    f"facematch_mock_server.vendors.{module}": [
        f"tests/mock_server/{module.partition('.')[0]}/{name}.py" for name in names
    ]
    for module, names in MOCK.items()
}

#: On the reference backend of the conformance kit it is the contract that must notice.
AIMS["mutants.reference"] = ["tests/mutants/test_reference.py"]

#: Of these modules, the functions that have mutants: those whose names begin so.
ONLY = {"mutants.reference": "Mapping."}

#: Names that only type checkers read.
UNREAD = frozenset({"D", "Faces", "T", "N", "Reader", "Block"})

#: What runs when a module is imported, beside the bodies of classes.
ON_IMPORT = frozenset({"(module)", "chosen"})

#: Of all mutants of a module, the least share that must be killed; a contract cannot ask for what a
#: vendor may leave out.
BARS = dict.fromkeys(AIMS, 0.95) | {"mutants.reference": 0.85}
