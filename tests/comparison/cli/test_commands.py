"""`facematch compare`: its commands and what they import; `plan`."""

import sys


def test_a_package_that_is_missing_is_named_with_its_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "facematch_comparison.judging.plan", None)

    def missing(name, *rest, real=__import__, **more):
        if name.startswith("facematch_comparison"):
            raise ModuleNotFoundError("No module named 'numpy'", name="numpy")
        return real(name, *rest, **more)

    monkeypatch.setattr("builtins.__import__", missing)
    answer = run("compare", "plan", "--fmr", "1e-3", "--frr", "0.01")
    assert answer.exit_code == 4
    assert "pandas" in answer.stderr


PLAN = ("compare", "plan", "--fmr", "1e-3", "--frr", "0.01")


def test_what_a_plan_prints(screens):
    with screens("plan") as show:
        show("", *PLAN, "--split")
        show("", *PLAN)


def test_a_plan_as_json(run_json):
    code, plan = run_json(*PLAN, "--split")
    assert (code, plan["fmr"], plan["frr"], plan["split"]) == (0, 0.001, 0.01, True)
    assert plan["confidence"] == 0.95
    floor = plan["needs"][0]
    assert (floor["mated"], floor["non_mated"]) == (299, 5000)
    assert (floor["draw_mated"], floor["draw_non_mated"]) == (598, 10000)
