"""The contract of every plug-in, for the backends whose vendor is a mock."""

from typing import ClassVar

import pytest
from kit.logins import LoginRules
from kit.of_vendors import of_vendors
from kit.own_sender import OwnSenderRules
from kit.vendors import BUNDLED_VENDORS
from vendors.alibaba import AlibabaSimulator, AlibabaWithEverySetting
from vendors.azure import AzureSimulator
from vendors.baidu import BaiduLoginSimulator, BaiduSimulator
from vendors.compreface import ComprefaceSimulator
from vendors.deepface import DeepfaceSimulator
from vendors.deepvue import DeepvueSimulator
from vendors.didit import DiditSimulator
from vendors.onfido import OnfidoSimulator
from vendors.persona import PersonaSimulator
from vendors.regula import RegulaSimulator
from vendors.rekognition import RekognitionSimulator
from vendors.stripe import StripeSimulator
from vendors.sumsub import SumsubSimulator
from vendors.tencent import TencentSimulator, TencentWithATemporaryKey

from facematch_core.testing import BackendContract


class Contract(BackendContract):
    opened: ClassVar[type]

    @pytest.fixture
    def simulator(self):
        with self.opened() as simulator:
            yield simulator


def declare(vendor, suffix, simulator):
    name = f"Test{vendor.title()}{suffix}"
    body = {"opened": simulator, "__module__": __name__}
    if vendor in NOT_TESTED:
        body["not_tested"] = NOT_TESTED[vendor]
    globals()[name] = type(name, (Contract,), body)


NOT_TESTED = of_vendors("NOT_TESTED")
for _vendor, _simulator in of_vendors("CONTRACT").items():
    declare(_vendor, "", _simulator)
for _vendor, _simulators in of_vendors("FURTHER_CONTRACTS").items():
    for _suffix, _simulator in _simulators.items():
        declare(_vendor, _suffix, _simulator)


def test_each_vendor_has_a_contract():
    assert {contract.opened.vendor for contract in Contract.__subclasses__()} == set(
        BUNDLED_VENDORS
    )


class TestDidit(Contract):
    opened = DiditSimulator


class TestRekognition(OwnSenderRules, Contract):
    opened = RekognitionSimulator


class TestAzure(Contract):
    opened = AzureSimulator


class TestBaidu(OwnSenderRules, Contract):
    opened = BaiduSimulator


@pytest.mark.slow
class TestBaiduWithALogin(OwnSenderRules, LoginRules, Contract):
    opened = BaiduLoginSimulator


class TestAlibaba(Contract):
    opened = AlibabaSimulator


@pytest.mark.slow
class TestAlibabaWithEverySetting(TestAlibaba):
    opened = AlibabaWithEverySetting


class TestSumsub(Contract):
    opened = SumsubSimulator


class TestTencent(OwnSenderRules, Contract):
    opened = TencentSimulator


@pytest.mark.slow
class TestTencentWithATemporaryKey(TestTencent):
    opened = TencentWithATemporaryKey


@pytest.mark.slow
class TestCompreface(Contract):
    opened = ComprefaceSimulator


class TestOnfido(Contract):
    opened = OnfidoSimulator


class TestPersona(Contract):
    opened = PersonaSimulator
    not_tested: ClassVar = {"R58": "no word of the answer to a deletion is read"}


class TestStripe(Contract):
    opened = StripeSimulator


class TestRegula(Contract):
    opened = RegulaSimulator


class TestDeepface(Contract):
    opened = DeepfaceSimulator
    not_tested: ClassVar = {"R60 liveness": "an embedding is the only proof of a face"}


@pytest.mark.slow
class TestDeepvue(OwnSenderRules, LoginRules, Contract):
    opened = DeepvueSimulator
    not_tested: ClassVar = {"R14": "no page of Deepvue says which of several faces is compared"}


class WithQuality(RekognitionSimulator):
    """Each call detects the faces of the reference first."""

    steps = 2
    keys: ClassVar = {**RekognitionSimulator.keys, "reference_quality": True}


@pytest.mark.slow
class TestRekognitionInTwoRequests(OwnSenderRules, Contract):
    opened = WithQuality


class Scaled(DeepvueSimulator):
    """Asked with everything set."""

    situations = DeepvueSimulator.situations

    def backend(self, **settings):
        scales = dict.fromkeys(("confidence_scale", "liveness_score_scale"), "percent")
        everything = {"api_version": "v2", "confidence_meaning": "similarity", **scales}
        return super().backend(**everything | settings)


@pytest.mark.slow
class TestDeepvueWithEverySetting(TestDeepvue):
    opened = Scaled
