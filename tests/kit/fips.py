"""Takes away the digests that OpenSSL refuses in FIPS mode.

As a program, `python -m kit.fips FOLDER`, it does so before anything of the product is imported,
uses the product, and prints what came of it as JSON.
"""

import hashlib
import json
import sys
from pathlib import Path

REFUSED = ("blake2b", "blake2s", "md5")


def _refusing(name):
    allowed = getattr(hashlib, name)

    def refuse(*arguments, **options):
        if name == "md5" and options.get("usedforsecurity") is False:
            return allowed(*arguments, **options)
        raise ValueError(f"[digital envelope routines] unsupported: {name}")

    return refuse


def take_away(replace=setattr):
    """Let the refused digests raise; `replace` sets an attribute of a module."""
    replacements = {name: _refusing(name) for name in REFUSED}
    new = hashlib.new

    def refuse_or_make(name, *arguments, **options):
        if name in replacements:
            return replacements[name](*arguments, **options)
        return new(name, *arguments, **options)

    replace(hashlib, "new", refuse_or_make)
    for name, replacement in replacements.items():
        replace(hashlib, name, replacement)


def use_the_product(folder):
    """Return the decision at the mock of each vendor, and of a comparison; all calls are logged."""
    from kit.comparison.tables import crowd
    from kit.vendors import BUNDLED_VENDORS, PAID, settings_at

    import facematch_core as fm
    from facematch_comparison import evaluate, report_html
    from facematch_mock_server import MockServer, make_card

    used = {}
    with MockServer(vendor=BUNDLED_VENDORS) as mock:
        log = fm.CallLog(f"sqlite:///{folder}/log.sqlite3", key="k" * 32)
        for name in PAID:
            verifier = fm.open_verifier(name, **settings_at(mock, name))
            with fm.Share({"one": verifier}, {"one": 100}, digest="sha256", log=log) as share:
                pictures = make_card("ada"), make_card("bob")
                used[name] = str(share.verify(*pictures, caller_ref="customer-17").decision)
        used["logged"] = sum(row.person == log.digest("customer-17") for row in log.rows())
        log.close()
    used["page"] = len(report_html(evaluate([crowd("one", people=60)], required_fmr=0.01))) > 1000
    return used


if __name__ == "__main__":
    take_away()
    sys.stdout.write(json.dumps(use_the_product(Path(sys.argv[1]))))
