import importlib


class Inner:
    """The modules of a package by their private names, found when a test asks for them.

    So that one of them may have another name, and every other test is collected and run.
    """

    def __init__(self, package):
        self._package = package

    def __getattr__(self, name):
        return importlib.import_module(f"{self._package}.{name}")
