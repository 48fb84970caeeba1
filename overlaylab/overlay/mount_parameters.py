"""The options of an overlay mount as the kernel understands them: taken one by one, judged, and shown.

Nothing is mounted here; which directories the paths mean is the business of `mounting`.
Linux 6.18, fs/overlayfs/params.c, with the module's defaults.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from overlaylab.errors import fail

from .features import Features

# mount(2) copies one page of options and cuts what is beyond it; the last byte ends the text.
PAGE = 4096

# Kernel: more lower layers are EINVAL (overlay vectors mount-38, mount-39, mount-45).
MOST_LOWERS = 500

# One option: a comma behind a backslash does not end it.
OPTION = re.compile(r"(?:\\.|[^,])+", re.DOTALL)

# One layer of lowerdir=: what separates it from the one before, and its path with escapes.
LAYER = re.compile(r"(:{0,2})((?:\\.|[^\\:]|\\$)+)", re.DOTALL)


def escaped(path: str) -> str:
    """Backslash and comma, which mean something in any option."""
    return path.replace("\\", "\\\\").replace(",", "\\,")


def unescaped(text: str) -> str:
    """Take one backslash away before every character. Kernel: mount-24 to mount-29, mount-75."""
    return re.sub(r"\\(.?)", r"\1", text, flags=re.DOTALL)


def split_options(text: str) -> list[tuple[str, str | None]]:
    """Cut option text at its commas, except behind a backslash, and each option at its first ``=``.

    Returns:
        Key and value; None for an option without ``=``. Empty options, and ``=x``, are left out.
    """
    pairs = (word.partition("=") for word in OPTION.findall(text) if not word.startswith("="))
    return [(key, value if equals else None) for key, equals, value in pairs]


def split_lowerdirs(text: str) -> list[tuple[bool, str]]:
    """Cut the value of ``lowerdir=``: ``:`` between layers, ``::`` before each data-only layer.

    Returns:
        Layers, **topmost first**: whether it is data-only, and its path, still escaped.

    Raises:
        OSError: EINVAL for empty elements, three colons, too many.

    Spec:
        Kernel: mount-33, mount-34, mount-38, mount-39, mount-46, mount-50.
    """
    layers, place = [], 0
    while place < len(text):
        found = LAYER.match(text, place)
        if found is None or (found[1] == "") != (place == 0):
            raise fail(errno.EINVAL, "lowerdir")
        layers.append((found[1] == "::", found[2]))
        place = found.end()
    if len(layers) > MOST_LOWERS:
        raise fail(errno.EINVAL, "lowerdir")
    return layers


def cut(text: str) -> str:
    """What of an option text reaches the kernel."""
    return text.encode("utf-8", "surrogateescape")[: PAGE - 1].decode("utf-8", "surrogateescape")


def octal(text: str) -> str:
    """The kernel's escaping of what would cut its own line."""
    return "".join(f"\\{ord(character):03o}" if character in ", \t\n\\" else character for character in text)


# What each option may be set to; the first value is the module's default.
VALUES = {
    "redirect_dir": ("follow", "on", "off", "nofollow"),
    "metacopy": ("off", "on"),
    "index": ("off", "on"),
    "nfs_export": ("off", "on"),
    "xino": ("off", "auto", "on"),
    "uuid": ("auto", "off", "null", "on"),
    "verity": ("off", "on", "require"),
}

FLAGS = ("userxattr", "volatile", "default_permissions", "override_creds", "nooverride_creds")

# Flags of any file system that mount(2) takes in the text, and those that clear one of them.
SUPERBLOCK = ("sync", "dirsync", "lazytime", "mand")

CLEARING = {"async": "sync", "nolazytime": "lazytime", "nomand": "mand"}


@dataclass(slots=True)
class Parsed:
    """Options as the kernel understood them; `verify` settles what depends on what.

    Args:
        lowerdirs: Paths of ordinary lower layers, topmost first, unescaped.
        datadirs: Paths of data-only layers.
        added: Whether they came by ``lowerdir+``, one by one.
        lower_text: The value of ``lowerdir=`` as it was typed.
        read_only: Whether the text says ``ro`` or ``rw``, which then counts more than the flag of mount(2).
        given: Names of the settings that were given, once `verify` has begun to change them.
    """

    lowerdirs: list[str] = field(default_factory=list)
    datadirs: list[str] = field(default_factory=list)
    added: bool = False
    lower_text: str | None = None
    upperdir: str | None = None
    workdir: str | None = None
    upper_text: str = ""
    work_text: str = ""
    values: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    superblock: list[str] = field(default_factory=list)
    read_only: bool | None = None
    given: frozenset[str] = frozenset()

    def value(self, name: str) -> str:
        """A setting, or its default."""
        return self.values.get(name, VALUES[name][0])

    def take(self, key: str, value: str | None) -> Iterator[tuple[str, str]]:
        """Take one option.

        Yields:
            Each path, which must be a directory before the next word is read, behind its kind: ``lower``, ``upper`` or
            ``work``.

        Raises:
            OSError: EINVAL for unknown options and bad values.

        Spec:
            Kernel: mount-36, mount-37, mount-40 to mount-45, mount-52, mount-57; a second ``lowerdir=`` replaces all.
        """
        if key in ("lowerdir", "lowerdir+", "datadir+", "upperdir", "workdir"):
            if value is None or (not value and key != "lowerdir"):
                raise fail(errno.EINVAL, key)
            yield from self._take_path(key, value)
        elif key in VALUES:
            if value not in VALUES[key]:
                raise fail(errno.EINVAL, key)
            self.values[key] = value
        elif value is not None or key not in (*FLAGS, *SUPERBLOCK, *CLEARING, "ro", "rw"):
            raise fail(errno.EINVAL, key)
        elif key in FLAGS:
            self.flags.add(key)
        elif key in ("ro", "rw"):
            self.read_only = key == "ro"
        elif key in CLEARING:
            self.superblock = [word for word in self.superblock if word != CLEARING[key]]
        elif key not in self.superblock:
            self.superblock.append(key)

    def _take_path(self, key: str, value: str) -> Iterator[tuple[str, str]]:
        if key in ("upperdir", "workdir"):
            setattr(self, key, unescaped(value))
            setattr(self, key.replace("dir", "_text"), value)
            yield key.removesuffix("dir"), unescaped(value)
        elif key == "lowerdir":
            self.lowerdirs, self.datadirs, self.added, self.lower_text = [], [], False, value
            for data_only, path in split_lowerdirs(value) if value else ():
                yield self._layer(unescaped(path), data_only)
        else:
            if self.lower_text or len(self.lowerdirs) + len(self.datadirs) >= MOST_LOWERS:
                raise fail(errno.EINVAL, key)
            self.added = True
            yield self._layer(value, key == "datadir+")

    def _layer(self, path: str, data_only: bool) -> tuple[str, str]:
        """One more lower layer. Kernel: an ordinary one does not follow a data-only one (mount-49, mount-52)."""
        if self.datadirs and not data_only:
            raise fail(errno.EINVAL, path)
        (self.datadirs if data_only else self.lowerdirs).append(path)
        return "lower", path

    def verify(self, userns: bool = False) -> None:
        """Settle options that depend on each other.

        Args:
            userns: Whether the mounter has no privilege over ``trusted.*``.

        Raises:
            OSError: EINVAL for options that exclude each other; EPERM for what needs ``trusted.*``.

        Spec:
            Kernel: ovl_fs_params_verify; mount-03 to mount-08, mount-53, mount-54, mount-55; without an upper,
            ``redirect_dir=follow`` is shown as ``on`` (mount-40).
        """
        self.given = frozenset(self.values)
        if self.value("redirect_dir") == "off":
            # redirect_always_follow=Y (rd-12)
            self.values["redirect_dir"] = "follow"
        if self.upperdir is None:
            self._without_upper()
        self._metacopy_needs_redirects()
        self._export_needs_index()
        self._userxattr_excludes()
        if userns and "userxattr" not in self.flags:
            self._without_trusted()
        if userns:
            # Kernel: ovl_can_decode_fh asks for CAP_DAC_READ_SEARCH over the whole machine, and falls back silently.
            self.values["index"] = self.values["nfs_export"] = "off"

    def _without_upper(self) -> None:
        self.workdir = None
        self.values["index"] = "off"
        self.flags.discard("volatile")
        if self.value("uuid") in ("on", "off"):
            self.values["uuid"] = "null"
        if self.value("redirect_dir") == "follow":
            self.values["redirect_dir"] = "on"

    def _metacopy_needs_redirects(self) -> None:
        if self.value("metacopy") != "on" or self.value("redirect_dir") == "on":
            return
        if "redirect_dir" in self.given:
            if "metacopy" in self.given:
                raise fail(errno.EINVAL, "metacopy=on")
            self.values["metacopy"] = "off"
        else:
            self.values["redirect_dir"] = "on"

    def _export_needs_index(self) -> None:
        if self.value("nfs_export") == "on" and self.value("index") != "on":
            if self.upperdir is None:
                if self.value("redirect_dir") != "nofollow":
                    self.values["nfs_export"] = "off"
            elif "index" in self.given:
                raise fail(errno.EINVAL, "nfs_export=on")
            else:
                self.values["index"] = "on"
        if self.value("nfs_export") == "on" and self.value("metacopy") == "on":
            raise fail(errno.EINVAL, "nfs_export=on")

    def _userxattr_excludes(self) -> None:
        if "userxattr" not in self.flags:
            return
        redirected = "redirect_dir" in self.given and self.value("redirect_dir") != "nofollow"
        if redirected or ("metacopy" in self.given and self.value("metacopy") == "on"):
            raise fail(errno.EINVAL, "userxattr")
        self.values["redirect_dir"], self.values["metacopy"] = "nofollow", "off"

    def _without_trusted(self) -> None:
        redirected = "redirect_dir" in self.given and self.value("redirect_dir") != "nofollow"
        if redirected or self.value("metacopy") == "on" or self.value("verity") != "off" or self.datadirs:
            raise fail(errno.EPERM, "trusted xattrs")

    def features(self) -> Features:
        """What the overlay does with them."""
        return Features(
            redirect=self.value("redirect_dir"),
            metacopy=self.value("metacopy") == "on",
            index=self.value("index") == "on",
            xino=self.value("xino") == "on",
            userxattr="userxattr" in self.flags,
        )

    def shown(self, read_only: bool, several: bool = False) -> str:
        """The options as the kernel shows them behind the file system's name, in /proc/self/mountinfo.

        Only what differs from the module's defaults is shown.

        Args:
            several: Whether the layers lie on several file systems; only then ``xino`` is shown.

        Spec:
            Kernel: ovl_show_options; mount-40, mount-71.
        """
        words = ["ro" if read_only else "rw", *self.superblock]
        if self.added:
            words += [f"lowerdir+={octal(path)}" for path in self.lowerdirs]
            words += [f"datadir+={octal(path)}" for path in self.datadirs]
        else:
            words.append(f"lowerdir={octal(self.lower_text or '')}")
        if self.upperdir is not None:
            words += [f"upperdir={octal(self.upper_text)}", f"workdir={octal(self.work_text)}"]
        if "default_permissions" in self.flags:
            words.append("default_permissions")
        for name in ("redirect_dir", "index", "uuid", "nfs_export", *(["xino"] if several else []), "metacopy"):
            if self.value(name) != VALUES[name][0]:
                words.append(f"{name}={self.value(name)}")
        words += ["fsync=volatile"] * ("volatile" in self.flags) + ["userxattr"] * ("userxattr" in self.flags)
        if self.value("verity") != "off":
            words.append(f"verity={self.value('verity')}")
        return ",".join(words)


def parse_data(text: str) -> Parsed:
    """Read the options of mount(2).

    Args:
        text: One page at most; what is beyond is cut off, as the kernel does.

    Raises:
        OSError: EINVAL, at the first option that is wrong.
    """
    parsed = Parsed()
    for key, value in split_options(cut(text)):
        list(parsed.take(key, value))
    return parsed
