"""The Jenkins plugins that a config.xml needs, by its ``plugin`` attributes and the packages of its Java classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from lxml import etree

from generator.canonical import parse, tag_of
from generator.items import Item
from lab.config.description import COMPONENT_PHASES, Lab
from lab.store.archive_place import is_apart

PLUGINS: Mapping[str, str] = {
    "build-timeout": "ends a build that takes too long",
    "copyartifact": "hands packages and results over to the machine of the archive; only with `jenkins.archive_agent`",
    "cloudbees-folder": "the folder that everything lies in; only with `jenkins.folder`",
    "git": "sees new commits of the lab's own repository; only with `jenkins.repository`",
    "junit": "shows test results",
    "parameterized-trigger": "hands the commit and the archive's state on to the next phase",
    "throttle-concurrents": "one deployment at a time on a target; only for the phases deploy and exercise",
    "timestamper": "the time of each line in the console",
    "ws-cleanup": "a clean run directory",
}
"""The plugins that the jobs of a lab can need, and why."""

VERSIONS: Mapping[str, str] = {
    "build-timeout": "1.31",
    "copyartifact": "722.v0662a_9b_e22a_c",
    "cloudbees-folder": "6.848.ve3b_fd7839a_81",
    "git": "5.2.0",
    "junit": "1217.v4297208a_a_b_ce",
    "parameterized-trigger": "2.46",
    "throttle-concurrents": "2.14",
    "timestamper": "1.26",
    "ws-cleanup": "0.45",
}
"""The versions that the jobs were tested with, on Jenkins 2.426.2 LTS."""

# The packages of Java classes, for elements without an attribute ``plugin``; the first match counts.
PACKAGES = (
    ("com.cloudbees.hudson.plugins.folder.", "cloudbees-folder"),
    ("com.cloudbees.jenkins.Git", "github"),
    ("com.cloudbees.jenkins.plugins.sshagent.", "ssh-agent"),
    ("com.cloudbees.plugins.credentials.", "credentials"),
    ("com.dabsquared.gitlabjenkins.", "gitlab-plugin"),
    ("com.sonyericsson.hudson.plugins.gerrit.", "gerrit-trigger"),
    ("com.sonyericsson.rebuild.", "rebuild"),
    ("com.tikal.jenkins.plugins.multijob.", "jenkins-multijob-plugin"),
    ("com.wangyin.parameter.", "hidden-parameter"),
    ("htmlpublisher.", "htmlpublisher"),
    ("hudson.matrix.", "matrix-project"),
    ("hudson.maven.", "maven-plugin"),
    ("hudson.plugins.ansicolor.", "ansicolor"),
    ("hudson.plugins.build_timeout.", "build-timeout"),
    ("hudson.plugins.copyartifact.", "copyartifact"),
    ("hudson.plugins.descriptionsetter.", "description-setter"),
    ("hudson.plugins.emailext.", "email-ext"),
    ("hudson.plugins.git.", "git"),
    ("hudson.plugins.groovy.", "groovy"),
    ("hudson.plugins.parameterizedtrigger.", "parameterized-trigger"),
    ("hudson.plugins.plot.", "plot"),
    ("hudson.plugins.promoted_builds.", "promoted-builds"),
    ("hudson.plugins.repo.", "repo"),
    ("hudson.plugins.throttleconcurrents.", "throttle-concurrents"),
    ("hudson.plugins.timestamper.", "timestamper"),
    ("hudson.plugins.ws_cleanup.", "ws-cleanup"),
    ("hudson.tasks.Mailer", "mailer"),
    ("hudson.tasks.junit.", "junit"),
    ("io.jenkins.plugins.analysis.", "warnings-ng"),
    ("jenkins.plugins.openstack.compute.", "openstack-cloud"),
    ("jenkins.plugins.publish_over_ssh.", "publish-over-ssh"),
    ("org.jenkins.plugins.lockableresources.", "lockable-resources"),
    ("org.jenkins_ci.plugins.run_condition.", "run-condition"),
    ("org.jenkinsci.plugins.categorizedview.", "categorized-view"),
    ("org.jenkinsci.plugins.conditionalbuildstep.", "conditional-buildstep"),
    ("org.jenkinsci.plugins.configfiles.", "config-file-provider"),
    ("org.jenkinsci.plugins.credentialsbinding.", "credentials-binding"),
    ("org.jenkinsci.plugins.ghprb.", "ghprb"),
    ("org.jenkinsci.plugins.multiplescms.", "multiple-scms"),
    ("org.jenkinsci.plugins.postbuildscript.", "postbuildscript"),
    ("org.jenkinsci.plugins.workflow.cps.", "workflow-cps"),
    ("org.jenkinsci.plugins.workflow.job.", "workflow-job"),
    ("org.jenkinsci.plugins.workflow.multibranch.", "workflow-multibranch"),
    ("org.jvnet.hudson.plugins.groovypostbuild.", "groovy-postbuild"),
    ("org.jvnet.jenkins.plugins.nodelabelparameter.", "nodelabelparameter"),
)
# Elements of plugins with a short name instead of a class.
TAGS = {
    "matrix-project": "matrix-project",
    "maven2-moduleset": "maven-plugin",
    "flow-definition": "workflow-job",
}


def needed_plugins(lab: Lab) -> dict[str, str]:
    """Return the plugins that this lab's jobs need, and why."""
    tracks = lab.tracks.values()
    unused = {
        "cloudbees-folder": not (lab.jenkins and lab.jenkins.folder),
        "copyartifact": not is_apart(lab),
        "parameterized-trigger": not is_apart(lab) and all(len(track.phases) < 2 for track in tracks),  # noqa: PLR2004 - one starts the next
        "throttle-concurrents": all(COMPONENT_PHASES.issuperset(track.phases) for track in tracks),
        "git": not (lab.jenkins and lab.jenkins.repository),
    }
    return {name: why for name, why in PLUGINS.items() if not unused.get(name)}


def plugins_of(items: Iterable[Item]) -> set[str]:
    """Return the short names of the plugins that config.xml files use, as far as they are known."""
    return {plugin for item in items for plugin in _plugins(parse(item.xml)) if plugin}


def _plugins(root: etree._Element) -> Iterator[str]:
    for element in root.iter(etree.Element):
        if named := element.get("plugin"):
            yield named.partition("@")[0]
            continue
        for name in (tag_of(element), element.get("class", "")):
            yield _plugin(name)


@cache
def _plugin(name: str) -> str:
    """Return the plugin of an element's name or class; XStream writes ``__`` for ``_`` in names."""
    java = name.replace("__", "_")
    by_package = next((plugin for package, plugin in PACKAGES if java.startswith(package)), "")
    return by_package or TAGS.get(name, "")
