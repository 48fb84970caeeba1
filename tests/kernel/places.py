"""Where a generated proof runs: namespaces that end with the process, and who writes the layers there.

Modes are ``root``; ``user``, root of a user namespace and of nothing else; and ``mapped``,
the same with layers of owners that the namespace does not map, which only root of the
machine can write.
"""

import contextlib
import os
import pickle
import shutil
import socket

from overlaylab.kernel.watch import fingerprint
from tests.kernel import live

CLONE_NEWUSER = 0x10000000
PLACES = ("/mnt", "/media", "/srv", "/opt")
MODES = ("root", "user", "mapped")
MOST_BYTES = 1 << 18


def enter(mode):
    """Leave the machine's mounts for ever, and stand in an empty tmpfs that nobody else sees.

    All the rest of the machine becomes read-only here, so that no operation can reach
    it. All of it ends with the process.

    Returns:
        A builder of layers.
    """
    if mode not in MODES:
        raise ValueError(f"{mode} is none of {MODES}")
    if mode == "user":
        become_root()
    else:
        live.call("unshare", live.CLONE_NEWNS)
        os.setgroups([])
    live.mount("none", "/", "", live.MS_PRIVATE_ALL, "")
    place = next(place for place in PLACES if os.path.isdir(place))
    live.mount("none", place, "tmpfs", 0, "mode=755")
    os.umask(0o022)
    builder = Builder()
    if mode == "mapped":
        builder = FarBuilder(place)
        become_root()
        live.mount("none", "/", "", live.MS_PRIVATE_ALL, "")
    live.make_read_only("/", but=place)
    os.chdir(place)
    return builder


def become_root():
    """Become root of a user namespace, whoever one was before: the only owner that it maps."""
    uid, gid = os.geteuid(), os.getegid()
    live.call("unshare", CLONE_NEWUSER | live.CLONE_NEWNS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


class Builder:
    """Writes, reads and removes layers as this process."""

    def build(self, folder, disk):
        """Write trees below a folder, each under its name."""
        for name, node in disk.items():
            live.build(os.path.join(folder, name), node)

    def taken(self, folder):
        """A layer as a tree."""
        return live.taken(folder)

    def fingerprint(self, folder):
        """What changes when anything in a layer does: see `fingerprint`."""
        return fingerprint(folder)

    def remove(self, folder):
        """Remove all of a folder."""
        shutil.rmtree(folder)

    def finish(self):
        """Nothing is left to do."""


class FarBuilder(Builder):
    """The same, by a process that stays root of the machine.

    Args:
        place: The only mount that it can write to.
    """

    def __init__(self, place):
        self._here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pid = os.fork()
        if self._pid == 0:
            self._here.close()
            try:
                live.call("unshare", live.CLONE_NEWNS)
                live.make_read_only("/", but=place)
                while message := there.recv(MOST_BYTES):
                    call, *arguments = pickle.loads(message)
                    answer = getattr(Builder, call)(self, *arguments)
                    if call != "remove":
                        there.send(pickle.dumps(answer))
            finally:
                os._exit(0)
        there.close()

    def _ask(self, *message):
        self._here.send(pickle.dumps(message))
        return pickle.loads(self._here.recv(MOST_BYTES))

    def build(self, folder, disk):
        self._ask("build", folder, disk)

    def taken(self, folder):
        return self._ask("taken", folder)

    def fingerprint(self, folder):
        return self._ask("fingerprint", folder)

    def remove(self, folder):
        self._here.send(pickle.dumps(("remove", folder)))

    def finish(self):
        """Wait until all is removed."""
        self._here.close()
        os.waitpid(self._pid, 0)


class Sweeper:
    """A process that unmounts and removes what is done with: an unmount waits long for the kernel."""

    def __init__(self, builder):
        here, self._pipe = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._pipe)
            try:
                with open(here, encoding="ascii") as names:
                    for name in names:
                        sweep(os.path.abspath(name.strip()), builder)
            finally:
                os._exit(0)
        os.close(here)

    def sweep(self, name):
        """Take a case's folder away, some time."""
        os.write(self._pipe, f"{name}\n".encode("ascii"))

    def finish(self):
        """Wait until all is taken away."""
        os.close(self._pipe)
        os.waitpid(self._pid, 0)


def sweep(folder, builder):
    """Unmount what lies in a folder, and remove it."""
    with contextlib.suppress(OSError):
        live.umount(f"{folder}/m")
    builder.remove(folder)
