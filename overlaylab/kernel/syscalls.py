"""The few system calls that Python does not offer, through ctypes; they work on Linux only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes


# The two ways to a private mount namespace: as root, or as the root of a new user namespace.
ROOT, USER = "root", "user-namespace"

# From linux/sched.h and linux/mount.h.
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000

MS_REC, MS_PRIVATE = 0x4000, 0x40000


def enter_namespaces(mode: str) -> None:
    """Enter a private mount namespace: what is mounted from now on, only this process sees.

    Args:
        mode: `ROOT`, or `USER` to enter a user namespace as well, in which this user is root.

    Raises:
        OSError: With the step that failed as its file name: ``unshare``, ``id-map`` or ``private``.

    Spec:
        unshare(2), user_namespaces(7): a process with threads cannot make a user namespace (EINVAL).
    """
    uid, gid = os.geteuid(), os.getegid()
    _unshare(CLONE_NEWNS | (CLONE_NEWUSER if mode == USER else 0))
    if mode == USER:
        _map_ids(uid, gid)
    # systemd makes mounts shared: without this they would propagate to other namespaces.
    mount("none", "/", None, MS_REC | MS_PRIVATE, step="private")


def _unshare(flags: int) -> None:
    if hasattr(os, "unshare"):  # Python 3.12
        try:
            os.unshare(flags)
        except OSError as refusal:
            raise OSError(refusal.errno, refusal.strerror, "unshare") from None
    else:
        _checked(_libc().unshare(flags), "unshare")


def _map_ids(uid: int, gid: int) -> None:
    """Map this user to root in the new user namespace; no other IDs exist in it."""
    try:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    except OSError as refusal:
        raise OSError(refusal.errno, refusal.strerror, "id-map") from None


def mount(
    source: str, target: str, kind: str | None, flags: int = 0, data: bytes | None = None, step: str = ""
) -> None:
    """Call mount(2).

    Args:
        source: What to mount; for tmpfs and overlay any name.
        kind: The type of the file system, as in /proc/filesystems.
        data: The options, less than one page.
        step: The step's name in the error; `kind` if empty.

    Raises:
        OSError: With the step as its file name.
    """
    name = kind.encode() if kind else None
    _checked(_libc().mount(source.encode(), os.fsencode(target), name, flags, data), step or kind or "mount")


def umount(target: str) -> None:
    """Call umount2(2) without flags."""
    _checked(_libc().umount2(os.fsencode(target), 0), "umount")


def entry_types(directory: str) -> set[int]:
    """Collect the d_type values that readdir(3) returns for the entries of a directory; 0 is DT_UNKNOWN.

    Spec:
        readdir(3): not every file system fills d_type in. The record on 64-bit Linux is inode, offset (8 bytes
        each), length (2), type (1), name.
    """
    import ctypes  # noqa: PLC0415  # not every Python has it

    libc = _libc()
    read = getattr(libc, "readdir64", None) or libc.readdir
    libc.opendir.restype = read.restype = ctypes.c_void_p
    libc.opendir.argtypes = [ctypes.c_char_p]
    read.argtypes = libc.closedir.argtypes = [ctypes.c_void_p]
    stream = libc.opendir(os.fsencode(directory))
    if not stream:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), directory)
    types = set()
    while record := read(stream):
        if ctypes.string_at(record + 19) not in (b".", b".."):
            types.add(ctypes.string_at(record + 18, 1)[0])
    libc.closedir(stream)
    return types


def filesystem_of(path: str, table: str) -> str:
    """Name the file system that a path lies on, such as ``ext4``; empty if the table does not show it.

    Args:
        path: Absolute, without symlinks.
        table: The text of /proc/self/mountinfo.

    Spec:
        proc_pid_mountinfo(5): the fifth field is the mount point, with blanks as ``\\040``; the type comes after
        `` - ``. Of two mounts on one directory the later one is visible.
    """
    found, longest = "", -1
    for line in table.splitlines():
        left, _, right = line.partition(" - ")
        point = left.split(" ")[4]
        for blank, code in ((" ", "\\040"), ("\t", "\\011"), ("\n", "\\012"), ("\\", "\\134")):
            point = point.replace(code, blank)
        if len(point) >= longest and (path + "/").startswith(point.rstrip("/") + "/"):
            found, longest = right.split(" ")[0], len(point)
    return found


def _libc() -> ctypes.CDLL:
    import ctypes  # noqa: PLC0415  # not every Python has it

    libc = ctypes.CDLL(None, use_errno=True)
    word, text = ctypes.c_ulong, ctypes.c_char_p
    libc.mount.argtypes = [text, text, text, word, text]
    return libc


def _checked(result: int, step: str) -> None:
    import ctypes  # noqa: PLC0415  # not every Python has it

    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), step)
