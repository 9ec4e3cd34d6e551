"""source: build the source package.

Its format is the packaging's: 3.0 (quilt), 3.0 (native) or 1.0, native or with a diff.  It is made of the orig
tarballs and the packaging's debian/.  What the packaging branch changes outside debian/ goes into the diff of format
1.0; the other formats have no place for it.

Leaves the .dsc, the .debian.tar.xz (.diff.gz, or the native tarball), and the _source.changes (with the orig tarballs)
and _source.buildinfo in ``out/``, signed when lab.yaml names a signing key (with ``jenkins.archive_agent``, the step
`upload` signs).  The same inputs make the same .dsc and tarball on
every machine (a signature is no part of that).  Facts: ``dropped``, the patches that upstream has merged
and that were dropped, each with a changelog line, in a commit in ``work/packaging``.

dpkg-source judges the patches; only when it refuses are they gone through one by one, the way it
applies them, to say which one fails where, and which ones upstream has merged.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from debian.deb822 import Dsc
from debian.debian_support import Version

from lab.base import files
from lab.base.debian import add_bullet
from lab.base.errors import ConfigurationError, Failed, InfrastructureError
from lab.base.git import git, identity, readable, reset, try_git
from lab.base.run import AttemptOptions
from lab.store import step_command
from lab.store.archive_place import is_apart
from lab.store.records import Record
from lab.store.signing import lab_key
from lab.store.step import StepContext, StepOutcome
from scripts.upstream import direct_changes, quilt_patches
from scripts.upstream.source_shape import SourceShape

NAME = "source"
BUNDLE = "packaging.bundle"


def refusal(log: str) -> str:
    """Why dpkg-source refused, by its last run in the log.  Raises InfrastructureError for a full disk."""
    if "No space left on device" in log:
        raise InfrastructureError("dpkg-source: no space left on the device")
    errors = re.findall(r"^dpkg-source: error: (.*)", log.rpartition("\n+ dpkg-source")[2], re.MULTILINE)
    return readable("; ".join(errors)) or "refused; the step's log has its words"


def work(context: StepContext) -> Path:
    return context.run.work / NAME


def environment(context: StepContext) -> dict[str, str]:
    """Return the environment in which dpkg's programs give the same output on every machine."""
    return {
        "SOURCE_DATE_EPOCH": str(committed(context)),
        "DEB_VENDOR": context.series.distribution.capitalize(),
        "TMPDIR": str(work(context)),  # this also removes leftovers of a killed dpkg-source
    }


def committed(context: StepContext) -> int:
    return int(context.earlier("snapshot").facts["committed"])


def orig_tarballs(context: StepContext) -> dict[str, Path]:
    """Return the tarballs of the step `snapshot` by component ("": the main one, which comes first)."""
    artifacts = context.earlier("snapshot").artifacts
    paths = [context.run.path / artifact.path for artifact in artifacts if artifact.kind == "orig"]
    return {path.name.rpartition(".orig")[2].partition(".tar.")[0].removeprefix("-"): path for path in paths}


def shape_of(context: StepContext) -> SourceShape:
    return SourceShape.model_validate(context.earlier("snapshot").facts["source_package"])


def discard(path: Path) -> None:
    """Remove what upstream has in a place: a directory, a file, or a link to either or to nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def unpack(context: StepContext, name: str) -> Path:
    """Make a tree of upstream's files and the packaging's debian/, independent of this machine's umask and clock."""
    tree = work(context) / name
    discard(tree)
    for component, tarball in orig_tarballs(context).items():
        discard(tree / component)  # dpkg-source replaces what upstream has there
        (tree / component).mkdir()
        context.sh(
            ["tar", "--extract", "--file", tarball, "--directory", tree / component, "--strip-components=1",
             "--no-same-owner", "--no-same-permissions"]
        )  # fmt: skip
    discard(tree / "debian")
    shutil.copytree(context.run.work / "packaging/debian", tree / "debian", symlinks=True)
    check_links(context.run.work / "packaging", tree)
    when, shape = committed(context), shape_of(context)
    if shape.format == "1.0" and not shape.native:
        direct_changes.apply(context, context.run.work / "packaging", tree, when)
    for path in [tree / "debian", *(tree / "debian").rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (when, when), follow_symlinks=False)
    return tree


def check_links(packaging: Path, tree: Path) -> None:
    """Raise Failed for a link in debian/ that leads to a file which the packaging branch has and the source package has not."""
    for path in sorted((tree / "debian").rglob("*")):
        name = path.relative_to(tree)
        if path.is_symlink() and not path.exists() and (packaging / name).exists():
            target = readable(str(path.readlink()))
            raise Failed(f"{readable(str(name))}: is a link to {target}, which only the packaging branch has",
                         hint="move that file into debian/")  # fmt: skip


def build(context: StepContext, tree: Path) -> bool:
    """Make the .dsc and the debian tarball; whether dpkg-source agreed."""
    argv = ["dpkg-source", "--build", tree.name]
    return bool(context.sh(argv, cwd=work(context), env=environment(context), check=False))


def drop(context: StepContext, names: Sequence[str]) -> None:
    """Take patches out of the packaging, say so in the changelog, and commit that."""
    tree = context.run.work / "packaging"
    series = quilt_patches.series_file(tree / "debian", context.series.distribution)
    edit(series, lambda text: quilt_patches.without(text, names))
    for name in names:
        (series.parent / name).unlink()
        remark = f"Drop {readable(name)}: merged upstream."
        edit(tree / "debian/changelog", partial(add_bullet, text=remark))
    what = readable(names[0]) if len(names) == 1 else f"{len(names)} patches"
    git(["add", "--all", "debian"], cwd=tree)
    git(
        ["commit", "--quiet", "--message", f"Drop {what}: merged upstream"],
        cwd=tree, env=identity(context.lab.lab.maintainer, committed(context)), log=context.log,
    )  # fmt: skip


def edit(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    files.write_atomic(path, change(text).encode("utf-8", "surrogateescape"))


def log_text(context: StepContext) -> str:
    return context.run.log_path(NAME).read_text(errors="replace")


def build_without_merged(context: StepContext, tree_name: str) -> list[str]:
    """Make the source package; the patches that were dropped for it.  Raises Failed."""
    if build(context, unpack(context, tree_name)):
        return []
    why = refusal(log_text(context))
    if shape_of(context).format != "3.0 (quilt)":  # dpkg-source applies no patches
        raise Failed(f"dpkg-source: {why}")
    tree = unpack(context, "patches")
    series = quilt_patches.series_file(tree / "debian", context.series.distribution)
    merged = quilt_patches.merged(tree, series, context.log)
    if not merged:
        raise Failed(f"dpkg-source: {why}")
    names = ", ".join(map(readable, merged))
    if not context.component.packaging.drop_merged_patches:
        hint = "drop it from the packaging, or set packaging.drop_merged_patches in lab.yaml"
        raise Failed(f"already merged upstream: {names}", hint=hint)
    drop(context, merged)
    if not build(context, unpack(context, tree_name)):
        raise Failed(f"dpkg-source, without {names}: {refusal(log_text(context))}")
    return merged


def control_files(context: StepContext, tree: Path, stem: str) -> None:
    """Write the .buildinfo and the .changes, and sign when there is a key to."""
    options: AttemptOptions = {"cwd": tree, "env": environment(context)}
    context.sh(["dpkg-genbuildinfo", "--build=source", f"-O../{stem}_source.buildinfo"], **options)
    context.sh(["dpkg-genchanges", "--build=source", "-sa", f"-O../{stem}_source.changes"], **options)
    if context.lab.archive.signing_key and not is_apart(context.lab):  # else the step upload signs
        with lab_key(context.lab, context.store, context.log) as key:
            changes = work(context) / f"{stem}_source.changes"
            context.sh(["debsign", "--no-conf", f"-k{key.fingerprint}", changes], env=key.env)


def hand_over(context: StepContext, stem: str) -> list[tuple[Path, str]]:
    """Move the created files into out/, and remove those of an earlier attempt with another version."""
    made = work(context)
    named = [entry["name"] for entry in Dsc((made / f"{stem}.dsc").read_bytes())["Files"]]
    kinds = {name: "source" for name in named if ".orig" not in name.removeprefix(f"{context.component_name}_")} | {
        f"{stem}.dsc": "source",
        f"{stem}_source.buildinfo": "buildinfo",
        f"{stem}_source.changes": "changes",
    }
    for pattern in ("*.dsc", "*.debian.tar.*", "*.diff.gz", "*.tar.*", "*_source.changes", "*_source.buildinfo"):
        for path in {*context.run.out.glob(pattern)} - {*orig_tarballs(context).values()}:
            path.unlink()
    moved = [((made / name).replace(context.run.out / name), kind) for name, kind in kinds.items()]
    return [*moved, *packaging_bundle(context)]


def packaging_bundle(context: StepContext) -> list[tuple[Path, str]]:
    """Leave the packaging branch for the step `push` where another machine runs that: a bundle of git."""
    if not (context.component.packaging.push and is_apart(context.lab)):
        return []
    path = context.run.out / BUNDLE
    git(["bundle", "create", "--quiet", path, "HEAD"], cwd=context.run.work / "packaging", log=context.log)
    return [(path, "other")]


def check_changelog(context: StepContext, changelog: Record) -> None:
    """Raise ConfigurationError for a changelog entry of other files: a step before it was repeated alone."""
    tree = context.run.work / "packaging"
    upstream = str(Version(changelog.version).upstream_version)
    if not try_git(["cat-file", "-e", f"{changelog.facts['head']}^{{commit}}"], cwd=tree):
        repeated = "packaging"
    elif not upstream.startswith(context.earlier("snapshot").version):
        repeated = "snapshot"
    else:
        return
    hint = f"qalab run --run {context.run.id} --from changelog"
    raise ConfigurationError(f"the step {repeated} was repeated after changelog", hint=hint)


def action(context: StepContext) -> StepOutcome:
    changelog = context.earlier("changelog")
    check_changelog(context, changelog)
    reset(context.run.work / "packaging", changelog.facts["head"])
    made = work(context)
    if made.exists():
        shutil.rmtree(made)
    made.mkdir(parents=True)
    if not shape_of(context).native:
        for orig in orig_tarballs(context).values():
            (made / orig.name).symlink_to(orig)
    upstream_version = context.earlier("snapshot").version
    tree_name = f"{context.component_name}-{upstream_version}"
    dropped = build_without_merged(context, tree_name)
    stem = f"{context.component_name}_{changelog.version.rpartition(':')[2]}"
    control_files(context, made / tree_name, stem)
    message = f"dropped, because merged upstream: {', '.join(map(readable, dropped))}" if dropped else f"{stem}.dsc"
    return StepOutcome(message, version=changelog.version, artifacts=hand_over(context, stem),
                   facts={"dropped": list(map(readable, dropped))})  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
