from kit.seconds import slowest


def test_the_slowest_tests_that_take_at_most_half_of_the_time_are_omitted():
    assert slowest({"a": 1.0, "b": 5.0, "c": 4.0}) == {"b"}
    assert slowest({"a": 6.0, "b": 2.0, "c": 2.0}) == set(), "one test takes more than half"
    assert slowest({"new": 0, "a": 1.0, "b": 1.0}) in ({"a"}, {"b"})
    assert slowest({"new": 0, "other": 0}) == set(), "what has not run yet is not omitted"
