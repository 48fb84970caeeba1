"""From an upper directory to a changeset, with deletions as an image writes them: the commit of a container."""

from __future__ import annotations

from dataclasses import replace

from overlaylab.errors import Finding
from overlaylab.image.changeset import MARKS, PREFIX, Change, Changeset, Link, OpaqueWhiteout, Upsert, Whiteout
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.whiteouts import TRUSTED, is_opaque, is_whiteout
from overlaylab.tree import Directory, File, Inode, Socket, parent_of


def to_changeset(upper: Directory, overlay: Overlay | None = None, marks: str = TRUSTED) -> Changeset:
    """Say in an archive's terms what an upper directory changed: the commit of a container.

    Names are sorted. Whiteouts come before their siblings, a hard link after the name that it links to.

    Args:
        upper: The upper directory. It is not changed.
        overlay: The overlay that it belongs to; with it, redirects, metadata without data, and lower hard links
            that index=on keeps together are written out in full, since an archive has no words for them.
        marks: The namespace of its marks.

    Raises:
        Finding: ``unsupported-mark`` for a redirect or metacopy xattr without an `overlay`, or one that cannot be
            followed; ``bad-whiteout`` for a name that an archive would read as a whiteout.

    Spec:
        image-spec, layer.md, "Whiteouts"; overlay vectors oci-23 to oci-31. The root is a member if it is not as
        new roots are. Choice: sockets have no form in an archive and are left out, as engines do.
    """
    export = _Export(overlay, overlay.marks if overlay is not None else marks)
    if _plain(upper) != Directory():
        export.changes.append(Upsert(".", _plain(upper)))
    export.directory("", upper)
    if overlay is not None and overlay.index:
        export.partners(overlay)
    return Changeset(tuple(export.changes))


class _Export:
    """The changes of an upper directory while they are being collected."""

    def __init__(self, overlay: Overlay | None, marks: str) -> None:
        self._overlay, self._marks = overlay, marks
        self._first: dict[int, str] = {}
        self.changes: list[Change] = []

    def directory(self, prefix: str, upper: Directory) -> None:
        """The content of an upper directory: what it deletes, then what it puts."""
        if prefix and is_opaque(upper, self._marks):
            self.changes.append(OpaqueWhiteout(prefix[:-1]))
        gone = {name for name, inode in upper.names.items() if is_whiteout(inode, self._marks)}
        self.changes += [Whiteout(_sayable(prefix + name)) for name in sorted(gone)]
        for name in sorted(set(upper.names) - gone):
            self._entry(prefix + name, upper.names[name])

    def _entry(self, path: str, inode: Inode) -> None:
        if self._points_below(inode):
            if self._overlay is None:
                raise Finding("unsupported-mark", path, "what an archive can say", "redirect or metacopy")
            self._whole(path, self._overlay)
        elif self._put(path, inode, inode) and isinstance(inode, Directory):
            self.directory(path + "/", inode)

    def _points_below(self, inode: Inode) -> bool:
        """Whether an object is completed by a lower one under another name: no archive can say that (oci-29)."""
        if isinstance(inode, Directory):
            return self._marks + "redirect" in inode.xattrs and not is_opaque(inode, self._marks)
        return isinstance(inode, File) and self._marks + "metacopy" in inode.xattrs

    def _put(self, path: str, inode: Inode, shown: Inode) -> bool:
        """Write an inode, or a link to its first name."""
        if isinstance(inode, Socket):
            return False
        _sayable(path)
        first = self._first.setdefault(id(inode), path)
        if first != path and not isinstance(inode, Directory):
            self.changes.append(Link(path, first))
        else:
            self.changes.append(Upsert(path, _plain(shown)))
        return True

    def _whole(self, path: str, overlay: Overlay) -> None:
        """Write out what the merged view shows, hiding all that is below."""
        parts = overlay.lookup(path).parts
        if not parts:
            # Listed and yet not there (rm-14): nobody can see it.
            return
        shown = parts[0].inode
        if isinstance(shown, File) and overlay.marks + "metacopy" in shown.xattrs:
            data = parts[-1].inode
            if data is shown or not isinstance(data, File):
                raise Finding("missing-content", path, "the content of the file", "metadata alone")
            shown = replace(shown, data=data.data, size=data.size, sha256=data.sha256)
        if not self._put(path, parts[0].inode, shown) or not isinstance(shown, Directory):
            return
        self.changes.append(OpaqueWhiteout(path))
        for name in overlay.readdir(path):
            self._whole(f"{path}/{name}", overlay)

    def partners(self, overlay: Overlay) -> None:
        """Write the lower names that show a copy although it has no name there: what index=on does (ln-11)."""
        upper = len(overlay.lowerdirs)
        for path, parts in overlay.walk():
            copy = None if parts[0].layer == upper else overlay.index.get(overlay.numbers.of(parts[0].inode))
            if copy is not None and not isinstance(copy, Directory):
                self._put(path, copy, copy)


def _sayable(path: str) -> str:
    """Refuse a name that stands for something else in an archive."""
    if parent_of(path)[1].startswith(PREFIX):
        raise Finding("bad-whiteout", path, f"a name that does not begin with {PREFIX}", parent_of(path)[1])
    return path


def _plain(inode: Inode) -> Inode:
    """A copy of an inode without marks, names and link count."""
    xattrs = {key: value for key, value in inode.xattrs.items() if not key.startswith(MARKS)}
    if isinstance(inode, Directory):
        return replace(inode, xattrs=xattrs, names={}, nlink=1)
    return replace(inode, xattrs=xattrs, nlink=1)
