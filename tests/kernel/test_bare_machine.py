"""The notebooks on a machine that can do nothing: no mount, no user namespace, no network, no ``dot``, no Docker, no
file to write.

Their stored outputs come from there just as from a machine that can do all this.
"""

import os
import subprocess
import sys

import pytest
from lessonkit import ROOT
from tiers import tool

pytestmark = pytest.mark.tier("kernel")

# Who is in a chroot makes no user namespace; who has no capability mounts nothing. Kernels talk to their client over
# lo.
BARE = """
import ctypes, fcntl, os, socket, struct, subprocess, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1))
root, *command = sys.argv[1:]
subprocess.run(["mount", "--rbind", "/", root], check=True)
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", root + "/run"], check=True)
subprocess.run(["mount", "-o", "remount,bind,ro", root], check=True)
os.chroot(root)
os.chdir(command.pop(0))
os.execv(SETPRIV, [SETPRIV, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", *command])
"""


def bare(folder, *command):
    """Run a command on the machine that can do nothing; its temporary files go to a place of its own."""
    unshare = ["unshare", "--mount", "--net"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
    script = BARE.replace("SETPRIV", repr(tool("setpriv")))
    environment = {
        "PATH": "/nowhere",
        "TMPDIR": "/run",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OVERLAYLAB_PROGRESS": "off",
    }
    given = [
        sys.executable,
        "-c",
        script,
        str(folder),
        str(ROOT),
        "env",
        "-i",
        *(f"{name}={value}" for name, value in environment.items()),
    ]
    return subprocess.run([*unshare, *given, *command], capture_output=True, text=True, timeout=300)


# What the machine is said to be unable to do, tried.
TRIED = """
import ctypes, os, shutil, socket, sys
call = ctypes.CDLL(None, use_errno=True).unshare
assert (call(0x10000000), ctypes.get_errno()) == (-1, 1), "a user namespace"
assert (call(0x00020000), ctypes.get_errno()) == (-1, 1), "a mount namespace"
assert not shutil.which("dot") and not shutil.which("docker")
with socket.socket() as s:
    assert s.connect_ex(("192.0.2.1", 80)) == 101, "a network"
try:
    open(os.path.join(sys.argv[1], "a file"), "w")
except OSError as error:
    assert error.errno == 30, "a file to write"
else:
    raise AssertionError("a file was written")
"""


def test_the_bare_machine_is_bare(tmp_path):
    tried = bare(tmp_path, sys.executable, "-c", TRIED, str(ROOT))

    assert (tried.returncode, tried.stderr) == (0, "")


def test_the_notebooks_are_the_same_there(tmp_path):
    checked = bare(tmp_path, sys.executable, "tools/notebooks.py", "--check")

    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
    assert checked.stdout.strip().endswith("notebooks are up to date.")
