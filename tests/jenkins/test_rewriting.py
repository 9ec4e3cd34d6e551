"""What a Jenkins makes of a config.xml, against what was recorded, byte for byte."""

from __future__ import annotations

import pytest

from tests.jenkins.recordings import JOBS, xml
from tests.jenkins.rewriting import Malformed, resaved, stored, view_stored


def as_sent_again(sent: str) -> str:
    """What Jenkins Job Builder sends once the job is there: see JenkinsManager.fix_disabled."""
    if "\n  <disabled>" in sent:
        return sent
    body, _, end = sent.rpartition("</")
    return f"{body}  <disabled>false</disabled>\n</{end}"


def test_every_recorded_job_is_known() -> None:
    assert len(JOBS) == 9


@pytest.mark.parametrize("name", JOBS)
def test_jobs_are_stored_as_recorded(name: str) -> None:
    assert stored(as_sent_again(xml(name, "sent"))) == xml(name, "stored")


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("form", ["stored", "resaved"])
def test_jobs_are_saved_as_recorded(name: str, form: str) -> None:
    assert resaved(xml(name, form)) == xml(name, "resaved")


@pytest.mark.parametrize("form", ["sent", "stored"])
def test_views_are_stored_as_recorded(form: str) -> None:
    assert view_stored(xml("contract-view", form), "contract-view") == xml("contract-view", "stored")


@pytest.mark.parametrize(
    "sent, after_store, after_save",
    [
        ("<a><!-- c --><b>&quot;x&apos;</b></a>", "<a><!-- c --><b>\"x'</b></a>", "<a>\n  <b>&quot;x&apos;</b>\n</a>"),
        ("<a><b></b><c x='\"'/></a>", '<a><b/><c x="&quot;"/></a>', '<a>\n  <b></b>\n  <c x="&quot;"/>\n</a>'),
        ("<a><b><![CDATA[1 < 2]]></b></a>", "<a><b>1 &lt; 2</b></a>", "<a>\n  <b>1 &lt; 2</b>\n</a>"),
        ("<a><b>é 𝄞</b></a>", "<a><b>é 𝄞</b></a>", "<a>\n  <b>é 𝄞</b>\n</a>"),
        (
            "<a><x.y.Z><later/><builders/></x.y.Z></a>",
            "<a><x.y.Z><later/><builders/></x.y.Z></a>",
            "<a>\n  <x.y.Z>\n    <later></later>\n    <builders/>\n  </x.y.Z>\n</a>",
        ),
    ],
)
def test_what_is_not_known_stays_in_place(sent: str, after_store: str, after_save: str) -> None:
    assert stored(sent) == f'<?xml version="1.0" encoding="UTF-8"?>{after_store}'
    assert resaved(stored(sent)) == f"<?xml version='1.1' encoding='UTF-8'?>\n{after_save}"


def test_an_unknown_field_stays_behind_the_one_it_came_after() -> None:
    made = resaved("<hudson.tasks.Shell><odd>1</odd><unstableReturn>4</unstableReturn><odder>2</odder>"
                   "<command>x</command></hudson.tasks.Shell>")  # fmt: skip
    tags = ["odd>1<", "command>x<", "configuredLocalRules/>", "unstableReturn>4<", "odder>2<"]
    assert [made.index(f"<{tag}") for tag in tags] == sorted(made.index(f"<{tag}") for tag in tags)


def test_the_declared_version_stays_and_saving_is_idempotent() -> None:
    saved = resaved(
        "<project><builders><hudson.tasks.Shell><command>'</command></hudson.tasks.Shell></builders></project>"
    )
    assert stored(saved).startswith('<?xml version="1.1" encoding="UTF-8"?><project>')
    assert resaved(saved) == saved == resaved(stored(saved))


def test_plugins_have_the_versions_of_the_server() -> None:
    scm = '<project><scm class="hudson.plugins.git.GitSCM"/></project>'
    assert '<scm class="hudson.plugins.git.GitSCM" plugin="git@9"/>' in resaved(scm, {"git": "9"})
    assert "plugin=" not in resaved(scm, {})


@pytest.mark.parametrize("text", ["", "<project>", "no", "<a/><b/>"])
def test_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        stored(text)
