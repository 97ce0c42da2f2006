"""The contract for backends that compare two pictures, with the vendors' documented bodies."""

import pytest
from simulators.baidu import DocumentedBaidu
from simulators.deepface import DocumentedBuffalo, DocumentedDeepface
from simulators.facepp import DocumentedFacepp
from simulators.regula import DocumentedRegula
from simulators.tencent import DocumentedTencent

from facematch_core.testing import BackendContract


class TestBaidu(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DocumentedBaidu() as simulator:
            yield simulator


class TestFacepp(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DocumentedFacepp() as simulator:
            yield simulator


class TestTencent(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DocumentedTencent() as simulator:
            yield simulator


class TestRegula(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DocumentedRegula() as simulator:
            yield simulator


class TestDeepface(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DocumentedDeepface() as simulator:
            yield simulator


class TestDeepfaceWithoutConfidence(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DocumentedBuffalo() as simulator:
            yield simulator
