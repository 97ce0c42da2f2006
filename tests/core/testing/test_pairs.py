"""`PairSimulator`: what it asks of a request."""

import attrs
import pytest
from kit.contract import Status, run
from vendors.facepp import DocumentedFacepp
from vendors.regula import DocumentedRegula
from vendors.tencent import DocumentedTencent

from facematch_facepp import FaceppBackend
from facematch_regula import RegulaBackend
from facematch_tencent import TencentBackend

DIFFER = "the plug-in and the simulator differ: "


def test_a_request_without_a_documented_constant_differs_from_the_simulator():
    class FindsTheCentralFace(RegulaBackend):
        def build(self, request):
            http_request = super().build(request)
            for picture in http_request.json["images"]:
                del picture["detectAll"]
            return http_request

    simulator = type("Simulator", (DocumentedRegula,), {"backend_class": FindsTheCentralFace})
    [case] = run(simulator, {"R51"})
    assert case.status is Status.FAILED
    assert case.reason.startswith(DIFFER)
    assert "detectAll" in case.reason


@pytest.mark.parametrize("fault", ["X-TC-Version", "X-TC-Action"])
def test_a_wrong_header_is_named(fault):
    class Misspelt(TencentBackend):
        def sign(self, http_request, request, **options):
            signed = super().sign(http_request, request, **options)
            return attrs.evolve(signed, headers={**signed.headers, fault: "2020-03-04"})

    simulator = type("Simulator", (DocumentedTencent,), {"backend_class": Misspelt})
    [case] = run(simulator, {"R51"})
    assert case.status is Status.FAILED
    assert case.reason.startswith(f"{DIFFER}POST / has '2020-03-04' at {fault!r}")


@pytest.mark.parametrize("name", ["api_key", "api_secret"])
def test_a_missing_credential_is_named(name):
    class Misspelt(FaceppBackend):
        def build(self, request):
            http_request = super().build(request)
            fields = {field: value for field, value in http_request.fields.items() if field != name}
            return attrs.evolve(http_request, fields=fields)

    simulator = type("Simulator", (DocumentedFacepp,), {"backend_class": Misspelt})
    [case] = run(simulator, {"R51"})
    assert case.status is Status.FAILED
    assert case.reason.startswith(f"{DIFFER}POST /facepp/v3/compare has no {name!r}")


class Misplaces(FaceppBackend):
    """Repeats a field in the query."""

    def build(self, request):
        http_request = super().build(request)
        return attrs.evolve(http_request, params={"debug": http_request.fields["api_secret"]})


def test_a_key_at_an_undocumented_place_is_named():
    simulator = type("Simulator", (DocumentedFacepp,), {"backend_class": Misplaces})
    [case] = run(simulator, {"R51"})
    assert case.status is Status.FAILED
    assert case.reason.startswith(f"{DIFFER}POST /facepp/v3/compare has the key at 'debug'")
    assert not any(secret in case.reason for secret in DocumentedFacepp.secrets)


def test_a_comparison_at_another_path_than_the_documented_is_named():
    def run_with(path):
        return run(type("Simulator", (DocumentedFacepp,), {"match_path": path}), {"R51"})

    assert [case.status for case in run_with("/facepp/v3/compare")] == [Status.PASSED]
    [case] = run_with("/facepp/v4/compare")
    assert case.status is Status.FAILED
    assert case.reason.startswith(f"{DIFFER}POST /facepp/v3/compare has a picture, and ")


def test_a_missing_id_of_the_call_is_named():
    def run_with(name):
        changes = {"required": (name,)}
        return run(type("Simulator", (DocumentedTencent,), changes), {"R51"})

    assert [case.status for case in run_with("X-TC-Timestamp")] == [Status.PASSED]
    [case] = run_with("X-TC-Transaction")
    assert case.status is Status.FAILED
    assert case.reason.startswith(f"{DIFFER}POST / has no 'X-TC-Transaction'")


def test_a_parameter_of_the_query_may_be_a_constant():
    class Asks(RegulaBackend):
        def build(self, request):
            return attrs.evolve(super().build(request), params={"version": "7"})

    def run_with(version):
        constants = {"/api/match": {"version": version}}
        changes = {"backend_class": Asks, "constants": constants}
        return run(type("Simulator", (DocumentedRegula,), changes), {"R51"})

    assert [case.status for case in run_with("7")] == [Status.PASSED]
    [case] = run_with("8")
    assert "has '7' at 'version'" in case.reason


def test_pictures_under_wrong_names_are_refused():
    class Misspelt(FaceppBackend):
        def build(self, request):
            http_request = super().build(request)
            files = [attrs.evolve(file, name=f"{file.name}s") for file in http_request.files]
            return attrs.evolve(http_request, files=tuple(files))

    simulator = type("Simulator", (DocumentedFacepp,), {"backend_class": Misspelt})
    [case] = run(simulator, {"R51"})
    assert case.status is Status.FAILED
    assert case.reason.startswith(DIFFER)
    assert "'image_file1s'" in case.reason
    assert "no picture at 'image_file1', 'image_file2'" in case.reason


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


@pytest.mark.parametrize(
    ("documented", "reason"),
    [
        ({"default_threshold": 85.0}, f"{DIFFER}`default_threshold` of the backend is 75.0"),
        (
            {"default_treshold": 75.0},
            "the simulator failed: `documented_capabilities` has 'default_treshold'",
        ),
    ],
)
def test_a_documented_capability_must_be_declared(documented, reason):
    simulator = type("Simulator", (DocumentedRegula,), {"documented_capabilities": documented})
    [case] = run(simulator, {"R51"})
    assert case.status is Status.FAILED
    assert case.reason.startswith(reason)


def test_a_refusal_that_only_the_simulator_charges_names_what_to_write():
    simulator = type("Simulator", (DocumentedTencent,), {"free_situations": frozenset()})
    failed = [case for case in run(simulator, {"R16"}) if case.status is Status.FAILED]
    assert failed
    assert all("`free_situations`" in case.reason for case in failed)
