"""Is a directory what its layer's tar says? Names, types, modes, sizes, contents and deletions, compared one by one.

Docker and containers-storage keep a recipe for the tar, and that proves the contents of the files; containerd keeps
the blob at best. The tar says much more: which names there are, what they are, and what is deleted. Owners, times and
attributes are left out, because engines without root, and copies, change them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from overlaylab.errors import Problem
from overlaylab.image.changeset import Changeset, Link, OpaqueWhiteout, Upsert, Whiteout
from overlaylab.overlay.whiteouts import is_opaque, is_whiteout
from overlaylab.stores.store import NotChecked
from overlaylab.tree import Device, Directory, File, Inode, Symlink, find, parent_of, walk

__all__ = ["LostMarks", "directory_problems", "whole_directory_problems"]

# A directory that is another layer's altogether need not be told file by file.
MOST = 100


@dataclass(slots=True)
class LostMarks:
    """Device nodes and opaque marks that layers have, and their directories do not.

    A copy that was made without device nodes has no whiteout either, and one without extended attributes no opaque
    mark. Then nothing can be said about deletions; where others of the kind are there, the one that is not is damage.

    Args:
        nodes: Place and expected look of nodes that are not there, whiteouts among them.
        opaque: Places of opaque marks that are not there.
        kinds: What was seen: ``nodes``, ``opaque``.
    """

    nodes: dict[str, str] = field(default_factory=dict)
    opaque: dict[str, str] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)

    def problems(self) -> Iterator[Problem]:
        """What is missing among others of its kind."""
        for kind, places in (("nodes", self.nodes), ("opaque", self.opaque)):
            for place, expected in list(places.items())[:MOST] if kind in self.kinds else ():
                yield Problem("diffid-mismatch", place, f"{expected}, as the layer's tar says", "none")

    def not_checked(self) -> Iterator[NotChecked]:
        """Kinds that a copy has lost."""
        if self.nodes and "nodes" not in self.kinds:
            place, expected = next(iter(self.nodes.items()))
            yield NotChecked(
                f"deletions and devices, such as {expected} at {place}",
                "no folder here has a device node: copied or unpacked without them",
            )
        if self.opaque and "opaque" not in self.kinds:
            why = "no folder here has an opaque mark: packed without tar --xattrs --xattrs-include='*', or read without root"
            yield NotChecked(f"opaque directories, such as {next(iter(self.opaque))}", why)


def directory_problems(
    changeset: Changeset, directory: Directory, where: str, marks: str, lost: LostMarks
) -> list[Problem]:
    """Compare a layer's directory with what its tar says.

    Args:
        changeset: Of the layer's tar.
        directory: The directory that an engine unpacked it into; what the root itself is like does not count.
        where: What to call the directory in findings.
        marks: The namespace of overlay marks.
        lost: Gets the marks that are not there.

    Returns:
        ``diffid-mismatch`` for what differs, ``missing-content`` for what is not there; none for a changeset with
        errors, of which engines make what they like.

    Spec:
        image-spec, layer.md, "Applying Changesets". Kernel: an opaque mark hides what a whiteout beneath it would.
    """
    if any(problem.severity == "error" for problem in changeset.problems):
        return []
    told = _Told(changeset)
    problems: list[Problem] = []
    there: set[str] = set()
    for path, inode in walk(directory):
        there.add(path)
        if path != "." and (found := told.difference(path, inode, directory, marks)):
            problems.append(Problem("diffid-mismatch", f"{where}/{path}", *found))
    for path, inode in told.puts.items():
        if path in there or path == ".":
            continue
        if isinstance(inode, Device) or (isinstance(inode, Link) and isinstance(told.puts.get(inode.target), Device)):
            lost.nodes[f"{where}/{path}"] = "a device"
        else:
            problems.append(
                Problem(
                    "missing-content",
                    f"{where}/{path}",
                    _look(inode) if isinstance(inode, Inode) else "a hard link",
                    "nothing",
                )
            )
    _note_marks(told, directory, where, marks, lost)
    return problems[:MOST]


def whole_directory_problems(expected: Directory, directory: Directory, where: str, lost: LostMarks) -> list[Problem]:
    """Compare a directory that holds a whole file system with the merged view of the layers up to its own.

    Args:
        expected: The merged view.
        directory: What lies in the store; what its root itself is like does not count.
        where: What to call the directory in findings.
        lost: Gets the device nodes that are missing.

    Returns:
        See `directory_problems`.
    """
    merged, there = dict(walk(expected)), dict(walk(directory))
    problems: list[Problem] = []
    if any(isinstance(inode, Device) for inode in there.values()):
        lost.kinds.add("nodes")
    for path in sorted((merged.keys() | there.keys()) - {"."}):
        place = f"{where}/{path}"
        if path not in merged:
            problems.append(Problem("diffid-mismatch", place, "nothing", _look(there[path])))
        elif path not in there and isinstance(merged[path], Device):
            lost.nodes[place] = "a device"
        elif path not in there:
            problems.append(Problem("missing-content", place, _look(merged[path]), "nothing"))
        elif _look(merged[path]) != _look(there[path]):
            problems.append(Problem("diffid-mismatch", place, *_apart(merged[path], there[path])))
    return problems[:MOST]


class _Told:
    """What a tar says, by path.

    Args:
        puts: What it puts; of two entries the later one.
    """

    def __init__(self, changeset: Changeset) -> None:
        self.puts: dict[str, Inode | Link] = {}
        self.deleted: set[str] = set()
        self.opaque: set[str] = set()
        self._above: set[str] = set()
        for change in changeset.changes:
            match change:
                case Upsert():
                    self.puts[change.path] = change.inode
                case Link():
                    self.puts[change.path] = change
                case Whiteout():
                    self.deleted.add(change.path)
                case OpaqueWhiteout():
                    self.opaque.add(change.path)
                    self._above.add(change.path)
            self._note_above(change.path)

    def _note_above(self, path: str) -> None:
        """Directories that a tar need not name: something in them is named."""
        above, _ = parent_of(path)
        while above != "." and above not in self._above:
            self._above.add(above)
            above, _ = parent_of(above)

    def difference(self, path: str, inode: Inode, directory: Directory, marks: str) -> tuple[str, str] | None:
        """What should be at a path of the directory, and what is, if these are not the same."""
        if is_whiteout(inode, marks):
            return None if path in self.deleted or path in self.puts else ("nothing", "a whiteout")
        told = self.puts.get(path)
        if told is None:
            return None if isinstance(inode, Directory) and path in self._above else ("nothing", _look(inode))
        if isinstance(told, Link):
            # Of this layer, or a copy of a lower file: then nothing is known here.
            target = find(directory, told.target)
            return None if target is None or _look(target) == _look(inode) else _apart(target, inode)
        if marks + "metacopy" in inode.xattrs or _look(told) == _look(inode):
            return None
        return _apart(told, inode)


def _look(inode: Inode) -> str:
    """What is compared of an inode, in words."""
    match inode:
        case File():
            return f"a file of {', '.join(_facts(inode))}"
        case Symlink():
            return f"a symlink to {inode.target}"
        case Device():
            return f"a {inode.kind} device {inode.rdev[0]}:{inode.rdev[1]} of mode {inode.mode:04o}"
    return f"a {inode.type} of mode {inode.mode:04o}"


def _facts(file: File) -> tuple[str, str, str]:
    """What is compared of a file, one by one."""
    return f"mode {file.mode:04o}", f"{file.size} bytes", f"content sha256:{file.sha256}"


def _apart(told: Inode, there: Inode) -> tuple[str, str]:
    """Two inodes that differ, in words; of two files only the facts that differ, so that these are not cut off where room is short."""
    if not (isinstance(told, File) and isinstance(there, File)):
        return _look(told), _look(there)
    apart = [pair for pair in zip(_facts(told), _facts(there)) if pair[0] != pair[1]]
    return ", ".join(one for one, _ in apart), ", ".join(other for _, other in apart)


def _note_marks(told: _Told, directory: Directory, where: str, marks: str, lost: LostMarks) -> None:
    """Note which kinds of marks a directory has, and which of those that it should have it does not."""
    closed = _Closed(directory, marks)
    for _, inode in walk(directory):
        lost.kinds |= {"nodes"} if isinstance(inode, Device) else {"opaque"} if is_opaque(inode, marks) else set()
    for path in sorted(told.deleted - told.puts.keys()):
        there = find(directory, path)
        if there is None and not closed.above(path):
            lost.nodes[f"{where}/{path}"] = "a whiteout"
    for path in sorted(told.opaque - {"."}):
        there = find(directory, path)
        if isinstance(there, Directory) and not is_opaque(there, marks) and not closed.above(path):
            lost.opaque[f"{where}/{path}"] = "an opaque mark"


class _Closed:
    """Which directories of a directory show nothing from below, so that marks beneath them say nothing."""

    def __init__(self, directory: Directory, marks: str) -> None:
        self._directory, self._marks = directory, marks
        self._known: dict[str, bool] = {".": False}

    def above(self, path: str) -> bool:
        """Whether a directory on the way to a path is opaque, or none."""
        walked = []
        above, _ = parent_of(path)
        while above not in self._known:
            walked.append(above)
            above, _ = parent_of(above)
        closed = self._known[above]
        for step in reversed(walked):
            there = find(self._directory, step) if not closed else None
            closed = self._known[step] = closed or (
                there is not None and (not isinstance(there, Directory) or is_opaque(there, self._marks))
            )
        return closed
