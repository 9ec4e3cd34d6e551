"""The mark: found where it is one and nowhere else, written without touching anything else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator import mark
from generator.canonical import digest, parse
from lab.base.errors import InfrastructureError
from lab.results.ownership_mark import Mark, of_description
from tests.generator.roundtrips import NAMES, forms, tree

HEX = "0123456789abcdef" * 4
MARK = Mark("openstack", HEX)
TEXT = f"<!-- Managed by qalab: lab=openstack digest={HEX} -->"
ESCAPED = TEXT.replace("<", "&lt;").replace(">", "&gt;")
JJB = "&lt;!-- Managed by Jenkins Job Builder --&gt;"
UNKNOWN = TEXT.replace(f" digest={HEX}", "")


def job(description: str) -> str:
    return f"<project>\n  <actions/>\n  <description>{description}</description>\n</project>"


@pytest.mark.parametrize(
    "description, found",
    [
        (TEXT, MARK),
        (f"What it does.{TEXT}", MARK),
        (f"Two\nlines.\n{TEXT}\r\n ", MARK),
        (f"<b>What</b> it does.{TEXT}", MARK),
        (f"<b>What it does.</b>{TEXT}", MARK),
        (f"{TEXT}{TEXT.replace('openstack', 'lab-2.b')}", Mark("lab-2.b", HEX)),
        ("", None),
        ("<b>What it does.</b>", None),
        ("<description>What</description>", None),
        (f"A mark is {TEXT}, a comment.", None),
        (f"{TEXT}<!-- Managed by Jenkins Job Builder -->", None),
        ("<!-- Managed by Jenkins Job Builder -->", None),
        (f"What it does.{UNKNOWN}", Mark("openstack", "")),
        (f"What it does.{UNKNOWN}<!-- Managed by Jenkins Job Builder -->", Mark("openstack", "")),
        (f"{UNKNOWN}{TEXT}", MARK),
        (f"{UNKNOWN}, a comment", None),
        (TEXT[:-1], None),
        (TEXT[1:], None),
        (TEXT.replace(HEX, HEX[1:]), None),
        (TEXT.replace(HEX, HEX.upper()), None),
        (TEXT.replace("openstack", "Open Stack"), None),
        (TEXT.replace("openstack", "-x"), None),
        (TEXT.replace("openstack", ""), None),
        (TEXT.replace("qalab", "another"), None),
        (TEXT.replace(" -->", " by=me -->"), None),
        (ESCAPED, None),
    ],
)
def test_mark_syntax(description: str, found: Mark | None) -> None:
    assert mark.read(description) == of_description(description) == found
    escaped = description.replace("&", "&amp;").replace("<", "&lt;")
    assert mark.read(job(escaped)) == mark.read(job(escaped).encode()) == found
    assert mark.read(f'\ufeff<?xml version="1.1" encoding="UTF-8"?>{job(f"<![CDATA[{description}]]>")}') == found


def test_mark_is_read_from_the_item_description_only() -> None:
    assert mark.read(f"<p><properties><description>{ESCAPED}</description></properties></p>") is None
    assert mark.read(f"<p><description><!-- {TEXT[5:-4]} --></description></p>") is None


@pytest.mark.parametrize("name", NAMES)
def test_mark_changes_only_the_description(name: str) -> None:
    for form, xml in forms(name).items():
        marked = mark.write(xml, MARK)
        assert mark.read(marked) == mark.read(marked.encode()) == MARK, form
        assert marked == xml.replace(JJB, ESCAPED), "Jenkins Job Builder's is replaced, and not a byte more"
        assert digest(marked) == digest(xml)
        assert mark.without(marked) == mark.without(xml) == xml.replace(JJB, "")
        again = Mark("other", digest(xml))
        assert mark.write(mark.write(marked, again), MARK) == marked
        assert mark.write(xml.encode(), MARK) == marked


@pytest.mark.parametrize(
    "xml, marked",
    [
        ("<project/>", "<project><description>{}</description></project>"),
        ("<project plugin='x' />", "<project plugin='x'><description>{}</description></project>"),
        ("<project></project>", "<project><description>{}</description></project>"),
        ("<project>\n  <disabled/>\n</project>",
         "<project>\n  <description>{}</description>\n  <disabled/>\n</project>"),
        ("<project>\n  <actions/>\n  <disabled/>\n</project>",
         "<project>\n  <actions/>\n  <description>{}</description>\n  <disabled/>\n</project>"),
        ("<v.ListView>\n  <name>v</name>\n  <jobNames/>\n</v.ListView>",
         "<v.ListView>\n  <name>v</name>\n  <description>{}</description>\n  <jobNames/>\n</v.ListView>"),
        ("<p><description/></p>", "<p><description>{}</description></p>"),
        ("<p><description a='/>' /></p>", "<p><description a='/>'>{}</description></p>"),
        ("<p><description></description ></p>", "<p><description>{}</description></p>"),
        ("<p><o><description>x</description></o><description>y</description></p>",
         "<p><o><description>x</description></o><description>y{}</description></p>"),
        ("<p><!-- <description> --><a>\n<![CDATA[<description>]]></a>\r\n<?x <description>?><description>y\r\n</description></p>",
         "<p><!-- <description> --><a>\n<![CDATA[<description>]]></a>\r\n<?x <description>?><description>y\r\n{}</description></p>"),
        ("<p><description><![CDATA[<b>]]></description></p>", "<p><description><![CDATA[<b>]]>{}</description></p>"),
        ("<p><description>a &quot;&#x1b; &#xe9;</description><a b='>'/></p>",
         "<p><description>a &quot;&#x1b; &#xe9;{}</description><a b='>'/></p>"),
        (job(f"{JJB}{ESCAPED}{JJB}\n"), job("{}")),
        (job(f"x{ESCAPED}y"), job(f"x{ESCAPED}y{{}}")),
        (job(f"&#60;{TEXT[1:-1]}&#x3E;"), job("{}")),
        (job(f"&#x3C;{TEXT[1:-1]}>"), job("{}")),
        ('<?xml version="1.1" encoding="UTF-8"?>\n<p/>\n',
         '<?xml version="1.1" encoding="UTF-8"?>\n<p><description>{}</description></p>\n'),
    ],
)  # fmt: skip
def test_position_of_the_mark(xml: str, marked: str) -> None:
    expected = marked.replace("{}", ESCAPED)
    assert mark.write(xml, MARK) == expected
    assert mark.read(expected) == MARK
    assert digest(mark.without(expected)) == digest(xml)
    assert mark.read(mark.without(expected)) is None


def test_mark_that_cannot_be_removed_is_superseded() -> None:
    """One within CDATA stays; the newer one stands behind it, and neither is part of the normal form."""
    xml = job(f"<![CDATA[What.{TEXT}]]>")
    marked = mark.write(xml, Mark("other", HEX))
    assert mark.read(marked) == Mark("other", HEX)
    assert digest(marked) == digest(job("What."))


@pytest.mark.integration
@given(before=st.text("<>&'\" ab\n/!-", max_size=20), after=st.text("<>&'\" ab\n/!-", max_size=20))
def test_description_keeps_its_text(before: str, after: str) -> None:
    def escape(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;")

    xml = job(escape(before)).replace("<actions/>", f"<a><!--{after.replace('-', '')}-->{escape(after)}</a>")
    marked = mark.write(xml, MARK)
    assert parse(marked).findtext("description") == f"{before}{TEXT}"
    assert mark.without(marked) == xml
    assert re.sub("(?s)<description>.*</description>", "", marked) == re.sub(
        "(?s)<description>.*</description>", "", xml
    )


@pytest.mark.parametrize("name", NAMES)
def test_new_description_has_the_position_that_jenkins_uses(name: str) -> None:
    for xml in forms(name).values():
        bare = re.sub(r"  <description>[^<]*Managed[^<]*</description>\n", "", xml)
        assert [child.tag for child in tree(mark.write(bare, MARK))] == [child.tag for child in tree(xml)]


@pytest.mark.parametrize(
    "wrong",
    [
        Mark("Open Stack", HEX),
        Mark("", HEX),
        Mark("x", "abc"),
        Mark("x", HEX.upper()),
        Mark(f"x digest={HEX} --><!-- Managed by qalab: lab=y", HEX),
    ],
)
def test_unreadable_mark_is_not_written(wrong: Mark) -> None:
    with pytest.raises(InfrastructureError, match=r"^config\.xml: cannot contain the mark <!-- Managed"):
        mark.write("<project/>", wrong)


@pytest.mark.parametrize("xml", ["<p/>", "<p><description/></p>", job(""), job("What."), job(f"{ESCAPED}, a mark")])
def test_removal_without_a_mark_changes_nothing(xml: str) -> None:
    assert mark.without(xml) == xml


@pytest.mark.parametrize("xml", ["", "<project>", "<!DOCTYPE p><p/>", b"<p>\xe9</p>"])
def test_mark_requires_xml(xml: str | bytes) -> None:
    for change in (lambda: mark.write(xml, MARK), lambda: mark.without(xml)):
        with pytest.raises(InfrastructureError, match=r"^config\.xml: "):
            change()
