"""A Docker of our own: containerd and dockerd with their own roots and sockets, and nothing of them left afterwards.

It shares no file with a Docker that runs on this machine, needs no network, and
changes no firewall rule.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import tiers

PATIENCE = 60
CONTAINERD = """
version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-run"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{folder}/containerd.sock"
"""
NO_NETWORK = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]


class Dockerd:
    """One dockerd with the classic store.

    Args:
        folder: Holds everything of it: ``root`` is its data root.
        driver: Its storage driver.
    """

    def __init__(self, folder, driver="overlay2"):
        self.folder, self.driver = Path(folder), driver
        self.root = self.folder / "root"
        self.host = f"unix://{self.folder}/docker.sock"
        self._processes = []

    def start(self):
        (self.folder / "containerd.toml").write_text(CONTAINERD.format(folder=self.folder))
        (self.folder / "dockerd.json").write_text("{}")
        self._spawn("containerd", "--log-level", "warn", "--config", f"{self.folder}/containerd.toml")
        wait_for("containerd", lambda: (self.folder / "containerd.sock").exists(), self._check)
        self._spawn(
            "dockerd",
            "--data-root",
            str(self.root),
            "--exec-root",
            f"{self.folder}/exec",
            "--pidfile",
            f"{self.folder}/docker.pid",
            "--host",
            self.host,
            "--containerd",
            f"{self.folder}/containerd.sock",
            "--config-file",
            f"{self.folder}/dockerd.json",
            "--storage-driver",
            self.driver,
            "--exec-opt",
            "native.cgroupdriver=cgroupfs",
            *NO_NETWORK,
        )
        wait_for("dockerd", lambda: self._client("version").returncode == 0, self._check)

    def stop(self):
        """Stop the containers, then the daemons, then take away whatever is still mounted."""
        running = self._client("ps", "--quiet").stdout.split()
        if running:
            self._client("kill", *running)
        for process in reversed(self._processes):
            end(process)
        end_shims(f"{self.folder}/containerd.sock")
        unmount_below(self.folder)

    def docker(self, *arguments, stdin=None):
        """Run the client and return what it prints; a failure shows what both sides say."""
        done = self._client(*arguments, stdin=stdin)
        assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout

    def try_docker(self, *arguments):
        """Run the client; its failure is an answer too."""
        return self._client(*arguments)

    def _client(self, *arguments, stdin=None):
        environment = os.environ | {
            "DOCKER_HOST": self.host,
            "DOCKER_CONFIG": f"{self.folder}/client",
            "DOCKER_BUILDKIT": "0",
        }
        environment.pop("DOCKER_CONTEXT", None)
        command = [tiers.tool("docker"), *arguments]
        return subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, timeout=PATIENCE)

    def _spawn(self, name, *arguments):
        # What dockerd starts in turn (runc, shims) lies where a user's search path may not lead.
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin", "/sbin", "/bin"])
        with (self.folder / f"{name}.log").open("w") as log:
            # In a session of its own, so that a Ctrl-C reaches us alone, and we can end things in order.
            command = [tiers.tool(name), *arguments]
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ | {"PATH": path}, start_new_session=True
            )
        self._processes.append(process)

    def _check(self):
        """Fail at once when a daemon ended, with its own words."""
        for process in self._processes:
            assert process.poll() is None, f"{process.args[0]} ended with {process.returncode}\n{self.logs()}"

    def logs(self, lines=25):
        """The end of both logs."""
        parts = []
        for log in sorted(self.folder.glob("*.log")):
            parts += [f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-lines:]]
        return "\n".join(parts)

    @contextmanager
    def frozen(self):
        """Hold the daemons still, so that whatever changes was changed by someone else."""
        for process in self._processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in self._processes:
                process.send_signal(signal.SIGCONT)


def wait_for(what, ready, check):
    """Poll until something is ready."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        check()
        assert time.monotonic() < deadline, f"{what} is not ready after {PATIENCE} seconds"
        time.sleep(0.05)


def end(process):
    """Ask a process to end, and insist."""
    process.terminate()
    try:
        process.wait(PATIENCE / 2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_shims(address):
    """End what containerd leaves behind for its containers if it had no time; known by our own socket's name."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"containerd-shim" in words[0] and address.encode() in words:
            os.kill(int(folder.name), signal.SIGTERM)


def mounts():
    """The lines of /proc/mounts as ``(place, type, options)``, octal escapes undone."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options, *_ = (field.encode().decode("unicode_escape") for field in line.split())
        yield place, kind, options


def unmount_below(folder):
    """Unmount all that is mounted at or below a folder, the innermost first."""
    places = [place for place, _, _ in mounts() if place == str(folder) or place.startswith(f"{folder}/")]
    for place in reversed(places):
        subprocess.run([tiers.tool("umount"), "--lazy", place], check=False)


def ground(folder):
    """Make sure that overlay mounts can have their layers in a folder: on an overlay itself they cannot."""
    names = [folder / name for name in ("lower", "upper", "work", "merged")]
    for name in names:
        name.mkdir(parents=True)
    options = f"lowerdir={names[0]},upperdir={names[1]},workdir={names[2]}"
    trial = subprocess.run(
        [tiers.tool("mount"), "-t", "overlay", "overlay", "-o", options, names[3]], capture_output=True
    )
    if trial.returncode == 0:
        subprocess.run([tiers.tool("umount"), names[3]], check=True)
    for name in names:
        shutil.rmtree(name)
    if trial.returncode != 0:
        subprocess.run([tiers.tool("mount"), "-t", "tmpfs", "-o", "size=1g", "tmpfs", folder], check=True)
    return folder


def fingerprint(folder):
    """Everything about a folder that a reader must leave as it is; the time of the last access is no such thing."""
    found = {}
    for place, folders, files in os.walk(os.fsencode(folder)):
        for name in [b".", *folders, *files]:
            path = os.path.join(place, name)
            info = os.lstat(path)
            found[path] = (
                info.st_mode,
                info.st_uid,
                info.st_gid,
                info.st_size,
                info.st_ino,
                info.st_mtime_ns,
                info.st_ctime_ns,
            )
            if os.path.isfile(path) and not os.path.islink(path):
                found[path] += (hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest(),)
    return found
