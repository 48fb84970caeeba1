"""Shell-like commands as operations: a command that `shell_parser` has read is carried out call by call.

The calls of a command depend on the files (``rm -r`` walks a tree), so it is carried out by a function that runs one
operation and returns its step, such as `Player.do`. The operations can then be replayed elsewhere.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from overlaylab.errors import Finding
from overlaylab.overlay.filesystem import Stat
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Directory, parent_of

from .open_files import O_APPEND, O_CREAT, O_NONBLOCK
from .operations import Op, Player, Step
from .process import O_WRONLY
from .shell_parser import Command, mode_bits, parse

MOST_CALLS, MOST_LINES = 400, 40

DESCRIPTOR = "shell"


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error message of a command.

    Args:
        key: Of the sentence that a shell would print, such as ``mv.move``.
        errno: The number of the error; 0 where no call failed.
        path: The path that the message names.
        other: The other path, if there are two.
    """

    key: str
    errno: int
    path: str
    other: str = ""


@dataclass(slots=True)
class Said:
    """What a command printed.

    Args:
        lines: Its output, at most `MOST_LINES`.
        more: How many lines were left out.
        complaints: Its error messages.
        paths: The paths that it was given.
    """

    lines: list[str] = field(default_factory=list)
    more: int = 0
    complaints: list[Complaint] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


def carry_out(command: Command, do: Callable[[Op], Step]) -> Said:
    """Carry out a command by `do`, which runs one operation, such as `Player.do`.

    Returns:
        What it printed. After `MOST_CALLS` operations it stops with a complaint; its effects stay.
    """
    run = _Run(command, do)
    try:
        getattr(run, "_" + command.name)()
    except _Enough:
        run.complain("limit", 0, str(MOST_CALLS))
    except Finding as finding:
        run.complain("content", 0, finding.problem.where)
    return run.said


def after(overlay: Overlay, *lines: str) -> Overlay:
    """The stack after some commands.

    Args:
        overlay: The start. It is not changed. Without an upper it gets an empty one.
        lines: One command each, such as ``rm -r /docs``. A command that fails changes nothing.

    Raises:
        Finding: ``wrong-call`` with the position, for a line that this shell does not understand.

    Example:
        >>> from overlaylab.tree import make_tree
        >>> sorted(after(Overlay(lowerdirs=[make_tree({"note": "text"})]), "rm /note").upperdir.names)
        ['note']
    """
    if overlay.upperdir is None:
        overlay = Overlay(lowerdirs=overlay.lowerdirs, upperdir=Directory(), features=overlay.features)
    player = Player(overlay)
    for line in lines:
        carry_out(parse(line), player.do)
    return player.overlay


class _Enough(Exception):
    """A command makes too many calls."""


class _Run:
    """A command that is carried out: one method for each of `COMMANDS`."""

    def __init__(self, command: Command, do: Callable[[Op], Step]) -> None:
        self.command, self._do, self._calls = command, do, 0
        self.said = Said()

    def call(self, name: str, /, **arguments: object) -> Step:
        """Run one operation."""
        self._calls += 1
        if self._calls > MOST_CALLS:
            raise _Enough
        return self._do(Op(name, arguments))

    def attempt(self, key: str, path: str, name: str, other: str = "", /, **arguments: object) -> Step:
        """Run one operation, and complain if it fails."""
        step = self.call(name, **arguments)
        if step.errno:
            self.complain(key, step.errno, path, other)
        return step

    def complain(self, key: str, number: int, path: str, other: str = "") -> None:
        """Add an error message."""
        self.said.complaints.append(Complaint(key, number, path, other))

    def write(self, line: str) -> None:
        """Write a line of output."""
        if len(self.said.lines) < MOST_LINES:
            self.said.lines.append(line)
        else:
            self.said.more += 1

    def stat(self, path: str, follow: bool = True) -> Stat | None:
        """The attributes of a path; None if there is nothing."""
        found: Stat | None = self.call("stat" if follow else "lstat", path=path).value
        return found

    def is_dir(self, path: str) -> bool:
        """Whether a path leads to a directory."""
        found = self.stat(path)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def paths(self) -> Iterator[str]:
        """Each path that the command was given, noted in `said`; without one the root."""
        for path in self.command.words or ("/",):
            self.said.paths.append(path)
            yield path

    def into(self, source: str, target: str) -> str:
        """The path of a file that goes to a target: below it if that is a directory."""
        name = parent_of(source.rstrip("/"))[1] if source.strip("/") else ""
        return f"{target.rstrip('/')}/{name}" if name and self.is_dir(target) else target

    # --- output

    def _output(self, data: bytes) -> None:
        """Write data to the file of a redirection, or print it as lines."""
        path, sign = self.command.target, self.command.redirect
        if not sign:
            for line in data.decode("utf-8", "replace").splitlines():
                self.write(line)
            return
        self.said.paths.append(path)
        if sign == ">":
            self.attempt("echo.open", path, "write_file", path=path, data=data)
            return
        flags = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK
        opened = self.attempt("echo.open", path, "open", path=path, flags=flags, mode=0o666, fd=DESCRIPTOR)
        if not opened.errno:
            self.call("write", fd=DESCRIPTOR, data=data)
            self.call("close", fd=DESCRIPTOR)

    def _echo(self) -> None:
        text = " ".join(self.command.words) + "\n" * ("n" not in self.command.flags)
        self._output(text.encode("utf-8", "surrogateescape"))

    def _cat(self) -> None:
        data = b""
        for path in self.paths():
            data += self.attempt("cat.read", path, "read_file", path=path).value or b""
        self._output(data)

    def _readlink(self) -> None:
        for path in self.paths():
            step = self.attempt("stat.stat", path, "readlink", path=path)
            if not step.errno:
                self.write(step.value)

    # --- looking

    def _ls(self) -> None:
        for path in self.paths():
            found = self.attempt("ls.access", path, "lstat", path=path).value
            if found is None:
                continue
            if self.is_dir(path):
                self._list(path)
            else:
                self.write(self._line(found, path, path) if "l" in self.command.flags else path)

    def _list(self, path: str) -> None:
        """The names in a directory; hidden ones with -a or -A."""
        names = self.attempt("ls.access", path, "listdir", path=path).value or []
        if not self.command.flags & {"a", "A"}:
            names = [name for name in names if name[0] != "."]
        for name in sorted(names)[:MOST_LINES]:
            full = f"{path.rstrip('/')}/{name}"
            if "l" not in self.command.flags:
                self.write(name)
            elif (found := self.attempt("ls.access", full, "lstat", path=full).value) is not None:
                self.write(self._line(found, full, name))
        self.said.more += max(0, len(names) - MOST_LINES)

    def _line(self, found: Stat, path: str, name: str) -> str:
        target = f" -> {self.call('readlink', path=path).value}" if stat.S_ISLNK(found.st_mode) else ""
        owner = f"{found.st_uid}:{found.st_gid}"
        return f"{stat.filemode(found.st_mode)} {found.st_nlink} {owner} {found.st_size:>5} {name}{target}"

    def _stat(self) -> None:
        for path in self.paths():
            found = self.attempt("stat.stat", path, "lstat", path=path).value
            if found is not None:
                mode, when = found.st_mode, datetime.fromtimestamp(found.st_mtime_ns // 10**9, UTC)
                self.write(f"  File: {path}")
                self.write(f"  Size: {found.st_size}   Inode: {found.st_ino}   Links: {found.st_nlink}")
                access = f"({mode & 0o7777:04o}/{stat.filemode(mode)})"
                self.write(f"Access: {access}   Uid: {found.st_uid}   Gid: {found.st_gid}")
                self.write(f"Modify: {when:%Y-%m-%d %H:%M:%S}")

    def _find(self) -> None:
        for path in self.paths():
            if not self.attempt("find.find", path, "lstat", path=path).errno:
                self._walk(path)

    def _walk(self, path: str) -> None:
        if len(self.said.lines) == MOST_LINES:
            self.said.more += 1
            return
        self.write(path)
        found = self.stat(path, follow=False)
        if found is None:
            self.complain("find.find", errno.ENOENT, path)
        elif stat.S_ISDIR(found.st_mode):
            for name in sorted(self.attempt("find.find", path, "listdir", path=path).value or []):
                if self.said.more:
                    return
                self._walk(f"{path.rstrip('/')}/{name}")

    # --- removing

    def _rm(self) -> None:
        for path in self.paths():
            found = self.stat(path, follow=False)
            if found is None and "f" in self.command.flags:
                continue
            if found is not None and stat.S_ISDIR(found.st_mode) and not self.command.flags & {"r", "R"}:
                self.complain("rm.remove", errno.EISDIR, path)
            else:
                self._remove(path, found)

    def _remove(self, path: str, found: Stat | None) -> None:
        """Remove a name, after everything below it."""
        if found is None or not stat.S_ISDIR(found.st_mode):
            self.attempt("rm.remove", path, "unlink", path=path)
            return
        for name in sorted(self.call("listdir", path=path).value or []):
            child = f"{path.rstrip('/')}/{name}"
            self._remove(child, self.stat(child, follow=False))
        self.attempt("rm.remove", path, "rmdir", path=path)

    def _rmdir(self) -> None:
        for path in self.paths():
            self.attempt("rmdir.remove", path, "rmdir", path=path)

    # --- making

    def _mkdir(self) -> None:
        for path in self.paths():
            if "p" not in self.command.flags:
                self.attempt("mkdir.create", path, "mkdir", path=path)
                continue
            parts = [part for part in path.split("/") if part]
            for depth in range(1, len(parts) + 1):
                place = "/" * path.startswith("/") + "/".join(parts[:depth])
                if not self.is_dir(place) and self.attempt("mkdir.create", place, "mkdir", path=place).errno:
                    break

    def _touch(self) -> None:
        for path in self.paths():
            if self.stat(path) is None:
                self.attempt("touch.touch", path, "write_file", path=path, data=b"")
            else:
                self.attempt("touch.touch", path, "utime", path=path)

    def _ln(self) -> None:
        source, target = self.command.words
        target = self.into(source, target)
        self.said.paths.append(target)
        if "s" in self.command.flags:
            self.attempt("ln.symbolic", target, "symlink", target=source, path=target)
        else:
            self.said.paths.append(source)
            self.attempt("ln.hard", target, "link", source, src=source, dst=target)

    def _chmod(self) -> None:
        mode, *paths = self.command.words
        for path in paths:
            self.said.paths.append(path)
            found = self.attempt("chmod.change", path, "stat", path=path).value
            if found is not None:
                bits = mode_bits(mode, found.st_mode & 0o7777)
                if bits is None:
                    self.complain("chmod.mode", 0, mode)
                    return
                self.attempt("chmod.change", path, "chmod", path=path, mode=bits)

    # --- moving and copying

    def _pairs(self, key: str) -> list[tuple[str, str]]:
        """Each source with its target."""
        *sources, target = self.command.words
        if len(sources) > 1 and not self.is_dir(target):
            self.complain(f"{key}.many", errno.ENOTDIR, target)
            return []
        return [(source, self.into(source, target)) for source in sources]

    def _mv(self) -> None:
        for source, target in self._pairs("mv"):
            self.said.paths += [source, target]
            self.attempt("mv.move", source, "rename", target, src=source, dst=target)

    def _cp(self) -> None:
        deep = bool(self.command.flags & {"r", "R", "a"})
        for source, target in self._pairs("cp"):
            self.said.paths += [source, target]
            found = self.attempt("cp.stat", source, "lstat" if deep else "stat", path=source).value
            if found is not None:
                self._copy(source, target, found, deep)

    def _copy(self, source: str, target: str, found: Stat, deep: bool) -> None:
        """Copy a file, a link, or a directory with everything below it."""
        if stat.S_ISDIR(found.st_mode):
            if not deep:
                self.complain("cp.directory", errno.EISDIR, source)
            elif f"{target.strip('/')}/".startswith(f"{source.strip('/')}/"):
                self.complain("cp.itself", errno.EINVAL, source, target)
            elif self.is_dir(target) or self._made_like(found, target):
                for name in sorted(self.call("listdir", path=source).value or []):
                    child = self.stat(f"{source}/{name}", follow=False)
                    if child is not None:
                        self._copy(f"{source}/{name}", f"{target}/{name}", child, deep)
        elif stat.S_ISLNK(found.st_mode):
            self.attempt("cp.create", target, "symlink", target=self.call("readlink", path=source).value, path=target)
        elif stat.S_ISREG(found.st_mode):
            self._copy_file(source, target, found)
        else:
            self.complain("cp.special", 0, source)

    def _made_like(self, found: Stat, target: str) -> bool:
        mode = found.st_mode & 0o777
        return not self.attempt("cp.directory_made", target, "mkdir", path=target, mode=mode).errno

    def _copy_file(self, source: str, target: str, found: Stat) -> None:
        there = self.stat(target)
        if there is not None and (there.st_ino, there.st_dev) == (found.st_ino, found.st_dev):
            self.complain("cp.same", 0, source, target)
            return
        data = self.attempt("cp.read", source, "read_file", path=source)
        if data.errno:
            return
        if there is None:
            self.attempt("cp.create", target, "create", path=target, data=data.value, mode=found.st_mode & 0o777)
        else:
            self.attempt("cp.create", target, "write_file", path=target, data=data.value)
