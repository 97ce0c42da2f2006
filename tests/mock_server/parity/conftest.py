import copy
import json

import pytest
from kit.first_calls import record_first_calls


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """Return the recorded first calls to a vendor."""
    documents = {}

    def read(vendor):
        if vendor not in documents:
            file = tmp_path_factory.mktemp("recordings") / f"{vendor}.json"
            with pytest.MonkeyPatch.context() as monkeypatch:
                record_first_calls(vendor, file, monkeypatch)
            documents[vendor] = json.loads(file.read_text("utf-8"))
        return copy.deepcopy(documents[vendor])

    return read
