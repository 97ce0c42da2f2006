import importlib.metadata

import pytest

from facematch_core.base.extras import install_command


@pytest.mark.parametrize("extra", ["store", "local", "compare", "mock", "testing", "heif"])
def test_command_names_neither_a_checkout_nor_facematch(extra):
    assert not {"-e", "checkout", "facematch"} & {*install_command(extra).replace('"', " ").split()}


def test_without_metadata_the_extra_is_named(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", missing)
    assert install_command("store") == "install the packages of the extra store"
