"""`PairSimulator`: what it asks of a request."""

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
