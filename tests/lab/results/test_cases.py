"""The identity of a case."""

from __future__ import annotations

import pytest

from lab.results.cases import Case


@pytest.mark.parametrize(
    ("suite", "classname", "name", "identity"),
    [
        ("s", "c", "n", "s/c/n"),
        ("s", "t/a.t", "n", "s/t%2Fa.t/n"),
        ("s/t", "c", "n", "s%2Ft/c/n"),
        ("s", "c", "n/m", "s/c/n/m"),
        ("s%2Ft", "c", "100%", "s%252Ft/c/100%"),
    ],
)
def test_case_identity(suite: str, classname: str, name: str, identity: str) -> None:
    assert Case(suite=suite, classname=classname, name=name, outcome="passed").id == identity


@pytest.mark.parametrize(
    "one, other, identity",
    [
        ("test_u.T-20261128221216/test_u.T-20261128221216/test_a", "test_u.T-20261129080000/test_u.T-20261129080000/test_a",
         "test_u.T/test_u.T/test_a"),  # unittest-xml-reporting
        ("j/ir/IR, ca=[com.example.IRTest$3@6e576b5a]", "j/ir/IR, ca=[com.example.IRTest$3@1b2c6ec2]",
         "j/ir/IR, ca=[com.example.IRTest$3*]"),
        ("j/c/run[Case$$Lambda$14/0x0000000800066840@1b2c6ec2]", "j/c/run[Case$$Lambda$15/0x0000000800066c40@2f0a87b3]",
         "j/c/run[Case$$Lambda**]"),
        ("p/c/test[<m.Thing object at 0x7f539d75b230>]", "p/c/test[<m.Thing object at 0x7ff8dc553e90>]",
         "p/c/test[<m.Thing object at *>]"),
        ("g/F/Words/1, where GetParam() = 0x55d0c8a1f2b0", "g/F/Words/1, where GetParam() = 0x563f0a9be2b0",
         "g/F/Words/1, where GetParam() = *"),
        ("t/c/reads /tmp/tmpk3j2/x.txt", "t/c/reads /tmp/tmp9f_1/x.txt", "t/c/reads */x.txt"),
        ("t/c//build/greet-aB3xYz/greet-1.0/t/a.t", "t/c//build/reproducible-path/greet-1.1/t/a.t", "t/c/*/t/a.t"),
        ("t/c/GET http://127.0.0.1:43567/a", "t/c/GET http://127.0.0.1:50001/a", "t/c/GET http://127.0.0.1:*/a"),
    ],
)  # fmt: skip
def test_what_one_run_puts_into_a_name_is_no_part_of_the_identity(one: str, other: str, identity: str) -> None:
    def case(text: str) -> Case:
        suite, classname, name = text.split("/", 2)
        return Case(suite=suite, classname=classname, name=name, outcome="passed")

    assert case(one).id == case(other).id == identity


@pytest.mark.parametrize(
    "name",
    [
        "test[id-ba4d7e40-9c1b-4a3e-8f00-3a5d2d6c9f11,smoke]",  # Tempest names its tests so
        "test_mask[0x80000000]",
        "test_mask[0xffffffffffffffff]",
        "test_parse[2020-01-01T00:00:00]",
        "test_address[ada@decade]",
        "test_address[ada@c0ffee1.example]",
        "test_address[user@123456.example]",
        "test_image[name@sha256:0123abcd]",
        "test_port[127.0.0.1:8080]",
        "test-20261128221216",
        "tmp/x",
        "tests/tmp/test_a.py",
        "src/build/a/b.py",
    ],
)
def test_what_each_run_has_in_a_name_is_part_of_the_identity(name: str) -> None:
    assert Case(suite="s", classname="c", name=name, outcome="passed").id == f"s/c/{name}"


def test_what_one_run_puts_into_a_suite_is_no_part_of_the_identity() -> None:
    case = Case(suite="/tmp/tmpk3j2/a.t", classname="Words@6e576b5a", name="n", outcome="passed")
    assert case.id == "*%2Fa.t/Words*/n"
