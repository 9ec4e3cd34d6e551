"""What a Jenkins knows of the classes that it saves: their fields in order, what it adds and what it drops.

Taken from the recordings in data/roundtrip; fields that no recording has stand where the classes' sources have
them.  A field that is not named here stays where it is; a class that is not here keeps its shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
# Folders that make their content themselves.
BRANCHES = "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"
DEFAULTS = "org.jenkinsci.plugins.pipeline.multibranch.defaults.PipelineMultiBranchDefaultsProject"
ORGANIZATION = "jenkins.branch.OrganizationFolder"
COMPUTED = (BRANCHES, DEFAULTS, ORGANIZATION)


@dataclass(frozen=True)
class Shape:
    """A class as it is saved: the order of its fields, the XML of those it adds, the names of those it drops."""

    order: tuple[str, ...]
    defaults: Mapping[str, str]
    drops: frozenset[str]


def _shape(order: str, adds: str = "", drops: str = "", **defaults: str) -> Shape:
    """``adds``: the fields that are added as ``false``; ``defaults``: the others, each with its XML."""
    added = {name: f"<{name}>false</{name}>" for name in adds.split()} | defaults
    return Shape(tuple(order.split()), added, frozenset(drops.split()))


_BLOCKS = "blockBuildWhenDownstreamBuilding blockBuildWhenUpstreamBuilding"
_JOB = "actions description displayName keepDependencies properties"
_PROJECT = (
    f"{_JOB} scm scmCheckoutRetryCount quietPeriod assignedNode canRoam disabled {_BLOCKS} "
    "jdk authToken triggers concurrentBuild customWorkspace"
)
_PROJECT_FALSE = f"keepDependencies canRoam disabled {_BLOCKS} concurrentBuild"
_PROJECT_ADDS = {
    "properties": "<properties/>",
    "scm": '<scm class="hudson.scm.NullSCM"/>',
    "triggers": "<triggers/>",
    "builders": "<builders/>",
    "publishers": "<publishers/>",
    "buildWrappers": "<buildWrappers/>",
}
# What Jenkins Job Builder writes into every job, and these two are no projects.
_NO_PROJECT = f"{_BLOCKS} concurrentBuild canRoam scm publishers buildWrappers builders triggers disabled"

_FOLDER_VIEWS = f"""\
<folderViews class="com.cloudbees.hudson.plugins.folder.views.DefaultFolderViewHolder">
  <views>
    <hudson.model.AllView>
      <owner class="{FOLDER}" reference="../../../.."/>
      <name>All</name>
      <filterExecutors>false</filterExecutors>
      <filterQueue>false</filterQueue>
      <properties class="hudson.model.View$PropertyList"/>
    </hudson.model.AllView>
  </views>
  <tabBar class="hudson.views.DefaultViewsTabBar"/>
</folderViews>"""

# As public copies of such projects have them: the page Configure saves the strategy that each source has.
_COMPUTED = (
    "actions description displayName properties folderViews healthMetrics icon orphanedItemStrategy triggers disabled "
    "sources factory navigators projectFactories buildStrategies strategy"
)
_COMPUTED_DROPS = f"{_BLOCKS} concurrentBuild canRoam scm publishers buildWrappers builders keepDependencies views viewsTabBar primaryView"
_STRATEGY = '<strategy class="jenkins.branch.DefaultBranchPropertyStrategy"><properties class="empty-list"/></strategy>'

_GERRIT = "com.sonyericsson.hudson.plugins.gerrit.trigger.hudsontrigger.GerritTrigger"

SHAPES: Mapping[str, Shape] = {
    "project": _shape(f"{_PROJECT} builders publishers buildWrappers", _PROJECT_FALSE, **_PROJECT_ADDS),
    "matrix-project": _shape(
        f"{_PROJECT} axes combinationFilter builders publishers buildWrappers executionStrategy childCustomWorkspace",
        _PROJECT_FALSE,
        **_PROJECT_ADDS,
    ),
    "flow-definition": _shape(
        f"{_JOB} definition triggers disabled", "keepDependencies disabled", properties="<properties/>"
    ),
    "hudson.model.ExternalJob": _shape(_JOB, "keepDependencies", _NO_PROJECT, properties="<properties/>"),
    FOLDER: _shape(
        "actions description displayName properties folderViews healthMetrics icon",
        drops=f"{_NO_PROJECT} keepDependencies views viewsTabBar primaryView",
        properties="<properties/>",
        folderViews=_FOLDER_VIEWS,
        healthMetrics="<healthMetrics/>",
        icon='<icon class="com.cloudbees.hudson.plugins.folder.icons.StockFolderIcon"/>',
    ),
    BRANCHES: _shape(_COMPUTED, "disabled", _COMPUTED_DROPS, properties="<properties/>"),
    DEFAULTS: _shape(_COMPUTED, "disabled", _COMPUTED_DROPS, properties="<properties/>"),
    ORGANIZATION: _shape(_COMPUTED, "disabled", _COMPUTED_DROPS, properties="<properties/>", strategy=_STRATEGY),
    "jenkins.branch.BranchSource": _shape("source buildStrategies strategy", strategy=_STRATEGY),
    "hudson.tasks.Shell": _shape(
        "command configuredLocalRules unstableReturn", configuredLocalRules="<configuredLocalRules/>"
    ),
    "hudson.tasks.ArtifactArchiver": _shape(
        "artifacts excludes latestOnly allowEmptyArchive onlyIfSuccessful fingerprint defaultExcludes caseSensitive "
        "followSymlinks"
    ),
    "hudson.tasks.junit.JUnitResultArchiver": _shape(
        "testResults keepLongStdio keepProperties testDataPublishers healthScaleFactor allowEmptyResults "
        "skipPublishingChecks checksName skipMarkingBuildUnstable skipOldReports",
        "keepProperties skipOldReports",
    ),
    "hudson.plugins.copyartifact.CopyArtifact": _shape(
        "project parameters filter excludes target selector flatten optional doNotFingerprintArtifacts "
        "resultVariableSuffix",
        drops="exclude",
    ),
    "hudson.plugins.ws__cleanup.WsCleanup": _shape(
        "patterns deleteDirs skipWhenFailed cleanWhenSuccess cleanWhenUnstable cleanWhenFailure cleanWhenNotBuilt "
        "cleanWhenAborted notFailBuild cleanupMatrixParent externalDelete disableDeferredWipeout",
        "skipWhenFailed",
    ),
    "hudson.plugins.throttleconcurrents.ThrottleJobProperty": _shape(
        "maxConcurrentPerNode maxConcurrentTotal categories throttleEnabled throttleOption "
        "limitOneJobWithMatchingParams matrixOptions paramsToUseForLimit configVersion",
        categories='<categories class="java.util.concurrent.CopyOnWriteArrayList"/>',
    ),
    "hudson.plugins.git.GitSCM": _shape(
        "configVersion userRemoteConfigs branches doGenerateSubmoduleConfigurations browser gitTool submoduleCfg "
        "extensions",
        drops="disableSubmodules recursiveSubmodules remotePoll reference gitConfigName gitConfigEmail wipeOutWorkspace clean "
        "skipTag excludedUsers relativeTargetDir",
    ),
    "hudson.plugins.parameterizedtrigger.PredefinedBuildParameters": _shape(
        "properties textParamValueOnNewLine", "textParamValueOnNewLine"
    ),
    "hudson.plugins.parameterizedtrigger.BuildTriggerConfig": _shape(
        "configs projects condition triggerWithNoParameters triggerFromChildProjects"
    ),
    "hudson.plugins.emailext.ExtendedEmailPublisher": _shape(
        "recipientList configuredTriggers contentType defaultSubject defaultContent attachmentsPattern presendScript "
        "postsendScript attachBuildLog compressBuildLog replyTo from saveOutput disabled"
    ),
    "email": _shape(  # a field of email-ext's triggers; its class is not written
        "recipientList subject body recipientProviders attachmentsPattern attachBuildLog compressBuildLog replyTo "
        "contentType"
    ),
    _GERRIT: _shape(
        "spec gerritProjects dynamicGerritProjects skipVote silentMode notificationLevel silentStartMode escapeQuotes "
        "nameAndEmailParameterMode dependencyJobsNames commitMessageParameterMode changeSubjectParameterMode "
        "commentTextParameterMode buildStartMessage buildFailureMessage buildSuccessfulMessage buildUnstableMessage "
        "buildNotBuiltMessage buildAbortedMessage buildUnsuccessfulFilepath customUrl serverName triggerOnEvents "
        "dynamicTriggerConfiguration triggerConfigURL triggerInformationAction"
    ),
    "org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty": _shape(
        "abortPrevious", "abortPrevious"
    ),
}

# Fields that a class reads and saves as a member of its list ``extensions``, unless that is there (the Git plugin's
# GitSCMBackwardCompatibility): by field, the member and the field in it.
GIT_EXTENSIONS: Mapping[str, tuple[str, str]] = {
    "excludedUsers": ("UserExclusion", "excludedUsers"),
    "relativeTargetDir": ("RelativeTargetDirectory", "relativeTargetDir"),
    "skipTag": ("PerBuildTag", ""),
    "gitConfigName": ("UserIdentity", "name"),
    "gitConfigEmail": ("UserIdentity", "email"),
    "clean": ("CleanCheckout", ""),
    "wipeOutWorkspace": ("WipeWorkspace", ""),
    "remotePoll": ("RemotePoll", ""),
}

# Fields that are a hudson.util.Secret, by class: saved encrypted.
SECRETS: Mapping[str, str] = {
    "hudson.model.PasswordParameterDefinition": "defaultValue",
    "com.dabsquared.gitlabjenkins.GitLabPushTrigger": "secretToken",
}

# The names that items go by at the top of their config.xml; below it they are fields of that name.
ALIASES = frozenset({"project", "matrix-project", "flow-definition"})

# Empty, these are empty collections or objects (`<x/>`); any other empty field is an empty text (`<x></x>`).
_COLLECTIONS = (
    "actions properties builders publishers buildWrappers triggers axes views healthMetrics configuredLocalRules "
    "testDataPublishers triggerInformationAction jobFilters jobNames columns configuredTriggers recipientProviders "
    "gerritProjects branches extensions userRemoteConfigs parameterDefinitions configs operationList categories "
    "triggerOnEvents skipVote patterns"
)
COLLECTIONS = frozenset(_COLLECTIONS.split())

# The plugin that brings a class, by the longest beginning of its name.
PLUGINS: Mapping[str, str] = {
    "EnvInject": "envinject",
    "com.cloudbees.hudson.plugins.folder.": "cloudbees-folder",
    "com.sonyericsson.hudson.plugins.gerrit.trigger.": "gerrit-trigger",
    "flow-definition": "workflow-job",
    "hudson.matrix.": "matrix-project",
    "hudson.maven.": "maven-plugin",
    "hudson.model.ExternalJob": "external-monitor-job",
    "hudson.plugins.ansicolor.": "ansicolor",
    "hudson.plugins.build_timeout.": "build-timeout",
    "hudson.plugins.copyartifact.": "copyartifact",
    "hudson.plugins.descriptionsetter.": "description-setter",
    "hudson.plugins.emailext.": "email-ext",
    "hudson.plugins.git.": "git",
    "hudson.plugins.parameterizedtrigger.": "parameterized-trigger",
    "hudson.plugins.throttleconcurrents.": "throttle-concurrents",
    "hudson.plugins.timestamper.": "timestamper",
    "hudson.plugins.ws_cleanup.": "ws-cleanup",
    "hudson.security.AuthorizationMatrixProperty": "matrix-auth",
    "hudson.tasks.JavadocArchiver": "javadoc",
    "hudson.tasks.Mailer": "mailer",
    "hudson.tasks.junit.": "junit",
    "htmlpublisher.": "htmlpublisher",
    "matrix-project": "matrix-project",
    "maven2-moduleset": "maven-plugin",
    "org.jenkinsci.plugins.buildnamesetter.": "build-name-setter",
    "org.jenkinsci.plugins.conditionalbuildstep.": "conditional-buildstep",
    "org.jenkinsci.plugins.credentialsbinding.": "credentials-binding",
    "org.jenkinsci.plugins.workflow.cps.": "workflow-cps",
    "org.jenkinsci.plugins.workflow.job.": "workflow-job",
    "org.jenkinsci.plugins.xunit.": "xunit",
    "org.jvnet.hudson.plugins.groovypostbuild.": "groovy-postbuild",
}
