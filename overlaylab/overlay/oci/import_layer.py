"""From an image's layer to a lower directory, with deletions as overlayfs writes them.

An image says ``.wh.NAME`` and ``.wh..wh..opq``; an overlayfs layer holds a
character device 0:0 and the xattr ``trusted.overlay.opaque=y``. The kernel knows
only the second: a file called ``.wh.x`` in a lower directory is just a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from overlaylab.errors import Problem
from overlaylab.image.changeset import OPAQUE, Change, Changeset, Link, OpaqueWhiteout, Upsert, Whiteout
from overlaylab.overlay.lookup import Stack, names_of
from overlaylab.overlay.lookup_result import Part
from overlaylab.overlay.marked_lookup import ReadOnlyStack
from overlaylab.overlay.whiteouts import TRUSTED, is_opaque, is_whiteout
from overlaylab.tree import Device, Directory, Inode, find, parent_of, parts_of, whiteout


class Seeker:
    """Looks paths up in a stack that does not change: each directory on the way once, so that deep trees are quick too.

    Args:
        stack: What to look in.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._known: dict[str, tuple[Part, ...]] = {".": stack.root_parts}

    def __call__(self, path: str) -> Inode | None:
        """The inode that the stack shows at a path, or None."""
        names: list[str] = []
        while path not in self._known:
            path, _, name = path.rpartition("/")
            path = path or "."
            names.append(name)
        parts = self._known[path]
        for name in reversed(names):
            path = name if path == "." else f"{path}/{name}"
            parts = self._known[path] = self._stack.child(parts, name, path) if parts else ()
        return parts[0].inode if parts else None


Below = Callable[[str], Inode | None]


def to_lowerdir(changeset: Changeset, below: Below, where: str = "layer") -> tuple[Directory, tuple[Problem, ...]]:
    """Make the directory that an engine would unpack a layer into.

    Args:
        changeset: The layer's changes.
        below: Gives the inode that the layers beneath show at a path, or None.
        where: What to call the layer in findings.

    Returns:
        The layer as overlayfs wants it, and what was odd: ``no-op-whiteout``, ``opaque-root``, ``dangling-hardlink``.

    Spec:
        image-spec, layer.md, "Whiteouts". Kernel, section 18: a whiteout becomes a device (oci-01), an opaque marker
        an xattr wherever it stands among its siblings (oci-03); a whiteout never hides an entry of its own layer
        (oci-05); a whiteout and a directory of one name are an opaque directory (oci-06).
    """
    layer = _Layer(below, where)
    others: list[Change] = []
    for change in changeset.changes:
        if type(change) is Upsert:
            layer.put(change.path, change.inode)
        else:
            others.append(change)
    layer.link([change for change in others if isinstance(change, Link)])
    # From the top down, because below a name that is deleted there is nothing left to delete.
    for path in sorted(change.path for change in others if isinstance(change, Whiteout)):
        layer.white_out(path)
    # Last, since an opaque directory hides what is below it, and nothing of its own layer.
    for change in others:
        if isinstance(change, OpaqueWhiteout):
            layer.make_opaque(change.path)
    layer.clear_opaque()
    layer.count_links()
    return layer.root, tuple(layer.problems)


def to_lowerdirs(changesets: list[Changeset]) -> list[Directory]:
    """Translate a whole stack.

    Args:
        changesets: Bottom layer first.

    Returns:
        One directory per layer, bottom first; turn the order with `Overlay.of_layers`.
    """
    layers: list[Directory] = []
    for changeset in changesets:
        layers.append(to_lowerdir_on(layers, changeset)[0])
    return layers


def to_lowerdir_on(
    layers: Sequence[Directory], changeset: Changeset, where: str = "layer"
) -> tuple[Directory, tuple[Problem, ...]]:
    """See `to_lowerdir`; what is below are the layers that were made before, bottom first."""
    return to_lowerdir(changeset, Seeker(ReadOnlyStack(layers)), where)


class _Layer:
    """One layer's directory while it is being filled."""

    def __init__(self, below: Below, where: str) -> None:
        self._below, self._where = below, where
        root = below(".")
        self.root = _like(root) if isinstance(root, Directory) else Directory()
        self.problems: list[Problem] = []
        # The tables of directories that are filled already, by path.
        self._tables: dict[str, dict[str, Inode]] = {}
        self._copies: dict[str, Inode] = {}
        # Whether a directory was marked opaque: what is put has no marks.
        self._opaque = False

    def put(self, path: str, inode: Inode) -> None:
        """Put an inode, as a copy, because its link count is this layer's own."""
        if path == ".":
            self.root = _like(inode, self.root.names) if isinstance(inode, Directory) else self.root
            return
        parent, _, name = path.rpartition("/")
        names = self._tables.get(parent)
        if names is None:
            names = self._tables[parent] = self._directory(parent or ".").names
        if name in names or type(inode) is Directory:
            there = names.get(name)
            if isinstance(inode, Directory):
                inode = _like(inode, there.names if isinstance(there, Directory) else {})
            elif isinstance(there, Directory):
                # What was in it is gone.
                self._tables.clear()
        names[name] = inode

    def link(self, links: list[Link]) -> None:
        """Resolve hard links after all else is there: a link may stand before its target.

        Choice: a link to a file of a lower layer is a copy of that file here, as engines make it; two links to one
        file share the copy.
        """
        waiting = {link.path: link for link in links}
        for link in links:
            chain = []
            while (step := waiting.pop(link.path, None)) is not None:
                chain.append(step)
                link = Link(step.target, "")
            # The target first; a circle ends at a link whose target is not there.
            for step in reversed(chain):
                if not self._linked(step):
                    self._report("dangling-hardlink", step.path, f"a file at {step.target}", "nothing")

    def _linked(self, link: Link) -> bool:
        target = find(self.root, link.target) or self._below(link.target)
        if target is None or isinstance(target, Directory):
            return False
        if find(self.root, link.target) is None:
            target = self._copies.setdefault(link.target, _copy(target))
        self.put(link.path, target)
        return True

    def white_out(self, path: str) -> None:
        """Record a deletion, unless this layer puts something there itself."""
        closed, opaque = self._above(path)
        if closed is not None and not is_whiteout(closed):
            # umoci writes these for a directory that became a file. Docker refuses them.
            self._report("no-op-whiteout", path, "a directory above", f"a {closed.type}")
            return
        if opaque:
            # Nothing shines through there, and a whiteout would be listed as it is (wo-06).
            return
        if self._below(path) is None:
            self._report("no-op-whiteout", path, "a name below", "nothing")
        there = find(self.root, path)
        if isinstance(there, Directory):
            self._mark_opaque(there)
        elif there is None and closed is None:
            parent, name = parent_of(path)
            self._directory(parent).names[name] = whiteout()

    def _above(self, path: str) -> tuple[Inode | None, bool]:
        """What this layer has on the way to a path instead of a directory, and whether a directory there is opaque.

        In both cases nothing shows from below.
        """
        node: Inode = self.root
        opaque = False
        for name in parts_of(path)[:-1]:
            child = names_of(node).get(name)
            if child is None:
                break
            if not isinstance(child, Directory):
                return child, opaque
            opaque = opaque or is_opaque(child)
            node = child
        return None, opaque

    def make_opaque(self, path: str) -> None:
        """Mark a directory opaque; on a layer's root the kernel ignores that (wo-15, wo-16), as the finding says."""
        if path == ".":
            self.problems.append(
                Problem("opaque-root", self._where, "an opaque mark below the root", "one on the root")
            )
            return
        closed, _ = self._above(f"{path}/{OPAQUE}")
        if closed is None:
            self._mark_opaque(self._directory(path))
        elif not is_whiteout(closed):
            self._report("no-op-whiteout", f"{path}/{OPAQUE}", "a directory above", f"a {closed.type}")

    def _report(self, kind: str, path: str, expected: str, found: str) -> None:
        self.problems.append(Problem(kind, f"{self._where}: {path}", expected, found))

    def _mark_opaque(self, directory: Directory) -> None:
        self._opaque = True
        directory.xattrs = {**directory.xattrs, TRUSTED + "opaque": b"y"}

    def clear_opaque(self) -> None:
        """Take whiteouts out of opaque directories: nothing is merged there, so they would be listed (wo-06)."""
        waiting: list[tuple[Directory, bool]] = [(self.root, False)] if self._opaque else []
        while waiting:
            directory, opaque = waiting.pop()
            if opaque:
                directory.names = {name: child for name, child in directory.names.items() if not is_whiteout(child)}
            waiting += [
                (child, opaque or is_opaque(child))
                for child in directory.names.values()
                if isinstance(child, Directory)
            ]

    def _directory(self, path: str) -> Directory:
        """The directory at a path; where the archive left it out, with the attributes that it has below (oci-15)."""
        node = self.root
        names = parts_of(path)
        for number, name in enumerate(names):
            child = node.names.get(name)
            if not isinstance(child, Directory):
                lower = self._below("/".join(names[: number + 1]))
                child = node.names[name] = _like(lower) if isinstance(lower, Directory) else Directory()
            node = child
        return node

    def count_links(self) -> None:
        """Give every inode the number of names that it has in this layer."""
        files: list[Inode] = []
        waiting: list[Inode] = [self.root]
        while waiting:
            for inode in names_of(waiting.pop()).values():
                kind = type(inode)
                if kind is Directory:
                    waiting.append(inode)
                elif kind is not Device:
                    files.append(inode)
        # Most layers have no hard links, and the numbers are right already.
        if len(set(map(id, files))) == len(files) and {inode.nlink for inode in files} <= {1}:
            return
        count = Counter(map(id, files))
        for inode in files:
            inode.nlink = count[id(inode)]


def _like(directory: Directory, names: dict[str, Inode] | None = None) -> Directory:
    """A directory with the same attributes, without overlay marks."""
    return Directory(
        mode=directory.mode,
        uid=directory.uid,
        gid=directory.gid,
        mtime_ns=directory.mtime_ns,
        xattrs={key: value for key, value in directory.xattrs.items() if not key.startswith(TRUSTED)},
        names={} if names is None else names,
    )


def _copy(inode: Inode) -> Inode:
    """The same inode once more, with one name."""
    return type(inode)(
        **{name: getattr(inode, name) for cls in type(inode).__mro__ for name in getattr(cls, "__slots__", ())}
        | {"nlink": 1}
    )
