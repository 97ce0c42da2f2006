"""`PairSimulator`: what it asks of a request."""

import pytest
from kit.contract import Status, run
from simulators.regula import DocumentedRegula

from facematch_regula import RegulaBackend


def test_a_request_without_a_documented_constant_is_the_simulators_failure():
    class FindsTheCentralFace(RegulaBackend):
        def build(self, request):
            http_request = super().build(request)
            for picture in http_request.json["images"]:
                del picture["detectAll"]
            return http_request

    simulator = type("Simulator", (DocumentedRegula,), {"backend_class": FindsTheCentralFace})
    [case] = run(simulator, {"R51"})
    assert case.status is Status.FAILED
    assert "detectAll" in case.reason
    assert "did the plug-in send what it should?" in case.reason


def test_constants_of_a_path_that_is_never_called_are_the_simulators_failure():
    misspelt = {"/api/mach": DocumentedRegula.constants["/api/match"]}
    simulator = type("Simulator", (DocumentedRegula,), {"constants": misspelt})
    [case] = run(simulator, {"R51"})
    assert case.status is Status.FAILED
    assert case.reason.startswith("the simulator failed: ")
    assert "/api/mach" in case.reason


@pytest.mark.parametrize(
    "constants", [{"model": "af-3"}, {"/v2/compare": "af-3"}, {7: {"model": "af-3"}}]
)
def test_constants_that_are_not_by_path_are_rejected(constants):
    with pytest.raises(ValueError, match=r'Simulator\.constants .*{"/compare": {"model": '):
        type("Simulator", (DocumentedRegula,), {"constants": constants})


def test_picture_names_by_picture_instead_of_by_field_are_rejected():
    names = {"probe": "image_a", "reference": "image_b"}
    with pytest.raises(ValueError, match=r"Simulator\.picture_names .*'image_a': 'probe'"):
        type("Simulator", (DocumentedRegula,), {"picture_names": names})


def test_rule_that_misses_the_pictures_names_picture_names():
    names = {"image_a": "probe", "image_b": "reference"}
    simulator = type("Simulator", (DocumentedRegula,), {"picture_names": names})
    [case] = run(simulator, {"R25"})
    assert case.status is Status.OPEN
    assert "`picture_names`" in case.reason
