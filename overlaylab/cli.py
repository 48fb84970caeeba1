"""The command line: the same functions, for people with a terminal beside the lab."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from . import __version__
from .errors import KINDS, InputError, NotReadable, OverlayLabError, Problem
from .image import Container, home
from .limits import DEFAULT_LIMITS, Limits
from .manifest import Platform
from .owners import images_of
from .present import inspect_facts, printable, report_facts
from .validate import LayerReader, Report, merged_entries, overlay_of, validate

__all__ = ["main"]

Progress = Callable[[int], None]


def _json_anywhere(context: click.Context, option: click.Parameter, value: bool) -> bool:
    """``--json`` may stand before the command as well."""
    return value or bool(context.obj)


def _platform(context: click.Context, option: click.Parameter, value: str | None) -> Platform | None:
    return None if value is None else Platform.parse(value)


OPTIONS = (
    click.option("--json", "as_json", is_flag=True, callback=_json_anywhere, help="One JSON value on standard output and nothing else."),
    click.option("--platform", metavar="OS/ARCH[/VARIANT]", callback=_platform, help="Choose among the platforms of one name."),
    click.option("--namespace", metavar="NAME", help="Choose among the namespaces of one store."),
    click.option("--max-expand", metavar="BYTES", type=click.IntRange(1), help="Refuse what expands to more than this."),
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

    PATH is a docker save archive, an OCI layout, or a Docker data root: a folder, a .tar or a .tar.gz of it. IMAGE is
    a name, an ID, a digest, the beginning of one, or a container. Nothing is ever changed.

    Exit status: 0 all is well, 1 something is wrong with what was read, 2 it cannot be read or the call is wrong.
    """
    context.obj = as_json


@cli.command()
@click.argument("path")
@_options
def inspect(path: str, as_json: bool, **options: Any) -> int:
    """List the images and containers in PATH, and what is wrong with its documents."""
    facts = inspect_facts(_open(path, options), path)
    _print(facts, as_json, _inspect_text)
    return int(any(problem["severity"] == "error" for problem in facts["problems"]))


@cli.command()
@click.argument("path")
@click.argument("image", required=False)
@_options
def verify(path: str, image: str | None, as_json: bool, **options: Any) -> int:
    """Recompute every digest in PATH, or of one IMAGE, and report every mismatch."""
    database = _bolt_report(path, options) if image is None else None
    if database is not None:
        _print(report_facts(database), as_json, lambda facts: _report_text(facts, None))
        return int(not database.ok)
    store = _open(path, options)
    chosen = None
    if image is not None:
        target = _select(store, image, options)
        # An engine may have removed the image of a container that is still there.
        chosen = images_of(store, target) if isinstance(target, Container) else [target]
    with _Meter("read") as progress:
        report = validate(store, chosen, _limits(options), progress)
    count = len(store.images() if chosen is None else chosen)
    _print(report_facts(report), as_json, lambda facts: _report_text(facts, count))
    return int(not report.ok)


@cli.command()
@click.argument("path")
@click.argument("image")
@_options
def tree(path: str, image: str, as_json: bool, **options: Any) -> int:
    """Show the merged view of IMAGE in PATH: every file, and the layer that it comes from."""
    store = _open(path, options)
    target = _select(store, image, options)
    with _Meter("read") as progress:
        part = home(store, target)
        overlay, problems = overlay_of(target, part, LayerReader(part, _limits(options), progress=progress))
    report = Report(tuple(dict.fromkeys(problems)))
    if not report.ok:
        _print(report_facts(report), as_json, lambda facts: _report_text(facts, 1))
        return 1
    for problem in report.problems:
        click.echo(f"warning: {printable(str(problem))}", err=True)
    _print(dict(merged_entries(overlay)), as_json, _tree_text)
    return 0


def _open(path: str, options: dict[str, Any]) -> Any:
    from .readers.detect import open_store

    with _Meter("unpacked") as progress:
        return open_store(path, _limits(options), progress)


def _bolt_report(path: str, options: dict[str, Any]) -> Report | None:
    from .readers.opening import bolt_problems

    problems = bolt_problems(path, _limits(options))
    return None if problems is None else Report(problems)


def _limits(options: dict[str, Any]) -> Limits:
    limit = options.get("max_expand")
    return Limits(expanded=limit, free=limit) if limit else DEFAULT_LIMITS


def _select(store: Any, query: str, options: dict[str, Any]) -> Any:
    from .select import select

    return select(store, query, options.get("platform"), options.get("namespace"))


# for a person


def _inspect_text(facts: dict[str, Any]) -> str:
    rows = [("IMAGE ID", "NAMES", "PLATFORM", "LAYERS")]
    for image in facts["images"]:
        layers = "absent" if image["diff_ids"] is None else str(len(image["diff_ids"]))
        rows.append((image["id"].partition(":")[2][:12], ", ".join(image["names"]) or "(none)", image["platform"], layers))
    parts = [f"{printable(facts['path'])}: {facts['kind']}, {_count(facts['images'], 'image')}", _table(rows)]
    if facts["containers"]:
        rows = [("CONTAINER", "NAME", "IMAGE ID", "LOWER", "UPPER")]
        for item in facts["containers"]:
            image_id = item["image_id"].partition(":")[2][:12]
            rows.append((item["id"][:12], item["name"], image_id, str(len(item["lower"])), item["upper"][:12]))
        parts.append(_table(rows))
    if facts["unowned_directories"]:
        parts.append("owned by no image and no container: " + printable(", ".join(facts["unowned_directories"])))
    return "\n\n".join(part for part in (*parts, _problems_text(facts["problems"])) if part)


def _report_text(facts: dict[str, Any], images: int | None) -> str:
    """The report in words; `images` is None for a database that stands alone."""
    what = "all pages of this bolt database can be read" if images is None else f"all that was recomputed for {images} image{'s' * (images != 1)} fits"
    verdict = f"ok: {what}" if facts["ok"] else "not ok"
    skipped = [f"not checked: {printable(item['what'])}: {printable(item['why'])}" for item in facts["not_checked"]]
    return "\n".join(part for part in (_problems_text(facts["problems"]), *skipped, verdict) if part)


def _problems_text(problems: Sequence[dict[str, str]]) -> str:
    lines = []
    for problem in problems:
        lines.append(f"{problem['severity']}: {KINDS[problem['kind']][1]} [{problem['kind']}]")
        lines.append(f"    at {printable(problem['where'])}")
        if problem["expected"] or problem["found"]:
            lines.append(f"    expected {printable(problem['expected'] or 'nothing')}, found {printable(problem['found'] or 'nothing')}")
    return "\n".join(lines)


def _tree_text(entries: dict[str, Any]) -> str:
    rows = [("LAYER", "TYPE", "MODE", "OWNER", "SIZE", "PATH")]
    for path, item in entries.items():
        size = str(item.get("size", "")) or ":".join(map(str, item.get("rdev", "")))
        target = f" -> {item['target']}" if "target" in item else ""
        rows.append((str(item["layer"]), item["type"], item["mode"], f"{item['uid']}:{item['gid']}", size, path + target))
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return "\n".join("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]).rstrip() for row in rows)


def _count(items: Sequence[Any], word: str) -> str:
    return f"{len(items)} {word}{'s' * (len(items) != 1)}"


def _print(facts: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    try:
        click.echo(json.dumps(facts, indent=1) if as_json else text(facts))
    except BrokenPipeError:
        # Whoever reads, head or a pager, has seen enough. The exit status stays what it is.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class _Meter:
    """Says on standard error how much was read, when it takes long and a person is there to see it."""

    def __init__(self, verb: str) -> None:
        self._verb, self._total, self._next = verb, 0, time.monotonic() + 0.5
        self._shown = False

    def __enter__(self) -> Progress | None:
        return self._advance if sys.stderr.isatty() else None

    def _advance(self, count: int) -> None:
        self._total += count
        if time.monotonic() > self._next:
            self._next = time.monotonic() + 0.2
            self._shown = True
            click.echo(f"\r{self._verb} {self._total / 1e6:,.0f} MB", err=True, nl=False)

    def __exit__(self, *exc: object) -> None:
        if self._shown:
            click.echo("\r" + " " * 40 + "\r", err=True, nl=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; every refusal is a sentence, or with ``--json`` the form of ``verify``."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(arguments))


def run(arguments: list[str]) -> int:
    """Run the command line and give its exit status."""
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
        return _refuse(arguments, Problem("permission-denied", str(error.filename), "the right to read it (try sudo)", str(error.strerror)))
    except FileNotFoundError as error:
        return _refuse(arguments, Problem("changed-while-reading", str(error.filename), "a file", "nothing"))
    except OSError as error:
        # A disk or a network that fails while it is read.
        return _refuse(arguments, Problem("truncated", str(error.filename or "overlaylab"), "all of it", str(error.strerror or error)))


def _refuse(arguments: list[str], *problems: Problem) -> int:
    facts = report_facts(Report(problems))
    facts["ok"] = False
    if "--json" in arguments[: arguments.index("--") if "--" in arguments else None]:
        _print(facts, True, str)
    else:
        click.echo(_problems_text(facts["problems"]), err=True)
    return 2


if __name__ == "__main__":
    main()
