"""A box for a program that is not trusted: no network, no other process, and nothing to write but one folder.

    python box.py FOLDER ARGUMENTS...    run this Python with the arguments, in the box

Linux only. It takes away what can be taken away without help from the system.
It is no proof against an attack on the kernel, and the program can still read
what its user can read.
"""

import ctypes
import os
import resource
import signal
import struct
import sys

NEWNS, NEWUSER, NEWPID, NEWNET, NEWIPC = 0x20000, 0x10000000, 0x20000000, 0x40000000, 0x8000000
BIND, PRIVATE_ALL = 0x1000, 0x44000
MOUNT_SETATTR, RDONLY, RECURSIVE, HERE = 442, 1, 0x8000, -100
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 100_000_000,
    resource.RLIMIT_DATA: 4_000_000_000,
    resource.RLIMIT_NPROC: 2000,
}
LIBC = ctypes.CDLL(None, use_errno=True)


def main(folder, *arguments):
    """Shut the box, and run in it; return the exit status."""
    folder, inside = os.path.realpath(folder), os.getcwd()
    if os.geteuid() != 0:
        call("unshare", NEWUSER)
        map_ids("self")
    ready = mapper()
    call("unshare", NEWNS)
    call("mount", b"none", b"/", None, PRIVATE_ALL, None)
    call("mount", os.fsencode(folder), os.fsencode(folder), None, BIND, None)
    read_only("/", RECURSIVE, True)
    read_only(folder, 0, False)
    # A user namespace more: what was made read-only cannot be made writable again there.
    call("unshare", NEWUSER | NEWNS | NEWPID | NEWNET | NEWIPC)
    ready()
    os.chdir(inside)
    return parent(child) if (child := os.fork()) else program(arguments)


def mapper():
    """A process that maps our ids when we have entered the last user namespace: by then /proc is read-only for us.

    Returns:
        A function that has it done.
    """
    (read_go, write_go), (read_done, write_done), target = os.pipe(), os.pipe(), os.getpid()
    helper = os.fork()
    if not helper:
        os.close(write_go)
        status = 1
        try:
            if os.read(read_go, 1):
                map_ids(target)
                os.write(write_done, b".")
                status = 0
        finally:
            os._exit(status)
    os.close(write_done)

    def ready():
        os.write(write_go, b".")
        done = os.read(read_done, 1)
        os.waitpid(helper, 0)
        if not done:
            raise OSError("the ids could not be mapped")
        os.close(write_go), os.close(read_go), os.close(read_done)

    return ready


def map_ids(process):
    """Let a user namespace know this user alone, under its own number."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{os.geteuid()} {os.geteuid()} 1"),
        ("gid_map", f"{os.getegid()} {os.getegid()} 1"),
    ):
        with open(f"/proc/{process}/{name}", "w", encoding="ascii") as file:
            file.write(text)


def read_only(path, flags, taken):
    """mount_setattr(2): make the mounts at and below a path read-only, or one writable."""
    attributes = struct.pack("QQQQ", RDONLY if taken else 0, 0 if taken else RDONLY, 0, 0)
    call("syscall", MOUNT_SETATTR, HERE, os.fsencode(path), flags, attributes, ctypes.c_size_t(len(attributes)))


def parent(child):
    """Wait for the program; when this process ends, so does all that the program started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256


def program(arguments):
    """Run Python with some limits on what it may use."""
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for limit, value in LIMITS.items():
        hard = resource.getrlimit(limit)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (most, most))
    os.execv(sys.executable, [sys.executable, *arguments])


def call(name, *arguments):
    """A call of libc, its error as OSError."""
    if getattr(LIBC, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
