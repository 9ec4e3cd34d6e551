"""The input and the output of reprepro; the tests of the step archive cover its effects."""

from __future__ import annotations

import pytest
from debian.deb822 import Deb822

from lab.base.errors import Failed, InfrastructureError
from scripts.archives import reprepro
from scripts.archives.reprepro import Tracked

DISTRIBUTIONS = """\
# signed by ABCD
Codename: trunk
Suite: trunk
Origin: testlab
Label: testlab
AlsoAcceptFor: bookworm
Architectures: amd64 source
Components: main
UDebComponents: main
Tracking: keep
"""


def test_conf_distributions(lab_factory):
    assert reprepro.distributions(lab_factory(), "ABCD", "") == DISTRIBUTIONS


@pytest.mark.parametrize(
    "lab, present, expected",
    [
        ({}, f"{DISTRIBUTIONS}SignWith: DCBA\n", [("trunk", "amd64 source", "bookworm")]),
        ({"tracks": {"next": {"series": "bookworm"}}}, DISTRIBUTIONS,
         [("trunk", "amd64 source", "bookworm"), ("next", "amd64 source", "bookworm")]),
        ({"series": {"bookworm": {"codename": "bookworm-lts"}}}, "", [("trunk", "amd64 source", "bookworm-lts")]),
        # What lab.yaml no longer names stays, or reprepro would refuse to run.
        ({}, DISTRIBUTIONS.replace("trunk", "gone"),
         [("trunk", "amd64 source", "bookworm"), ("gone", "amd64 source", "bookworm")]),
        ({}, DISTRIBUTIONS.replace("amd64", "arm64"), [("trunk", "amd64 source arm64", "bookworm")]),
    ],
    ids=["same", "new-track", "codename", "vanished-track", "vanished-architecture"],
)  # fmt: skip
def test_conf_distributions_follows_the_lab(lab_factory, lab, present, expected):
    lab = lab_factory(lab=lab)
    text = reprepro.distributions(lab, "ABCD", present)
    said = list(Deb822.iter_paragraphs(text))
    assert [(each["Codename"], each["Architectures"], each["AlsoAcceptFor"]) for each in said] == expected
    assert text.startswith("# signed by ABCD\n")  # reprepro must not sign indices that are not in their final place
    assert "SignWith" not in text
    assert reprepro.distributions(lab, "ABCD", text) == text


def test_dumptracks():
    dump = (
        "Distribution: trunk\nSource: greet\nVersion: 1:1.0-1\nFiles:\n"
        " pool/main/g/greet/greet_1.0-1.dsc s 0\n pool/main/g/greet/greet_1.0-1_all.deb a 2\n\n"
        "Distribution: trunk\nSource: hail\nVersion: 3\nFiles:\n pool/main/h/hail/hail_3.dsc s 1\n\n"
    )
    first, second = reprepro.tracked(dump)
    assert (first, second) == (Tracked("greet", "1:1.0-1"), Tracked("hail", "3"))
    assert first.files == {"pool/main/g/greet/greet_1.0-1.dsc": 0, "pool/main/g/greet/greet_1.0-1_all.deb": 2}
    assert reprepro.tracked("") == []


@pytest.mark.parametrize(
    "said, kind, text",
    [
        (['File "pool/main/g/greet/greet_1_all.deb" is already registered with different checksums!', "md5 expected: 1",
          "There have been errors!"], InfrastructureError, "has another greet_1_all.deb already"),
        (["No section specified for 'greet_1.dsc' in 'out/x.changes'!", "There have been errors!"], Failed, "greet_1.dsc"),
        (["Error 28 writing to 'pool/x': No space left on device", "There have been errors!"], InfrastructureError,
         "reprepro: Error 28 writing to 'pool/x': No space left on device"),
        (["Error 28 creating x.deb: No space left on device", "Deleting files just added to the pool but not used.",
          "(to avoid use --keepunusednewfiles next time)"],
         InfrastructureError, "reprepro: Error 28 creating x.deb: No space left on device"),
        ([], InfrastructureError, "reprepro: failed and did not say why"),
    ],
)  # fmt: skip
def test_reprepro_output_becomes_error(said, kind, text):
    error = reprepro.complaint(said)
    assert type(error) is kind
    assert text in str(error)
