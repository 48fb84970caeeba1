"""Compare a layer's directory with the layer's tar: names, types, modes, sizes, contents and deletions.

Docker and containers-storage keep tar-split data, which proves the contents of the files; containerd keeps the blob at
best. The tar says much more: which names there are, of which type, and what is deleted. Owners, times and attributes
are not compared, because rootless engines and copies change them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from overlaylab.errors import Problem
from overlaylab.image.changeset import Changeset, Link, OpaqueWhiteout, Upsert, Whiteout
from overlaylab.overlay.whiteouts import is_opaque, is_whiteout
from overlaylab.stores.store import NotChecked
from overlaylab.tree import Device, Directory, File, Inode, Symlink, find, parent_of, walk

# Differences that are reported of one directory: the wrong directory differs in every file.
MOST = 100


@dataclass(slots=True)
class LostMarks:
    """Device nodes and opaque xattrs that layers have, and their directories do not.

    A copy of a store that was made without device nodes has lost all whiteouts, and one without extended attributes all
    opaque xattrs: then deletions cannot be checked. Where others of the kind exist, a missing one is damage.

    Args:
        nodes: Path of a missing node -> what it should be: a device or a whiteout.
        opaque: Path of a directory without its opaque xattr -> what it should have.
        kinds: What exists in some directory: ``nodes``, ``opaque``.
    """

    nodes: dict[str, str] = field(default_factory=dict)
    opaque: dict[str, str] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)

    def problems(self) -> Iterator[Problem]:
        """What is missing although others of its kind exist."""
        for kind, places in (("nodes", self.nodes), ("opaque", self.opaque)):
            for place, expected in list(places.items())[:MOST] if kind in self.kinds else ():
                yield Problem("diffid-mismatch", place, f"{expected}, as the layer's tar says", "none")

    def not_checked(self) -> Iterator[NotChecked]:
        """The kinds that a copy has lost."""
        if self.nodes and "nodes" not in self.kinds:
            place, expected = next(iter(self.nodes.items()))
            why = "no folder here has a device node: copied or unpacked without them"
            yield NotChecked(f"deletions and devices, such as {expected} at {place}", why)
        if self.opaque and "opaque" not in self.kinds:
            why = (
                "no folder here has an opaque mark: "
                "packed without tar --xattrs --xattrs-include='*', or read without root"
            )
            yield NotChecked(f"opaque directories, such as {next(iter(self.opaque))}", why)


def directory_problems(
    changeset: Changeset, directory: Directory, where: str, marks: str, lost: LostMarks
) -> list[Problem]:
    """Compare a layer's directory with what its tar says.

    Args:
        changeset: Of the layer's tar.
        directory: The directory that an engine unpacked it into; the attributes of its root are not compared.
        where: What findings call the directory.
        marks: The namespace of the overlay xattrs.
        lost: Collects missing nodes and xattrs.

    Returns:
        ``diffid-mismatch`` for what differs, ``missing-content`` for what is missing; nothing for a changeset with
        errors, which engines treat differently.

    Spec:
        image-spec, layer.md, "Applying Changesets". Kernel: an opaque directory hides what whiteouts in it
        would hide.
    """
    if any(problem.severity == "error" for problem in changeset.problems):
        return []
    expected = _Expected(changeset)
    problems: list[Problem] = []
    there: set[str] = set()
    for path, inode in walk(directory):
        there.add(path)
        if path != "." and (found := expected.difference(path, inode, directory, marks)):
            problems.append(Problem("diffid-mismatch", f"{where}/{path}", *found))
    for path, entry in expected.puts.items():
        if path in there or path == ".":
            continue
        if isinstance(expected.puts.get(entry.target) if isinstance(entry, Link) else entry, Device):
            lost.nodes[f"{where}/{path}"] = "a device"
        else:
            missing = _look(entry) if isinstance(entry, Inode) else "a hard link"
            problems.append(Problem("missing-content", f"{where}/{path}", missing, "nothing"))
    _note_deletions(expected, directory, where, marks, lost)
    return problems[:MOST]


def whole_directory_problems(expected: Directory, directory: Directory, where: str, lost: LostMarks) -> list[Problem]:
    """Compare a directory that holds a whole file system with the merged view of the layers up to its own.

    Args:
        expected: The merged view.
        directory: The directory in the store; the attributes of its root are not compared.
        where: What findings call the directory.
        lost: Collects missing device nodes.

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
            problems.append(Problem("diffid-mismatch", place, *_differing(merged[path], there[path])))
    return problems[:MOST]


class _Expected:
    """What a tar says that a directory should hold, by path."""

    def __init__(self, changeset: Changeset) -> None:
        # Of two entries with one path the later one counts.
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
        """Note the directories above a path: a tar need not have entries for them."""
        above, _ = parent_of(path)
        while above != "." and above not in self._above:
            self._above.add(above)
            above, _ = parent_of(above)

    def difference(self, path: str, inode: Inode, directory: Directory, marks: str) -> tuple[str, str] | None:
        """What should be at a path of the directory, and what is; None if these are the same."""
        if is_whiteout(inode, marks):
            return None if path in self.deleted or path in self.puts else ("nothing", "a whiteout")
        expected = self.puts.get(path)
        if expected is None:
            return None if isinstance(inode, Directory) and path in self._above else ("nothing", _look(inode))
        if isinstance(expected, Link):
            # A target that is not in this layer is a file of a lower one, of which nothing is known here.
            target = find(directory, expected.target)
            return None if target is None or _look(target) == _look(inode) else _differing(target, inode)
        if marks + "metacopy" in inode.xattrs or _look(expected) == _look(inode):
            return None
        return _differing(expected, inode)


def _look(inode: Inode) -> str:
    """Describe what is compared of an inode."""
    match inode:
        case File():
            return f"a file of {', '.join(_facts(inode))}"
        case Symlink():
            return f"a symlink to {inode.target}"
        case Device():
            return f"a {inode.kind} device {inode.rdev[0]}:{inode.rdev[1]} of mode {inode.mode:04o}"
    return f"a {inode.type} of mode {inode.mode:04o}"


def _facts(file: File) -> tuple[str, str, str]:
    """Describe what is compared of a file, fact by fact."""
    return f"mode {file.mode:04o}", f"{file.size} bytes", f"content sha256:{file.sha256}"


def _differing(expected: Inode, actual: Inode) -> tuple[str, str]:
    """Describe two inodes that differ; of two files only the facts that differ, since long texts are cut off."""
    if not (isinstance(expected, File) and isinstance(actual, File)):
        return _look(expected), _look(actual)
    pairs = [pair for pair in zip(_facts(expected), _facts(actual), strict=True) if pair[0] != pair[1]]
    return ", ".join(one for one, _ in pairs), ", ".join(other for _, other in pairs)


def _note_deletions(expected: _Expected, directory: Directory, where: str, marks: str, lost: LostMarks) -> None:
    """Note which kinds of nodes and opaque xattrs a directory has, and which of its own are missing."""
    closed = _Closed(directory, marks)
    for _, inode in walk(directory):
        lost.kinds |= {"nodes"} if isinstance(inode, Device) else {"opaque"} if is_opaque(inode, marks) else set()
    for path in sorted(expected.deleted - expected.puts.keys()):
        there = find(directory, path)
        if there is None and not closed.above(path):
            lost.nodes[f"{where}/{path}"] = "a whiteout"
    for path in sorted(expected.opaque - {"."}):
        there = find(directory, path)
        if isinstance(there, Directory) and not is_opaque(there, marks) and not closed.above(path):
            lost.opaque[f"{where}/{path}"] = "an opaque mark"


class _Closed:
    """Which directories of a layer show nothing of lower layers, so that deletions in them have no effect."""

    def __init__(self, directory: Directory, marks: str) -> None:
        self._directory, self._marks = directory, marks
        self._known: dict[str, bool] = {".": False}

    def above(self, path: str) -> bool:
        """Whether a path lies in an opaque directory, or below something that is no directory."""
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
