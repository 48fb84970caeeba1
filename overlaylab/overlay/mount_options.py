"""The options of an overlay mount as one writes them: made, read back, and put into a command.

How their text is escaped, and how the kernel judges them, stands in `mount_parameters`.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from overlaylab.errors import Finding

from .features import Features
from .mount_parameters import MOST_LOWERS, PAGE, VALUES, Parsed, escaped, parse_data, split_options

TARGET = "/mnt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """The directories of an overlay, and how they are written.

    Args:
        lowerdir: Paths, **topmost first**, as in the options.
        upperdir: None for a read-only mount of an image.
        workdir: None without an upper.
        userxattr: Whether marks are ``user.overlay.*``, as for mounts without root.
        start: The directory that relative paths count from; empty if all are absolute.
    """

    lowerdir: tuple[str, ...]
    upperdir: str | None = None
    workdir: str | None = None
    userxattr: bool = False
    start: str = ""

    @classmethod
    def at(
        cls, base: str, lower: Sequence[str], upper: str | None = None, work: str | None = None, userxattr: bool = False
    ) -> Mount:
        """A mount whose names are relative to `base`; `lower` is topmost first."""
        paths = tuple(f"{base}/{name}" for name in lower)
        upper, work = upper and f"{base}/{upper}", work and f"{base}/{work}"
        return cls(lowerdir=paths, upperdir=upper, workdir=work, userxattr=userxattr)

    @classmethod
    def of(cls, options: MountOptions, base: str) -> Mount:
        """A mount with these options; relative paths count from `base`."""
        given = {name: getattr(options, name) for name in ("upperdir", "workdir", "userxattr")}
        return cls(lowerdir=options.lowerdirs, start="" if options.lowerdirs[0].startswith("/") else base, **given)

    def relative(self, base: str, names: Sequence[str] = (), upper_too: bool = True) -> Mount:
        """The same mount made from within `base`: shorter, so that many lowers fit into a page.

        Args:
            base: The directory to change into.
            names: Other names of the lowers, topmost first; by default their paths from `base` on.
            upper_too: Whether upper and work are shortened as well.
        """

        def cut(path: str | None) -> str | None:
            return path and path.removeprefix(base + "/")

        lower = tuple(names) or tuple(path.removeprefix(base + "/") for path in self.lowerdir)
        made = replace(self, lowerdir=lower, start=base)
        return replace(made, upperdir=cut(self.upperdir), workdir=cut(self.workdir)) if upper_too else made

    @property
    def is_bind(self) -> bool:
        """One layer and nothing to write to: overlayfs wants two lowers then, so engines bind the directory."""
        return len(self.lowerdir) == 1 and self.upperdir is None

    @property
    def options(self) -> str:
        """The option text, see `MountOptions.text`; empty without a lower: the kernel refuses such a mount."""
        if not self.lowerdir:
            return ""
        if self.is_bind:
            return "ro,bind"
        given = {name: getattr(self, name) for name in ("upperdir", "workdir", "userxattr")}
        return MountOptions(lowerdirs=self.lowerdir, **given).text()

    @property
    def command(self) -> str:
        """What a person types, as root, to see the same."""
        if not self.lowerdir:
            return ""
        source = shlex.quote(self.lowerdir[0]) if self.is_bind else "-t overlay overlay"
        text = f"mount {source} -o {shlex.quote(self.options)} {TARGET}"
        return f"cd {shlex.quote(self.start)} && {text}" if self.start else text


# The settings that `MountOptions` has, in the order in which it writes them.
_SHOWN = ("redirect_dir", "metacopy", "index", "xino")

# Options that every file system takes, and that the kernel adds to a line of /proc/mounts.
GENERIC = frozenset("rw ro relatime noatime nodiratime strictatime nosuid nodev noexec sync dirsync".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class MountOptions:
    """What is written after ``-o``.

    Args:
        lowerdirs: Paths, **topmost first**, not escaped.
        upperdir: The writable layer's path, or None.
        workdir: An empty directory beside the upper; with an upper only.
        userxattr: Whether marks are ``user.overlay.*``, as for mounts without root.
        redirect_dir: ``on``, ``off``, ``follow``, ``nofollow``, or None for the module's default.
        metacopy: ``on``, ``off`` or None.
        index: ``on``, ``off`` or None.
        xino: ``on``, ``off``, ``auto`` or None.
        datadirs: Data-only layers below the lowers, topmost first.

    Example:
        >>> MountOptions(lowerdirs=("a:b", "c"), upperdir="u", workdir="w").data()
        b'lowerdir=a\\\\:b:c,upperdir=u,workdir=w'
    """

    lowerdirs: tuple[str, ...]
    upperdir: str | None = None
    workdir: str | None = None
    userxattr: bool = False
    redirect_dir: str | None = None
    metacopy: str | None = None
    index: str | None = None
    xino: str | None = None
    datadirs: tuple[str, ...] = ()

    def text(self) -> str:
        """The options as text, in the order in which people write them.

        Raises:
            Finding: ``wrong-call`` for no lower directory, an empty path, or an upper without a work directory.

        Spec:
            Kernel: ``\\:`` between lowers, ``\\,`` and ``\\\\`` (overlay vectors mount-24 to mount-32, mount-75); empty
            elements EINVAL (mount-33); upper without workdir EINVAL (mount-07); ``::`` before data-only layers
            (mount-46).
        """
        upper = {} if self.upperdir is None else {"upperdir": self.upperdir, "workdir": self.workdir or ""}
        if not self.lowerdirs or not all((*self.lowerdirs, *self.datadirs, *upper.values())):
            raise _empty_path()
        lowers, data = (
            [escaped(path).replace(":", "\\:") for path in each] for each in (self.lowerdirs, self.datadirs)
        )
        words = ["lowerdir=" + "::".join([":".join(lowers), *data])]
        words += [f"{name}={escaped(path)}" for name, path in upper.items()]
        words += ["userxattr"] * self.userxattr
        words += [f"{name}={value}" for name in _SHOWN if (value := getattr(self, name)) is not None]
        return ",".join(words)

    def data(self) -> bytes:
        """The options as mount(2) takes them.

        Raises:
            Finding: ``limit`` if they do not fit into one page, or for more than 500 layers; otherwise as `text`.

        Spec:
            Kernel: more than 500 layers EINVAL (mount-38, mount-39); what is beyond the page is cut off without a word,
            so a mount might show fewer layers than were asked for.
        """
        if (count := len(self.lowerdirs) + len(self.datadirs)) > MOST_LOWERS:
            raise Finding("limit", "mount options", f"at most {MOST_LOWERS} lower layers", count)
        if self.size >= PAGE:
            expected = f"at most {PAGE - 1} bytes: shorter names, or relative ones"
            raise Finding("limit", "mount options", expected, f"{self.size} bytes")
        return self.text().encode("utf-8", "surrogateescape")

    @property
    def size(self) -> int:
        """The bytes of the text: what the page is filled with."""
        return len(self.text().encode("utf-8", "surrogateescape"))

    def command(self, target: str) -> str:
        """The line that a person would type, quoted for the shell.

        Example:
            >>> MountOptions(lowerdirs=("Fruits", "Vegetables"), upperdir="Meat", workdir="work").command("/mnt/tmp")
            'mount -t overlay overlay -o lowerdir=Fruits:Vegetables,upperdir=Meat,workdir=work /mnt/tmp'
        """
        return shlex.join(["mount", "-t", "overlay", "overlay", "-o", self.text(), target])

    def features(self) -> Features:
        """What these options make an overlay do.

        Raises:
            OSError: EINVAL for options that exclude each other, as the mount would.
        """
        parsed = parse_data(self.text())
        parsed.verify()
        return parsed.features()


def docker_options(base: str, links: Sequence[str], mount_id: str | None = None) -> MountOptions:
    """The options of a mount, as Docker's overlay2 driver makes them.

    Args:
        base: The driver's directory, such as ``/var/lib/docker/overlay2``.
        links: Short names with ``l/``, **topmost first**.
        mount_id: The container's directory; None for an image, which has no upper.

    Spec:
        moby, daemon/graphdriver/overlay2, Get; seen on 20.10 and 28.5: where the text would fill a page, its own
        ``index=off,`` counted, Docker changes into the directory and uses relative names. Choice: colons, commas and
        backslashes in `base` are escaped, where Docker's own mount fails.
    """

    def under(prefix: str) -> MountOptions:
        upper, work = (f"{prefix}{mount_id}/diff", f"{prefix}{mount_id}/work") if mount_id else (None, None)
        return MountOptions(lowerdirs=tuple(prefix + link for link in links), upperdir=upper, workdir=work)

    full = under(f"{base}/")
    return full if len("index=off,") + full.size < PAGE else under("")


def parse_options(text: str) -> MountOptions:
    r"""Read what stands after ``-o``, or as options in a line of /proc/mounts; words of any file system are skipped.

    Raises:
        Finding: ``wrong-call`` for no ``lowerdir``, an upper without a work directory, or a word that is not known.

    Spec:
        Kernel: ``\:``, ``\,`` and ``\\``; another backslash vanishes (overlay vectors mount-24 to mount-32, mount-75);
        workdir without an upper is ignored (mount-08); a second ``lowerdir=`` replaces the first (mount-36).

    Example:
        >>> parse_options("lowerdir=Fruits:Vegetables").lowerdirs
        ('Fruits', 'Vegetables')
    """
    parsed = Parsed()
    for key, value in split_options(text):
        if (value is None and key in GENERIC) or key == "uuid":
            continue
        if key not in (*_SHOWN, "lowerdir", "lowerdir+", "datadir+", "upperdir", "workdir", "userxattr"):
            raise Finding("wrong-call", "mount options", "an option of overlayfs", key)
        try:
            list(parsed.take(key, value))
        except OSError:
            raise _refused(key, value or "") from None
    return _options(parsed)


def _refused(key: str, value: str) -> Finding:
    """What is wrong with an option that the kernel answers with EINVAL."""
    if key in VALUES:
        return Finding("wrong-call", "mount options", f"{key}={' or '.join(VALUES[key])}", value or "nothing")
    if value.count(":") >= MOST_LOWERS:
        return Finding("limit", "mount options", f"at most {MOST_LOWERS} lower layers", "more")
    return _empty_path()


def _empty_path() -> Finding:
    return Finding("wrong-call", "mount options", "a path for each lowerdir, upperdir and workdir", "an empty one")


def _options(parsed: Parsed) -> MountOptions:
    """Parsed options as those that one would write."""
    upper = parsed.upperdir is not None
    if upper and parsed.workdir is None:
        raise Finding("wrong-call", "mount options", "a workdir beside the upperdir", "upperdir alone")
    if not parsed.lowerdirs:
        raise Finding("wrong-call", "mount options", "a lowerdir", "none")
    return MountOptions(
        lowerdirs=tuple(parsed.lowerdirs),
        datadirs=tuple(parsed.datadirs),
        upperdir=parsed.upperdir,
        workdir=parsed.workdir if upper else None,
        userxattr="userxattr" in parsed.flags,
        **{name: parsed.values.get(name) for name in _SHOWN},
    )
