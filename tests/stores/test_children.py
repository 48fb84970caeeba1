"""Child processes that hash return what the parent would have computed, also when they are killed.

A program of one thread runs them.
"""

import json
import os
import select
import signal
import subprocess
import sys

import pytest
import realdata
from builders import docker_archive, member, tar, write

FORKS = sys.platform == "linux"

EVERY_INPUT = """
import json, sys
from functools import partial
import overlaylab as ol
from overlaylab.stores.audit.layer_reader import LayerReader
from overlaylab.stores.audit.validation import report_facts
from overlaylab.stores.files import workers

begun = []
born = workers.Child.__init__
workers.Child.__init__ = lambda self, *arguments: (begun.append(1), born(self, *arguments))[1]

def judged(path, **options):
    try:
        return report_facts(ol.validate(ol.open_store(path), **options))
    except ol.InputError as error:
        return str(error)

def children(**options):
    blobs = partial(workers.ParallelReader, workers=workers.Workers(2, too_little=0, threads=False))
    return partial(LayerReader, digests=False, blobs=blobs, **options)

narrow = ol.limits.Limits(expanded=20_000, free=20_000, entries=200, path=2_000)
different = []
for path in sys.argv[1:]:
    plain = judged(path)
    if judged(path, reader_of=children()) != plain:
        different.append(path)
    if judged(path, reader_of=children(limits=narrow)) != judged(path, limits=narrow):
        different.append("narrow: " + path)
print(json.dumps([different, len(begun)]))
"""


def told(program, *arguments):
    """What a program says in JSON; it begins with one thread, unlike the one that runs the tests."""
    return json.loads(
        subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout
    )


def test_children_find_what_one_process_finds_in_every_input():
    different, begun = told(EVERY_INPUT, *realdata.inputs())

    assert different == []
    assert begun > 50 or not FORKS


HARM = """
import json, os, signal, sys
from overlaylab.stores.files.workers import Workers

def work(item, progress):
    harm(item)
    progress(item)
    return item, os.getpid()

def harm(item):
    if os.getpid() == parent:
        return
    if item == 2:
        {harm}

parent = os.getpid()
heard = []
waits = Workers(2, too_little=0).submit_to_children(work, [5, 4, 3, 2, 1], [5, 4, 3, 2, 1], heard.append)
results = [waits[number]() for number in range(5)]
results += [waits[number]() for number in reversed(range(5))][::-1]
print(json.dumps([[item for item, _ in results], [pid == parent for _, pid in results][:5], sum(heard)]))
"""


@pytest.mark.skipif(not FORKS, reason="processes are copied on Linux only")
@pytest.mark.parametrize(
    "harm",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "raise RuntimeError",
        "sys.exit(3)",
        "raise KeyboardInterrupt",
        "os._exit(0)",
    ],
)
def test_what_a_child_does_not_bring_is_done_here(harm):
    items, here, heard = told(HARM.format(harm=harm))

    assert items == [5, 4, 3, 2, 1] * 2
    # Of the two shares, 5 2 1 and 4 3, one child ends within the second item.
    assert here == [False, False, False, True, True]
    assert heard >= 5 + 4 + 3 + 2 + 1


ORPHAN = """
import os, sys, time
from overlaylab.stores.files.workers import PROGRESS_STEP
from overlaylab.stores.files.workers import Workers

def work(item, progress):
    print(os.getpid(), flush=True)
    while True:
        progress(PROGRESS_STEP)
        time.sleep(0.01)

Workers(1, too_little=0).submit_to_children(work, [1], [1], None)
sys.stdin.read()
os._exit(0)
"""


@pytest.mark.skipif(not FORKS, reason="processes are copied on Linux only")
def test_a_child_ends_when_nobody_is_there_any_more():
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        child = int(process.stdout.readline())
        process.stdin.close()
        process.wait(60)
        # The child has this end open as long as it lives.
        ended = select.select([process.stdout], [], [], 60)[0]
        if not ended:
            os.kill(child, signal.SIGKILL)
    assert ended, "the child goes on"


@pytest.mark.skipif(not FORKS, reason="processes are copied on Linux only")
def test_the_command_hashes_in_children_and_says_how_much_was_read(tmp_path):
    layers = [tar(member("f", os.urandom(1 << 20) * 12)), tar(member("g", b"x" * 300))]
    path = write(tmp_path, docker_archive((layers, {})))
    program = f"""
import json, overlaylab as ol
from functools import partial
from overlaylab.stores.audit.layer_reader import LayerReader
from overlaylab.stores.files import workers
read, blobs = [], partial(workers.ParallelReader, workers=workers.Workers(2))
reader_of = partial(LayerReader, progress=read.append, digests=False, blobs=blobs)
report = ol.validate(ol.open_store({str(path)!r}), reader_of=reader_of)
print(json.dumps([report.ok, sum(read), len(read)]))
"""
    ok, count, times = told(program)

    assert ok and count == sum(map(len, layers))
    assert times <= 4


SCARCE = """
import json, os
from overlaylab.stores.files import workers

forks = iter([os.fork])
def fork():
    try:
        return next(forks)()
    except StopIteration:
        raise BlockingIOError(11, "no process to be had")
real, os.fork = os.fork, fork
before = len(os.listdir("/proc/self/fd"))
def work(item, progress):
    return item, os.getpid()

waits = workers.Workers(2, too_little=0).submit_to_children(work, [3, 2, 1], [3, 2, 1], None)
results = {number: wait() for number, wait in waits.items()}
of_children = [(number, item) for number, (item, pid) in results.items() if pid != os.getpid()]
print(json.dumps([of_children, len(os.listdir("/proc/self/fd")) - before]))
"""


@pytest.mark.skipif(not FORKS, reason="processes are copied on Linux only")
def test_where_no_process_is_to_be_had_nothing_is_lost():
    assert told(SCARCE) == [[[0, 3]], 0]
