"""Harm real inputs for as long as asked, and put every command to each: ``python -m tests.support.fuzz --minutes 30``.

Anything but exit 0, 1 or 2 with a typed answer is a find; so is an input that takes long, needs much memory, or makes a
reader touch something outside of it. Each find is printed with the seed that makes it again.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import random
import signal
import sys
import tarfile
import tempfile
import time
import traceback
from pathlib import Path

from overlaylab.cli.commands import run
from overlaylab.errors import KINDS
from overlaylab.stores.files.workers import Workers
from tests.support import realdata
from tests.support.builders import DATA, unpack
from tests.support.harm import harmed, harmed_archive, harmed_database, members_of, packed
from tests.support.harm_folder import harmed_folder

SECONDS, SPACE, SLOW, LARGE, BATCH = 60, 3 << 30, 10, 1 << 20, 25
NAMES = [
    *realdata.NAMES,
    "control-bolt.db",
    *(f"{name}:{file}.db" for name in realdata.CONTAINERD for file in ("meta", "metadata")),
]
# Children hash the smallest blobs, too.
Workers.__init__.__defaults__ = (0, 0, True)
# What a reader of files may do, but not outside of its input; what it may never do.
READS = {"open", "os.listdir", "os.scandir", "os.listxattr", "os.getxattr"}
WRITES = {
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "os.chmod",
    "os.chown",
    "os.utime",
    "os.truncate",
    "os.setxattr",
    "os.removexattr",
    "os.exec",
    "os.posix_spawn",
    "os.system",
    "subprocess.Popen",
    "socket.connect",
    "os.chdir",
    "os.mkfifo",
    "os.mknod",
}


class TooSlow(BaseException):
    """The time of one call is over."""


class Watch:
    """What the process may touch: the input and Python's own files."""

    def __init__(self, spool):
        self.spool, self.input, self.touched, self.upwards = spool, None, [], False
        self._own = tuple(
            os.path.realpath(path)
            for path in {sys.prefix, sys.base_prefix, str(Path(__file__).parent.parent.parent), "/dev/null", *sys.path}
            if path
        )
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if self.input is None or event not in READS | WRITES:
            return
        path = os.fsdecode(arguments[0]) if arguments and isinstance(arguments[0], (str, bytes, os.PathLike)) else ""
        # An attribute is read of a link itself, and O_NOFOLLOW never opens what a link leads to.
        itself = "xattr" in event or (event == "open" and arguments[2] & os.O_NOFOLLOW)
        place = (
            os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
            if itself
            else os.path.realpath(path)
            if path
            else ""
        )
        if event in WRITES:
            self.touched.append(f"{event} {path}")
        elif event == "os.listdir" and self.input.startswith(place) and self.upwards:
            return
        elif place and not place.startswith((self.input, self.spool, *self._own)):
            self.touched.append(f"{event} {path}")
        elif (
            event == "open"
            and place.startswith(self.input)
            and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        ):
            self.touched.append(f"writes {path}")


def asked(arguments):
    """One call of the command line: its exit status and its answer."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = run([arguments[0], "--json", "--max-expand", str(64 << 20), *arguments[1:]])
    text = out.getvalue()
    assert text.isascii(), "not ASCII"
    value = json.loads(text)
    assert status in (0, 1, 2), f"exit status {status}"
    if isinstance(value, dict) and "problems" in value:
        assert all(problem["kind"] in KINDS for problem in value["problems"])
        assert value.get("ok", True) or value["problems"]
        assert status == 2 or (status == 0) == (
            not any(problem["severity"] == "error" for problem in value["problems"])
        ), f"{status} with {value['problems']}"
    else:
        assert status == 0, f"{status} without problems"
    return status, value


def calls(path, chance):
    """``verify`` and ``inspect``, and other commands with what ``inspect`` names."""
    yield ["verify", path]
    _status, facts = yield ["inspect", path]
    targets = [image["config_digest"] or image["id"] for image in facts.get("images", ())] + [
        item["id"] for item in facts.get("containers", ())
    ]
    names = [name for image in facts.get("images", ()) for name in image["names"]]
    queries = [chance.choice(some) for some in (targets, names) if some] or ["kit/app:1"]
    for command in chance.sample(["tree", "layers", "mount", "verify"], 2):
        yield [command, path, "--", chance.choice(queries)]
    yield chance.choice([["owners", path], ["id", chance.choice(["7bbf", "1", "sha256:5", "a"]), path]])


def _most_memory():
    """The most memory that this process ever had, in KiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def looked_at(path, chance, watch, report):
    """Put the calls to one input; `report` gets each find."""
    questions = calls(path, chance)
    answer = None
    while True:
        try:
            arguments = questions.send(answer)
        except StopIteration:
            return
        answer, start, before = (0, {}), time.monotonic(), _most_memory()
        watch.touched.clear()
        # A path that is no store may lie in one.
        watch.input, watch.upwards = os.path.realpath(path), arguments[0] == "owners"
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            answer = asked(arguments)
        except TooSlow:
            report(arguments, f"more than {SECONDS} s\n{traceback.format_exc(limit=-6)}")
        except BaseException:
            report(arguments, traceback.format_exc(limit=-8))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            watch.input = None
        took, grown = time.monotonic() - start, _most_memory() - before
        if took > SLOW:
            report(arguments, f"slow: {took:.1f} s")
        if grown > LARGE:
            report(arguments, f"large: {grown >> 10} MiB more")
        if watch.touched:
            report(arguments, f"touched outside: {sorted(set(watch.touched))[:5]}")


def made(original, seed, folder):
    """The harmed input of one seed."""
    chance = random.Random(seed)
    path = os.path.join(folder, "input")
    kind, members = original
    if kind == "database":
        data = harmed_database(members, chance) if chance.random() < 0.8 else harmed(members, chance)
    elif kind == "folder" and os.name == "posix" and chance.random() < 0.6:
        with tarfile.open(fileobj=io.BytesIO(members[1])) as tar:
            # Without root there are no device nodes.
            unpack(tar, path, lambda member: os.geteuid() == 0 or not member.isdev())
        harmed_folder(path, chance)
        return path
    else:
        data = harmed_archive(members[0] if kind == "folder" else members, seed)
    Path(path).write_bytes(data)
    return path


def batch(name, original, start, folder, queue):
    """Some seeds in a process of its own, with little memory."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def late(*_):
        raise TooSlow

    signal.signal(signal.SIGALRM, late)
    spool = os.path.join(folder, "spool")
    os.makedirs(spool, exist_ok=True)
    tempfile.tempdir = spool
    watch = Watch(spool)
    for number in range(start, start + BATCH):
        seed = f"{name} {number}"
        queue.put(("begin", seed, ""))
        with tempfile.TemporaryDirectory(dir=folder) as place:
            path = made(original, seed, place)
            looked_at(
                path,
                random.Random(seed + "?"),
                watch,
                lambda arguments, what, seed=seed: queue.put(("find", seed, f"{arguments[0]}: {what}")),
            )
    queue.put(("done", "", ""))


def source(name):
    """What to harm, as ``(kind, members)``: an archive, a store that may also be a folder, a database alone."""
    name, _, database = name.partition(":")
    if not database and name not in realdata.NAMES:
        return "database", (DATA / "broken-images" / name).read_bytes()
    members = members_of(realdata.archive(name))
    if database:
        return "database", next(data for info, data in members if info.name.endswith(f"/{database}"))
    if name not in realdata.UNPACKED:
        return "archive", members
    return "folder", (members, packed(members))


def main(arguments=None):
    """Harm inputs until the time is over; print the finds and a count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--start", type=int, default=0, help="the number of the first seed")
    parser.add_argument("--folder", default=None, help="where inputs are written")
    parser.add_argument("names", nargs="*", help="only inputs whose names have one of these in them")
    options = parser.parse_args(arguments)
    known = {name: source(name) for name in NAMES if not options.names or any(part in name for part in options.names)}
    deadline, number, rounds, finds = time.monotonic() + 60 * options.minutes, options.start, 0, 0
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        while time.monotonic() < deadline:
            for name, original in known.items():
                queue, seed = context.SimpleQueue(), ""
                process = context.Process(target=batch, args=(name, original, number, folder, queue))
                process.start()
                while True:
                    if queue.empty() and not process.is_alive():
                        finds += 1
                        print(f"FIND {seed}\nthe process ended: {process.exitcode}", flush=True)
                        break
                    if queue.empty():
                        time.sleep(0.005)
                        continue
                    what, said, text = queue.get()
                    if what == "done":
                        break
                    seed, rounds, finds = said, rounds + (what == "begin"), finds + (what == "find")
                    if what == "find":
                        print(f"FIND {said}\n{text}", flush=True)
                process.join()
            number += BATCH
    print(f"{rounds} rounds over {len(known)} inputs, {finds} finds, seeds up to {number}")
    return int(finds > 0)


if __name__ == "__main__":
    sys.exit(main())
