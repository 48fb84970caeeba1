"""The commands of the terminal: the functions of the package, with their answers as text or JSON."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from overlaylab import __version__
from overlaylab.errors import Finding, InputError, NotReadable, OverlayLabError, Problem

from .inputs import Options, ProgressLine, bolt_report, limits_of, open_around, open_path, select_target

if TYPE_CHECKING:
    from overlaylab.image.manifest import Platform
    from overlaylab.stores.audit.validation import Report


# Each command imports the modules that it needs, so that help and start are quick.

# Errors in a directory count as damage if so many further readings find them as well: an engine may be at work in it.
READINGS = 2


def _json_anywhere(context: click.Context, option: click.Parameter, value: bool) -> bool:
    """Accept ``--json`` before the command, too."""
    return value or bool(context.obj)


def _platform(context: click.Context, option: click.Parameter, value: str | None) -> Platform | None:
    from overlaylab.image.manifest import Platform

    return None if value is None else Platform.parse(value)


OPTIONS = (
    click.option(
        "--json",
        "as_json",
        is_flag=True,
        callback=_json_anywhere,
        help="One JSON value on standard output and nothing else.",
    ),
    click.option(
        "--platform", metavar="OS/ARCH[/VARIANT]", callback=_platform, help="Choose among the platforms of one name."
    ),
    click.option("--namespace", metavar="NAME", help="Choose among the namespaces of one store."),
    click.option(
        "--max-expand", metavar="BYTES", type=click.IntRange(1), help="Refuse what expands to more than this."
    ),
)


def _options(command: Callable[..., int]) -> Callable[..., int]:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="overlaylab")
@click.option("--json", "as_json", is_flag=True, hidden=True)
@click.pass_context
def cli(context: click.Context, as_json: bool) -> None:
    """How does a container image become the filesystem that a process sees?

    PATH is a docker save archive, an OCI layout, or the root of a store (Docker's, containerd's, podman's): a folder,
    a .tar or a .tar.gz of it. IMAGE is a name, an ID, a digest, the beginning of one, or a container. Nothing is ever
    changed.

    Exit status: 0 all is well, 1 something is wrong with what was read, 2 it cannot be read or the call is wrong.
    """
    context.obj = as_json


@cli.command()
@click.argument("path")
@_options
def inspect(path: str, as_json: bool, **options: Any) -> int:
    """List the images and containers in PATH, and what is wrong with its documents."""
    from overlaylab.stores.audit.facts import inspect_facts

    facts = inspect_facts(open_path(path, options), path)
    _print(facts, as_json, "inspect_text")
    return int(any(problem["severity"] == "error" for problem in facts["problems"]))


@cli.command()
@click.argument("path")
@click.argument("image", required=False)
@_options
def verify(path: str, image: str | None, as_json: bool, **options: Any) -> int:
    """Recompute every digest in PATH, or of one IMAGE, and report every mismatch."""
    from overlaylab.stores.audit.validation import report_facts

    database = bolt_report(path, options) if image is None else None
    if database is not None:
        _print(report_facts(database), as_json, "report_text", None)
        return int(not database.ok)
    report = _verified(path, image, options)
    for _ in range(READINGS if os.path.isdir(path) and not report.ok else 0):
        report = _lasting(report, path, image, options)
    _print(report_facts(report), as_json, "report_text", report.images)
    return int(not report.ok)


def _verified(path: str, image: str | None, options: Options) -> Report:
    """Read everything once."""
    from overlaylab.image.image import Container
    from overlaylab.stores.audit.layer_reader import LayerReader
    from overlaylab.stores.audit.owners import images_of
    from overlaylab.stores.audit.validation import validate
    from overlaylab.stores.files.workers import ParallelReader

    store = open_path(path, options)
    chosen = None
    if image is not None:
        target = select_target(store, image, options)
        # The image of a container may have been removed.
        chosen = [target, *(images_of(store, target) if isinstance(target, Container) else ())]
    with ProgressLine("read") as progress:
        reader = partial(LayerReader, limits=limits_of(options), progress=progress, digests=False, blobs=ParallelReader)
        return validate(store, chosen, reader_of=reader)


def _lasting(report: Report, path: str, image: str | None, options: Options) -> Report:
    """Keep the errors that another reading finds, too: damage stays, the traces of an engine at work do not."""
    if report.ok:
        return report
    try:
        again = set(_verified(path, image, options).problems)
    except (InputError, OSError):
        again = set()
    lasting = tuple(problem for problem in report.problems if problem.severity != "error" or problem in again)
    if lasting != report.problems:
        lasting += (Problem("changed-while-reading", path, "a store at rest", "an engine at work"),)
    return replace(report, problems=tuple(dict.fromkeys(lasting)))


@cli.command()
@click.argument("path")
@click.argument("image")
@_options
def tree(path: str, image: str, as_json: bool, **options: Any) -> int:
    """Show the merged view of IMAGE in PATH: every file, and the layer that it comes from."""
    from overlaylab.stores.audit.layer_reader import LayerReader
    from overlaylab.stores.audit.validation import merged_view
    from overlaylab.stores.store import home

    store = open_path(path, options)
    target = select_target(store, image, options)
    with ProgressLine("read") as progress:
        part = home(store, target)
        entries, problems = merged_view(target, part, LayerReader(part, limits_of(options), progress=progress))
    return 1 if _damaged(problems, as_json) else _print(entries, as_json, "tree_text")


@cli.command()
@click.argument("path")
@click.argument("image")
@_options
def layers(path: str, image: str, as_json: bool, **options: Any) -> int:
    """Show what each layer of IMAGE in PATH added, changed and removed, and which of its bytes are wasted."""
    from overlaylab.stores.audit.layer_changes import layer_facts
    from overlaylab.stores.audit.layer_reader import LayerReader
    from overlaylab.stores.audit.validation import Report
    from overlaylab.stores.store import home

    store = open_path(path, options)
    target = select_target(store, image, options)
    part = home(store, target)
    facts: list[dict[str, Any]] = []
    problems = list(target.problems)
    with ProgressLine("read") as progress:
        try:
            stack, problems = LayerReader(part, limits_of(options), progress=progress).stack(target)
            if Report(tuple(problems)).ok:
                facts = layer_facts(part, target, stack, part.marks)
        except Finding as finding:
            if finding.problem.severity == "warning":
                raise
            problems.append(finding.problem)
    return 1 if _damaged(problems, as_json) else _print(facts, as_json, "layers_text")


@cli.command()
@click.argument("path")
@click.argument("image")
@click.option("--root", metavar="DIR", default="", help="Write paths as if the store's root were here.")
@_options
def mount(path: str, image: str, root: str, as_json: bool, **options: Any) -> int:
    """Show how the engine mounts IMAGE of PATH, or a container: the directories, the options, a command."""
    from overlaylab.stores.audit.facts import mount_facts
    from overlaylab.stores.store import home

    store = open_path(path, options)
    target = select_target(store, image, options)
    problems = list(target.problems)
    try:
        made = home(store, target).mount(target, root)
    except Finding as finding:
        if finding.problem.kind == "wrong-call" or finding.problem.severity == "warning":
            raise
        problems.append(finding.problem)
    return 1 if _damaged(problems, as_json) else _print(mount_facts(made), as_json, "mount_text")


@cli.command()
@click.argument("path")
@click.argument("folder", required=False)
@_options
def owners(path: str, folder: str | None, as_json: bool, **options: Any) -> int:
    """Say which layers, images and containers own each folder in PATH, or FOLDER, and what images share.

    FOLDER is a folder of the store, or any path that goes through one. PATH itself may be such a path.
    """
    from overlaylab.stores.audit.layer_reader import LayerReader
    from overlaylab.stores.audit.owners import owner_facts

    store, folder = open_around(path, folder, options)
    with ProgressLine("read") as progress:
        readers = {id(part): LayerReader(part, limits_of(options), progress=progress) for part in store.parts}
        facts = owner_facts(store, lambda part, layer: readers[id(part)].bytes_of(layer), folder)
    return _print(facts, as_json, "owners_text")


@cli.command("id")
@click.argument("name", metavar="HEX")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@_options
def identify(name: str, paths: tuple[str, ...], as_json: bool, **options: Any) -> int:
    """Say what HEX is: whole or its beginning, which kind of name, of which image, in which PATH."""
    from overlaylab.stores.audit.identify import investigate, match_facts

    facts = match_facts(name, investigate(name, ((path, open_path(path, options)) for path in paths)))
    return _print(facts, as_json, "matches_text")


def _damaged(problems: Sequence[Problem], as_json: bool) -> bool:
    """Print the report and return True if it has errors; else print its warnings on standard error."""
    from overlaylab.stores.audit.validation import Report, report_facts
    from overlaylab.words import printable

    report = Report(tuple(dict.fromkeys(problems)))
    if not report.ok:
        _print(report_facts(report), as_json, "report_text", 1)
        return True
    for problem in report.problems:
        click.echo(f"warning: {printable(str(problem))}", err=True)
    return False


def _print(facts: Any, as_json: bool, text: str, *arguments: Any) -> int:
    """Print facts as JSON, or as text by a function of `text`; returns the exit status 0."""
    try:
        if as_json:
            click.echo(json.dumps(facts, indent=1))
        else:
            from . import text as terminal

            click.echo(getattr(terminal, text)(facts, *arguments))
    except BrokenPipeError:
        # The reader, head or a pager, has closed the pipe. The exit status stays the same.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; a refusal is a sentence, or with ``--json`` in the form of ``verify``."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # Nothing here makes reference cycles, and the collector would take a fifth of the time.
    gc.disable()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    status = run(arguments)
    # Python would collect once more at exit.
    gc.freeze()
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit status."""
    if not arguments:
        cli.main(["--help"], prog_name="overlaylab", standalone_mode=False)
        return 2
    try:
        return cli.main(arguments, prog_name="overlaylab", standalone_mode=False) or 0
    except click.ClickException as error:
        hint = error.ctx.get_usage() if isinstance(error, click.UsageError) and error.ctx else "overlaylab --help"
        return _refuse(arguments, Problem("wrong-call", "overlaylab", hint, error.format_message()))
    except click.Abort:
        return 130
    except NotReadable as error:
        return _refuse(arguments, *error.problems)
    except InputError as error:
        return _refuse(arguments, error.problem)
    except OverlayLabError as error:
        return _refuse(arguments, Problem("kernel-unavailable", "overlaylab", "", str(error)))
    except PermissionError as error:
        remedy = "the right to read it (try sudo)"
        return _refuse(arguments, Problem("permission-denied", _name(error.filename), remedy, str(error.strerror)))
    except FileNotFoundError as error:
        return _refuse(arguments, Problem("changed-while-reading", _name(error.filename), "a file", "nothing"))
    except OSError as error:
        # A disk or a network fails during a read.
        where, reason = _name(error.filename or "overlaylab"), str(error.strerror or error)
        return _refuse(arguments, Problem("truncated", where, "all of it", reason))


def _name(path: str | bytes) -> str:
    return os.fsdecode(path) if isinstance(path, bytes) else str(path)


def _refuse(arguments: list[str], *problems: Problem) -> int:
    from overlaylab.stores.audit.validation import Report, report_facts

    facts = report_facts(Report(problems)) | {"ok": False}
    if "--json" in arguments[: arguments.index("--") if "--" in arguments else None]:
        _print(facts, True, "report_text")
    else:
        from . import text as terminal

        click.echo(terminal.problems_text(facts["problems"]), err=True)
    return 2


if __name__ == "__main__":
    main()
