"""Proofs of the model as tables: the kernel's and the model's results, what is compared and what cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overlaylab.errors import Finding
from overlaylab.image.changeset import flatten
from overlaylab.kernel.proof import Proof
from overlaylab.linux.operations import Op, Player
from overlaylab.linux.proof.compare import COMPARED, NOT_COMPARED, comparable
from overlaylab.linux.proof.coverage import PLACES
from overlaylab.linux.proof.experiments import Experiment, Moment, Parting, experiment
from overlaylab.linux.proof.replay_vectors import mismatch, outcomes, run_ordinary
from overlaylab.linux.proof.vectors import raw
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.whiteouts import is_opaque, is_whiteout
from overlaylab.stores.shipped_files import recorded_experiments
from overlaylab.tree import Directory, File, Inode, entry, walk
from overlaylab.views.kit.tables import table
from overlaylab.words import printable, say


def op_text(operation: Op) -> str:
    """An operation as a line: the call, its paths, and its other arguments."""
    words = [operation.call]
    for name, value in operation.args.items():
        match value:
            case 0 | False if name in ("flags", "follow_symlinks"):
                continue
            case tuple() if name == "ns":
                words.append(say("believe.time", seconds=value[1] // 10**9))
            case bytes():
                words.append(repr(value.decode("utf-8", "replace")))
            case int() if name == "mode":
                words.append(f"{value:04o}")
            case str():
                words.append(value)
            case _:
                words.append(f"{name}={value}")
    words += [say("believe.by", uid=operation.uid)] if operation.uid else []
    return printable(" ".join(words))


def result_text(value: Any) -> str:
    """A result in short: an errno, names, text, or fields of a stat."""
    match value:
        case None:
            return say("believe.works")
        case []:
            return say("believe.nothing")
        case list():
            return printable(" ".join(map(str, value)))
        case Mapping():
            return say("believe.stat", **{key: value[key] for key in ("type", "mode", "uid", "nlink")})
        case bytes():
            return repr(value.decode("utf-8", "replace"))
        case tuple():
            return " ".join(
                f"{name.removeprefix('st_')}={oct(number) if name == 'st_mode' else number}" for name, number in value
            )
    return printable(str(value))


def entry_text(item: Mapping[str, Any] | None) -> str:
    """One entry of a listing in short."""
    if item is None:
        return say("believe.absent")
    if "mode" not in item:
        return f"{item['type']} {item.get('errno', '')}".strip()
    words = [item["type"], item["mode"], say("believe.links", count=item["nlink"])]
    if "content" in item:
        content = item["content"]
        words.append(repr(content.decode("utf-8", "replace") if isinstance(content, bytes) else content))
    words += [name.removeprefix("trusted.overlay.") for name in item["xattrs"]]
    return ", ".join(words)


def layers_text(given: Experiment) -> str:
    """The lower layers of an experiment, the topmost first."""
    lines = []
    for number, lower in enumerate(given.overlay().lowerdirs, start=1):
        names = ", ".join(_name_text(path, inode) for path, inode in walk(lower) if path != ".")
        lines.append(f"{say('overlay.lower', number=number)}: {names or say('believe.nothing')}")
    return "\n".join(lines)


def _name_text(path: str, inode: Inode) -> str:
    """A path of a layer, with what is special about its inode."""
    if is_whiteout(inode):
        return f"{path} ({say('palette.whiteout')})"
    if isinstance(inode, Directory):
        return f"{path}/" + (f" ({say('palette.opaque')})" if is_opaque(inode) else "")
    words = [inode.type] if not isinstance(inode, File) else []
    words += [say("believe.links", count=inode.nlink)] if inode.nlink > 1 else []
    return path + (f" ({', '.join(words)})" if words else "")


def recorded_list() -> Any:
    """All recorded experiments of the kit: the number of operations of each, and what differs."""
    columns = ("", *(say(f"believe.column.{key}") for key in ("about", "operations", "differs")))
    vectors = recorded_experiments().items()
    return table(columns, [(name, vector["title"], len(vector["ops"]), mismatch(vector)) for name, vector in vectors])


def recorded_table(name: str) -> Any:
    """One recorded experiment: the kernel's and the model's result of each operation, and then the upper on disk.

    Raises:
        Finding: ``wrong-call`` if there is no such experiment.
    """
    known = recorded_experiments()
    if name not in known:
        raise Finding("wrong-call", "experiment", ", ".join(known), name)
    vector = known[name]
    rows = [
        (_record_text(record), result_text(kernel), result_text(model))
        for record, (kernel, model) in zip(vector["ops"], outcomes(vector), strict=True)
    ]
    system = run_ordinary(vector, 3, name)
    upper = system.cwd.fs.upperdir if system is not None and isinstance(system.cwd.fs, Overlay) else None
    kernel, model = _upper_text(vector["expected"]["upper"]), _upper_text(raw(upper or Directory())[0])
    rows.append((say("believe.upper"), kernel, model))
    return table(("", say("believe.column.kernel"), say("believe.column.model")), rows)


def _record_text(record: Mapping[str, Any]) -> str:
    """A recorded operation: its name, and its arguments."""
    words = [
        " ".join(value) if isinstance(value, list) else str(value) for name, value in record.items() if name != "as"
    ]
    return printable(" ".join(words + ([say("believe.by", uid=record["as"]["uid"])] if "as" in record else [])))


def _upper_text(items: Sequence[Mapping[str, Any]]) -> str:
    """The paths of an upper, each with its overlay xattrs."""
    words = []
    for item in items:
        namespace = "trusted.overlay."
        marks = sorted(name.removeprefix(namespace) for name in item.get("xattrs", {}) if name.startswith(namespace))
        if item["type"] == "whiteout":
            marks = ["whiteout"]
        if item["path"] != ".":
            words.append(item["path"] + (f" ({', '.join(marks)})" if marks else ""))
    return ", ".join(words) or say("believe.nothing")


def experiment_table(number: int, most: int | None = None) -> Any:
    """One generated experiment: its operations, the model's results, and the effects on the upper.

    Args:
        number: From 1.
        most: The number of operations that are shown; all if None.
    """
    given = experiment(number - 1)
    player = Player(given.overlay(), given.ops[:most])
    rows = []
    for position, step in enumerate(player.steps, start=1):
        result, effects = result_text(step.error or comparable(step.value)), "; ".join(map(str, step.effects))
        rows.append((f"{position}. {op_text(step.op)}", result, effects))
    return table(("", say("believe.column.model"), say("believe.column.effects")), rows)


def places_table(proof: Proof) -> Any:
    """The places in the model that a proof should reach, and how often it reached each."""
    rows = [(say(f"believe.place.{place.replace(' ', '-')}"), proof.labels.counts[place]) for place in PLACES]
    return table(("", say("believe.column.times")), rows)


def two_sides(parting: Parting) -> tuple[str, str, str]:
    """Where two models differ: what is looked at, the right model's result, the wrong model's result."""
    if parting.what == "answer":
        right, wrong = (result_text(moment.error or moment.value) for moment in (parting.right, parting.wrong))
        return say("believe.answer"), right, wrong
    if parting.what == "lowers":
        return say("believe.lowers"), str(parting.right.lowers), str(parting.wrong.lowers)
    path = parting.difference.partition(": ")[0]
    right, wrong = (entry_text(_at(moment, parting.what, path)) for moment in (parting.right, parting.wrong))
    return say(f"believe.in_{parting.what}", path=path), right, wrong


def _at(moment: Moment, what: str, path: str) -> Mapping[str, Any] | None:
    return next((item for item in getattr(moment, what) if item["path"] == path), None)


def compared_table() -> Any:
    """The facts that are compared between two filesystems."""
    return table(("", say("believe.column.means")), list(COMPARED.items()))


def not_compared_table() -> Any:
    """The facts that cannot be equal, and why."""
    return table(("", say("believe.column.why")), list(NOT_COMPARED.items()))


def road_differences(changesets: Sequence[Any], overlay: Overlay) -> tuple[str, ...]:
    """The paths at which flattening by the image's rules and stacking by the kernel's differ; link counts do not count.

    Args:
        changesets: Bottom layer first.
        overlay: The same layers, stacked.
    """
    flat, stacked = _entries(flatten(changesets), overlay.marks), _entries(overlay.merged(), overlay.marks)
    return tuple(path for path in sorted({*flat, *stacked}) if flat.get(path) != stacked.get(path))


def _entries(root: Directory, marks: str) -> dict[str, Any]:
    return {
        path: {key: value for key, value in entry(inode, marks).items() if key != "nlink"} for path, inode in walk(root)
    }
