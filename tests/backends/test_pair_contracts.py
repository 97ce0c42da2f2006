"""The contract for backends that compare two pictures, with the vendors' documented bodies."""

from typing import ClassVar

import pytest
from kit.of_vendors import of_vendors
from kit.vendors import PAID
from vendors.alibaba import DocumentedAlibaba
from vendors.baidu import DocumentedBaidu
from vendors.deepface import DocumentedBuffalo, DocumentedDeepface
from vendors.regula import DocumentedRegula
from vendors.tencent import DocumentedTencent

from facematch_core.config.plugins import backend_class
from facematch_core.http import PairBackend
from facematch_core.testing import BackendContract


class Contract(BackendContract):
    opened: ClassVar[type]

    @pytest.fixture
    def simulator(self):
        with self.opened() as simulator:
            yield simulator


for _vendor, _simulator in of_vendors("DOCUMENTED").items():
    _name = f"Test{_vendor.title()}"
    globals()[_name] = type(_name, (Contract,), {"opened": _simulator, "__module__": __name__})


def test_each_backend_from_tables_has_documented_bodies():
    from_tables = {name for name in PAID if issubclass(backend_class(name), PairBackend)}
    tested = {contract.opened.backend_class.name for contract in Contract.__subclasses__()}
    assert tested == from_tables | {"deepface"}


class TestAlibaba(Contract):
    opened = DocumentedAlibaba


class TestBaidu(Contract):
    opened = DocumentedBaidu


class TestTencent(Contract):
    opened = DocumentedTencent


class TestRegula(Contract):
    opened = DocumentedRegula


class TestDeepface(Contract):
    opened = DocumentedDeepface
    not_tested: ClassVar = {"R60 liveness": "an embedding is the only proof of a face"}


class TestDeepfaceWithoutConfidence(Contract):
    opened = DocumentedBuffalo
    not_tested: ClassVar = {"R60 liveness": "an embedding is the only proof of a face"}
