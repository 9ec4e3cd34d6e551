"""The normal form: Jenkins' rewriting is no change, and every real edit is one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from generator.canonical import canonical, digest, parse, written
from lab.base.errors import InfrastructureError
from tests.generator.roundtrips import (
    FORMS,
    NAMES,
    Edit,
    add,
    edited,
    forms,
    put,
    remove,
    replace,
    set_class,
    shuffled,
    swap,
    tree,
)
from tests.jenkins.rewriting import resaved

SHELL = "builders/hudson.tasks.Shell"
PARAMETERS = "properties/hudson.model.ParametersDefinitionProperty/parameterDefinitions"
CHOICES = f"{PARAMETERS}/hudson.model.ChoiceParameterDefinition/choices/a"
THROTTLE = "properties/hudson.plugins.throttleconcurrents.ThrottleJobProperty"
DISCARDER = "properties/jenkins.model.BuildDiscarderProperty/strategy"
REMOTE = "scm/userRemoteConfigs/hudson.plugins.git.UserRemoteConfig"
ARCHIVER = "publishers/hudson.tasks.ArtifactArchiver"
JUNIT = "publishers/hudson.tasks.junit.JUnitResultArchiver"
MAIL = "publishers/hudson.plugins.emailext.ExtendedEmailPublisher"
DOWNSTREAM = (
    "publishers/hudson.plugins.parameterizedtrigger.BuildTrigger/configs"
    "/hudson.plugins.parameterizedtrigger.BuildTriggerConfig"
)
TIMEOUT = "buildWrappers/hudson.plugins.build__timeout.BuildTimeoutWrapper"
COPY = "builders/hudson.plugins.copyartifact.CopyArtifact"
GERRIT = "triggers/com.sonyericsson.hudson.plugins.gerrit.trigger.hudsontrigger.GerritTrigger"
PROJECT = f"{GERRIT}/gerritProjects/com.sonyericsson.hudson.plugins.gerrit.trigger.hudsontrigger.data.GerritProject"
EVENTS = "com.sonyericsson.hudson.plugins.gerrit.trigger.hudsontrigger.events"
STRING = "<hudson.model.StringParameterDefinition><name>MORE</name></hudson.model.StringParameterDefinition>"

EDITS = {
    "build": {
        "shell text": replace(f"{SHELL}[1]/command", "step one", "step two"),
        "blank at the end of a line": replace(f"{SHELL}[1]/command", "set -e\n", "set -e \n"),
        "newline at the end": replace(f"{SHELL}[1]/command", '}"\n', '}"'),
        "shell text is false": put(f"{SHELL}[2]/command", "false"),
        "shell text is gone": put(f"{SHELL}[2]/command", ""),
        "unstable-return": put(f"{SHELL}[2]/unstableReturn", "5"),
        "unstable-return removed": remove(f"{SHELL}[2]/unstableReturn"),
        "order of builders": swap("builders"),
        "builder removed": remove(f"{SHELL}[2]"),
        "builder added": add("builders", "<hudson.tasks.Shell><command>x</command></hudson.tasks.Shell>"),
        "builder twice": add("builders", "<hudson.tasks.Shell><command>echo unstable; exit 0</command>"
                             "<unstableReturn>4</unstableReturn></hudson.tasks.Shell>"),
        "empty builder added": add("builders", "<hudson.tasks.Shell/>"),
        "publisher removed": remove(ARCHIVER),
        "publisher added": add("publishers", "<hudson.tasks.Mailer/>"),
        "order of publishers": swap("publishers"),
        "branch": put("scm/branches/hudson.plugins.git.BranchSpec/name", "stable"),
        "branch added": add("scm/branches", "<hudson.plugins.git.BranchSpec><name>x</name></hudson.plugins.git.BranchSpec>"),
        "refspec": put(f"{REMOTE}/refspec", "+refs/pull/*:refs/remotes/origin/pr/*"),
        "git URL": put(f"{REMOTE}/url", "file:///srv/git/nova.git"),
        "git credentials": put(f"{REMOTE}/credentialsId", "robot"),
        "submodules": put("scm/disableSubmodules", "true"),
        "git extension": remove("scm/extensions/*"),
        "scm is none": set_class("scm", "hudson.scm.NullSCM"),
        "scm removed": remove("scm"),
        "pollscm": put("triggers/hudson.triggers.SCMTrigger/spec", "H/6 * * * *"),
        "timed": put("triggers/hudson.triggers.TimerTrigger/spec", "H 4 * * *"),
        "trigger removed": remove("triggers/hudson.triggers.SCMTrigger"),
        "disabled": put("disabled", "true"),
        "label": put("assignedNode", "builder && amd64"),
        "label removed": remove("assignedNode"),
        "roams in spite of its label": put("canRoam", "true"),
        "quiet period": put("quietPeriod", "5"),
        "quiet period removed": remove("quietPeriod"),
        "concurrent": put("concurrentBuild", "true"),
        "blocked by upstream": put("blockBuildWhenUpstreamBuilding", "true"),
        "display name": put("displayName", "Keystone"),
        "description": put("description", "Builds two components.<!-- Managed by Jenkins Job Builder -->"),
        "description removed": put("description", "<!-- Managed by Jenkins Job Builder -->"),
        "custom workspace": put("customWorkspace", "/srv/w"),
        "num-to-keep": put(f"{DISCARDER}/numToKeep", "99"),
        "discarder's class": set_class(DISCARDER, "org.example.Discarder"),
        "property removed": remove("properties/jenkins.model.BuildDiscarderProperty"),
        "throttle per node": put(f"{THROTTLE}/maxConcurrentPerNode", "0"),
        "throttle in all": put(f"{THROTTLE}/maxConcurrentTotal", "3"),
        "throttle off": put(f"{THROTTLE}/throttleEnabled", "false"),
        "throttle category": add(f"{THROTTLE}/categories", "<string>big</string>"),
        "parameter default": put(f"{PARAMETERS}/hudson.model.StringParameterDefinition/defaultValue", "main"),
        "parameter default is false": put(f"{PARAMETERS}/hudson.model.StringParameterDefinition/defaultValue", "false"),
        "parameter default removed": put(f"{PARAMETERS}/hudson.model.StringParameterDefinition/defaultValue", ""),
        "parameter description": put(f"{PARAMETERS}/hudson.model.StringParameterDefinition/description", "Commit"),
        "parameter trimmed": put(f"{PARAMETERS}/hudson.model.StringParameterDefinition/trim", "true"),
        "parameter added": add(PARAMETERS, STRING),
        "parameter removed": remove(f"{PARAMETERS}/hudson.model.BooleanParameterDefinition"),
        "order of parameters": swap(PARAMETERS),
        "bool default": put(f"{PARAMETERS}/hudson.model.BooleanParameterDefinition/defaultValue", "true"),
        "order of choices": swap(CHOICES),
        "choice added": add(CHOICES, "<string/>"),
        "artifact glob": put(f"{ARCHIVER}/artifacts", "results/*"),
        "artifacts: none is fine": put(f"{ARCHIVER}/allowEmptyArchive", "false"),
        "artifacts: only of successes": put(f"{ARCHIVER}/onlyIfSuccessful", "true"),
        "junit results": put(f"{JUNIT}/testResults", "*.xml"),
        "junit allow-empty": put(f"{JUNIT}/allowEmptyResults", "false"),
        "junit keeps properties": put(f"{JUNIT}/keepProperties", "true"),
        "junit health": put(f"{JUNIT}/healthScaleFactor", "2.0"),
        "recipients": put(f"{MAIL}/recipientList", "qa@example.org, ops@example.org"),
        "mail trigger removed": remove(f"{MAIL}/configuredTriggers/hudson.plugins.emailext.plugins.trigger.FixedTrigger"),
        "mail off": put(f"{MAIL}/disabled", "true"),
        "trigger condition": put(f"{DOWNSTREAM}/condition", "UNSTABLE_OR_BETTER"),
        "downstream project": put(f"{DOWNSTREAM}/projects", "contract-exercise"),
        "downstream parameters": replace(f"{DOWNSTREAM}/configs/*/properties", "COMMIT=", "TAG="),
        "timeout": put(f"{TIMEOUT}/strategy/timeoutMinutes", "121"),
        "timeout's kind": set_class(f"{TIMEOUT}/strategy", "hudson.plugins.build_timeout.impl.NoActivityTimeOutStrategy"),
        "timeout's effect": remove(f"{TIMEOUT}/operationList/*"),
        "wrapper removed": remove("buildWrappers/hudson.plugins.timestamper.TimestamperBuildWrapper"),
    },
    "deploy": {
        "enabled": put("disabled", "false"),
        "enabled by removal": remove("disabled"),
        "label": put("assignedNode", "deployer"),
        "does not roam": put("canRoam", "false"),
        "artifacts of": put(f"{COPY}/project", "contract-other"),
        "artifacts from": set_class(f"{COPY}/selector", "hudson.plugins.copyartifact.SpecificBuildSelector"),
        "artifacts must be there": put(f"{COPY}/optional", "false"),
        "artifacts target": put(f"{COPY}/target", "in"),
        "cleans up less": put("publishers/*/cleanWhenFailure", "false"),
        "only publisher removed": remove("publishers/*"),
        "scm": set_class("scm", "hudson.plugins.git.GitSCM"),
        "trigger": add("triggers", "<hudson.triggers.TimerTrigger><spec>@daily</spec></hudson.triggers.TimerTrigger>"),
    },
    "gerrit": {
        "branch pattern": put(f"{PROJECT}/branches/*/pattern", "^stable/[a-z]*$"),
        "branch pattern's kind": put(f"{PROJECT}/branches/*/compareType", "ANT"),
        "project": put(f"{PROJECT}/pattern", "openstack/nova"),
        "server": put(f"{GERRIT}/serverName", "review"),
        "event removed": remove(f"{GERRIT}/triggerOnEvents/*[1]"),
        "event added": add(f"{GERRIT}/triggerOnEvents", f"<{EVENTS}.PluginChangeMergedEvent/>"),
        "event's drafts": put(f"{GERRIT}/triggerOnEvents/*[1]/excludeDrafts", "false"),
        "comment": put(f"{GERRIT}/triggerOnEvents/{EVENTS}.PluginCommentAddedContainsEvent/commentAddedCommentContains", "^reverify"),
        "votes": put(f"{GERRIT}/skipVote/onFailed", "true"),
        "silent": put(f"{GERRIT}/silentMode", "true"),
        "failure message": put(f"{GERRIT}/buildFailureMessage", "It broke"),
    },
    "mirror": {
        "file parameter": put(f"{PARAMETERS}/hudson.model.FileParameterDefinition/name", "bundle.tgz"),
        "quotes": replace(f"{SHELL}/command", '"', "'"),
        "default given": put(f"{PARAMETERS}/hudson.model.StringParameterDefinition/defaultValue", "x"),
    },
    "pipeline": {
        "script": replace("definition/script", "echo hi", "echo ho"),
        "sandbox": put("definition/sandbox", "false"),
        "definition": set_class("definition", "org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition"),
        "concurrent": remove("properties/*"),
        "aborts the one before": put("properties/*/abortPrevious", "true"),
        "disabled": put("disabled", "true"),
    },
    "matrix": {
        "axis value": put("axes/*/values/string[1]", "noble"),
        "axis value is false": put("axes/*/values/string[1]", "false"),
        "axis value added": add("axes/*/values", "<string>false</string>"),
        "axis name": put("axes/*/name", "RELEASE"),
        "axis removed": remove("axes/*"),
        "order of values": swap("axes/*/values"),
        "not sequential": put("executionStrategy/runSequentially", "false"),
        "filter": put("combinationFilter", "SERIES != 'trixie'"),
    },
    "external": {"description": put("description", "Runs elsewhere.")},
    "folder": {
        "description": put("description", "All of it."),
        "display name": put("displayName", "Contracts"),
        "property": add("properties", "<com.cloudbees.hudson.plugins.folder.properties.FolderCredentialsProvider/>"),
        "icon": set_class("icon", "org.example.Icon"),
    },
    "folder_inner": {
        "shell text": put(f"{SHELL}/command", "false"),
        "only builder removed": remove(SHELL),
    },
    "view": {
        "regex": put("includeRegex", "contract-b.*"),
        "recursive": put("recurse", "true"),
        "column removed": remove("columns/hudson.views.WeatherColumn"),
        "column added": add("columns", "<hudson.views.LastStableColumn/>"),
        "order of columns": swap("columns"),
        "job": add("jobNames", "<string>other</string>"),
        "filter": add("jobFilters", "<hudson.views.BuildStatusFilter><neverBuilt>false</neverBuilt></hudson.views.BuildStatusFilter>"),
        "queue filtered": put("filterQueue", "true"),
        "description": put("description", "All."),
    },
}  # fmt: skip


def job(*children: str) -> str:
    return f"<project>{''.join(children)}</project>"


def view(*names: str) -> str:
    return f"<v.ListView><jobNames>{''.join(names)}</jobNames></v.ListView>"


@pytest.mark.parametrize("name", NAMES)
def test_forms_of_an_item_have_one_digest(name: str) -> None:
    assert list(forms(name)) == [*FORMS][: 2 if name == "contract-view" else 3]
    assert len({digest(xml) for xml in forms(name).values()}) == 1


def test_items_have_different_digests() -> None:
    assert len({digest(forms(name)["sent"]) for name in NAMES}) == len(NAMES) == 10


@pytest.mark.parametrize(
    "name, edit", [pytest.param(name, edit, id=f"{name}: {what}") for name in EDITS for what, edit in EDITS[name].items()]
)  # fmt: skip
def test_edit_changes_the_digest_of_each_form(name: str, edit: Edit) -> None:
    known = forms(f"contract-{name}")
    digests = {digest(edited(xml, edit)) for xml in known.values()}
    assert digests.isdisjoint(digest(xml) for xml in known.values())
    assert len(digests) == 1, "it is another edit in another form"


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(data=st.data())
def test_digest_ignores_order_of_fields(name: str, data: st.DataObject) -> None:
    xml = data.draw(st.sampled_from(list(forms(name).values())))
    mixed = shuffled(tree(xml), lambda tags: data.draw(st.permutations(tags)))
    assert digest(etree.tostring(mixed)) == digest(xml)


@pytest.mark.parametrize("name", NAMES)
def test_normal_form_is_idempotent(name: str) -> None:
    normal = written(canonical(forms(name)["sent"]))
    assert written(canonical(normal)) == normal
    assert b"plugin=" not in normal
    assert b"Managed by" not in normal


def test_normal_form_of_a_folder() -> None:
    """All that Jenkins adds to a folder, and all of a job that Jenkins Job Builder sends for one, is gone."""
    kind = "com.cloudbees.hudson.plugins.folder"
    expected = f'<{kind}.Folder><icon class="{kind}.icons.StockFolderIcon"></icon></{kind}.Folder>'
    assert written(canonical(forms("contract-folder")["resaved"])).decode() == expected


@pytest.mark.parametrize(
    "one, other",
    [
        (job("<a>x\ny</a>"), job("<a>x&#13;\ny</a>")),
        (job("<a>&lt;&quot;</a>"), job('<a><![CDATA[<"]]></a>')),
        (job("<builders/>"), job("<builders>\n  </builders>")),
        (job("<!-- a note --><a>x<!-- y --></a>"), job("<a>x</a>")),
        (job("<?note?><a>x</a>"), job("<a>x</a>")),
        (job("<actions><hudson.model.Action/></actions>"), job()),
        (job("<triggers><b.B/><a.A/></triggers>"), job("<triggers class='vector'><a.A/><b.B/></triggers>")),
        (job("<o><flag>false</flag></o>"), job()),
        (job("<properties class='hudson.model.View$PropertyList'/>"), job("<properties class='hudson.util.DescribableList'/>")),
        (job("<properties class='hudson.model.View$PropertyList'/>"), job()),
        (job("<canRoam>true</canRoam>"), job()),
        (job("<description>x&lt;!-- Managed by Jenkins Job Builder --&gt;\n</description>"),
         job(f"<description>x&lt;!-- Managed by qalab: lab=l digest={64 * '0'} --&gt;</description>")),
        (view("<string>b</string><string>a</string>"), view("<string>a</string><string>b</string>")),
        (view(), view("<comparator class='java.lang.String$CaseInsensitiveComparator'/>")),
        (view(), view().replace("<jobNames>", "<name>folder/of-it</name><jobNames>")),  # JJB's name; Jenkins': of-it
        (view(), view().replace("<jobNames>", "<owner class='x' reference='..'/><jobNames>")),
        ('<?xml version="1.1" encoding="UTF-8"?>\n<project/>', "\ufeff<project></project>"),
    ],
)  # fmt: skip
def test_equivalent_xml_has_one_digest(one: str, other: str) -> None:
    assert digest(one) == digest(other) == digest(other.encode())


@pytest.mark.parametrize(
    "one, other",
    [
        (job("<a> x</a>"), job("<a>x</a>")),
        (job("<separator> </separator>"), job("<separator/>")),
        (job("<l><string/></l>"), job("<l/>")),
        (job("<l><string/><string/></l>"), job("<l><string/></l>")),
        (job("<l><boolean>false</boolean></l>"), job("<l/>")),
        (job("<rules><rule/><rule/></rules>"), job("<rules/>")),
        (job("<builders><shell/></builders>"), job("<builders/>")),
        (job("<properties><string>b</string><string>a</string></properties>"),
         job("<properties><string>a</string><string>b</string></properties>")),
        (job("<properties><string>a</string><int>1</int></properties>"),
         job("<properties><int>1</int><string>a</string></properties>")),
        (job("<o reference='../p'/>"), job("<o reference='../q'/>")),
        (job("<canRoam>false</canRoam>"), job("<canRoam>true</canRoam>")),
        (job("<canRoam>false</canRoam>"), job()),
        (job("<comparator class='a.Condition$LessThan'/>"), job("<comparator class='a.Condition$EqualTo'/>")),
        (job("<a>x&#13;y</a>"), job("<a>x\ny</a>")),
        (job("<a>\x85</a>"), job("<a>\n</a>")),
        (job("<description>&lt;!-- Managed by somebody --&gt;</description>"), job()),
        ("<project/>", "<matrix-project/>"),
    ],
)  # fmt: skip
def test_different_xml_has_different_digests(one: str, other: str) -> None:
    assert digest(one) != digest(other)


@pytest.mark.parametrize("field", ["command", "defaultValue", "description", "script", "value"])
def test_false_is_kept_as_a_text(field: str) -> None:
    assert digest(job(f"<o><{field}>false</{field}></o>")) != digest(job(f"<o><{field}/></o>"))
    assert digest(job(f"<o><{field}/></o>")) == digest(job())


@pytest.mark.parametrize("name", ["axes", "builders", "buildWrappers", "columns", "parameterDefinitions", "publishers"])
def test_list_members_are_never_removed(name: str) -> None:
    assert digest(job(f"<{name}><shell/><ant/></{name}>")) != digest(job(f"<{name}><ant/><shell/></{name}>"))
    assert digest(job(f"<{name}><shell/></{name}>")) != digest(job())


@pytest.mark.parametrize(
    "reference, picture", [("&#x1;", "\u2401"), ("&#27;", "␛"), ("&#x1B;", "␛"), ("&#x001f;", "\u241f")]
)
def test_xml_1_1_control_character_is_read(reference: str, picture: str) -> None:
    assert parse(job(f"<a>{reference}</a>")).findtext("a") == picture


@pytest.mark.parametrize("number", [9, 10, 13, 32, 127, 0x1F600])
def test_other_characters_are_unchanged(number: int) -> None:
    for reference in (f"&#{number};", f"&#x{number:x};"):
        assert parse(job(f"<a>{reference}</a>")).findtext("a") == chr(number)


@pytest.mark.parametrize(
    "xml, message",
    [
        ("", "not XML"),
        ("no XML", "not XML"),
        ("<project>", "not XML"),
        ("<project>&nothing;</project>", "not XML"),
        ("<project>&#0;</project>", "not XML"),
        ("<project>&#X1b;</project>", "not XML"),
        ("<project>\x1b</project>", "not XML"),
        (b"<project>\0</project>", "not XML"),
        ("<project xmlns='relative'/>", "has a relative namespace"),
        ("<project>\udce9</project>", "not XML"),
        (b"<project>\xe9</project>", "not UTF-8"),
        (f"{'<a>' * 300}{'</a>' * 300}", "not XML"),
        ("<!DOCTYPE project><project/>", "has a DOCTYPE"),
        ('<?xml version="1.1"?><!DOCTYPE p [<!ENTITY e SYSTEM "file:///etc/hostname">]><p><a>&e;</a></p>', "has a DOCTYPE"),
        ('<!DOCTYPE p SYSTEM "http://127.0.0.1:9/p.dtd"><p/>', "has a DOCTYPE"),
    ],
)  # fmt: skip
def test_invalid_config_is_an_error_in_one_line(xml: str | bytes, message: str) -> None:
    with pytest.raises(InfrastructureError, match=f"config.xml: {message}") as caught:
        digest(xml)
    assert "\n" not in str(caught.value)


GIT = "<project><canRoam>true</canRoam><scm class='hudson.plugins.git.GitSCM'>{}<extensions>{}</extensions></scm></project>"
IMPL = "hudson.plugins.git.extensions.impl"


@pytest.mark.parametrize(
    "fields, extensions",
    [
        ("<remotePoll>true</remotePoll>", f"<{IMPL}.RemotePoll/>"),
        ("<remotePoll>false</remotePoll>", ""),
        ("<reference>/srv/mirror</reference>", ""),
        (
            "<gitConfigName>N</gitConfigName><gitConfigEmail>e@x</gitConfigEmail>",
            f"<{IMPL}.UserIdentity><name>N</name><email>e@x</email></{IMPL}.UserIdentity>",
        ),
        ("<wipeOutWorkspace>true</wipeOutWorkspace>", f"<{IMPL}.WipeWorkspace/>"),
        (
            "<excludedUsers>bot</excludedUsers><skipTag>true</skipTag>",
            f"<{IMPL}.UserExclusion><excludedUsers>bot</excludedUsers></{IMPL}.UserExclusion><{IMPL}.PerBuildTag/>",
        ),
    ],
)
def test_fields_that_the_git_plugin_migrates(fields: str, extensions: str) -> None:
    """Also where Jenkins has saved the job again, and where the extension is there already."""
    old, new = GIT.format(fields, ""), GIT.format("", extensions)
    assert digest(old) == digest(new) == digest(resaved(old)) == digest(resaved(new))
    assert digest(GIT.format(fields, extensions)) == digest(new)
    assert (digest(old) == digest(GIT.format("", ""))) is not bool(extensions)
