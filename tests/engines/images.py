"""What our engines build: small images with everything that layers make difficult, and containers on top."""

import shutil
from pathlib import Path

from builders import member, tar

COMMANDS = "sh true echo cat cp mv rm mkdir ln chmod chown touch sleep mkfifo".split()
OFF = ["--network", "none"]

# Every line stands for a kind of change: removed, replaced by another kind, repeated, empty, made and removed at once.
CHANGES = """
FROM kit/base:1
ENV LEVEL=app
RUN rm /etc/motd && echo level=app >> /etc/config
RUN true
RUN rm -rf /app/cache && mkdir /app/cache && echo fresh > /app/cache/fresh
RUN rm -rf /opt/old
RUN rm -rf /data/dir-to-file && echo 'now a file' > /data/dir-to-file && \\
    rm -rf /data/dir-to-link && ln -s /etc /data/dir-to-link
RUN rm /data/file-to-dir && mkdir /data/file-to-dir && echo in > /data/file-to-dir/inside
RUN rm /data/link-to-dir && mkdir /data/link-to-dir && echo in > /data/link-to-dir/inside
RUN echo changed >> /data/hard2
RUN echo 'back again' > /etc/motd && chmod 4755 /app/main.txt && chown 1000:1000 /app/lib/a.txt && mkfifo /data/queue
COPY same.txt /data/same.txt
COPY same.txt /data/same.txt
RUN echo temp > /tmp/gone && rm /tmp/gone
RUN echo 1 > /var/spool/f && mkdir /var/spool/new && ln /var/spool/f /var/spool/g
RUN rm -rf /var/spool/new && rm /var/spool/f && echo 2 > /var/spool/f
WORKDIR /made/by/workdir
CMD ["/bin/sleep", "100000"]
"""
BASE = 'FROM scratch\nADD rootfs.tar /\nLABEL org.example.kit="base"\nCMD ["/bin/sleep", "100000"]\n'
SIBLING = "FROM kit/base:1\nCOPY same.txt /data/same.txt\nRUN rm -rf /app && ln -s data /app\n"
DANGLING = "FROM kit/base:1\nRUN echo nobody names me > /unnamed\n"
# So many layers that the mount options with full paths do not fit in one page.
DEEP = "FROM kit/base:1\n" + "".join(f"COPY same.txt /deep/{number:02d}\n" for number in range(60))

WRITES = """
rm -rf /app/cache /etc/config && mkdir /app/cache && echo mine > /app/cache/mine
echo more >> /data/hard1 && mv /data/hard3 /moved && chmod 700 /opt && ln -s nowhere /dangling
rm -rf /data/link-to-dir && echo "$0" > /data/link-to-dir && mkfifo /pipe && touch /ready && exec sleep 100000
"""


def shell():
    """A program for RUN that needs nothing beside it."""
    found = shutil.which("busybox", path="/bin:/usr/bin")
    assert found, "RUN needs a static shell: the package busybox-static"
    program = Path(found).read_bytes()
    # A program that needs a loader names it near its start.
    assert b"/ld-" not in program[:4096], f"{found} is not static: the package busybox-static has one that is"
    return program


def rootfs():
    """The tar that the lowest layer is made from."""
    folders = "bin etc app app/cache app/cache/deep app/lib data data/dir-to-file data/dir-to-link"
    folders += " opt opt/old opt/old/sub tmp var var/spool"
    latin = b"data/latin1-caf\xe9.txt".decode("utf-8", "surrogateescape")
    capability = bytes.fromhex("0100000200040000000000000000000000000000").decode("utf-8", "surrogateescape")
    return tar(
        *(member(name, kind="dir", mode=0o1777 if name == "tmp" else None) for name in folders.split()),
        member("bin/busybox", shell(), mode=0o755),
        *(member(f"bin/{name}", kind="symlink", link="busybox", mode=0o777) for name in COMMANDS),
        member("etc/motd", b"welcome to the base layer\n"),
        member("etc/config", b"level=base\n"),
        member("app/main.txt", b"main v1\n"),
        member("app/lib/a.txt", b"a\n"),
        member("app/cache/old", b"old cache\n"),
        member("app/cache/deep/older", b"older cache\n"),
        member("data/dir-to-file/x", b"x\n"),
        member("data/dir-to-link/y", b"y\n"),
        member("data/file-to-dir", b"i am a file\n"),
        member("data/link-to-dir", kind="symlink", link="/opt", mode=0o777),
        member("data/hard1", b"shared inode\n"),
        *(member(f"data/hard{number}", kind="hardlink", link="data/hard1") for number in (2, 3)),
        member("opt/old/one", b"1\n"),
        member("opt/old/sub/two", b"2\n"),
        member("data/empty"),
        member("data/" + "n" * 120, b"long name\n"),
        member("data/na\u00efve-\u03ba\u03b1\u03bb\u03b7-\u65e5\u672c-\U0001f433.txt", b"unicode name\n"),
        member(latin, b"this name is not utf-8\n"),
        member("data/with space\tand tab", b"blank\n"),
        member("data/suid", b"#!/bin/sh\n", mode=0o4755),
        member("data/sgid", kind="dir", mode=0o2775, gid=50),
        member("data/noperm", b"secret\n", mode=0),
        member("data/bigid", b"big ids\n", uid=3_000_000, gid=4_000_000),
        member("data/pipe", kind="fifo", mode=0o622),
        member("data/null", kind="char", rdev=(1, 3), mode=0o666),
        member("data/loop9", kind="block", rdev=(7, 9), mode=0o660),
        member("data/capable", b"#!/bin/sh\n", mode=0o755, pax={"SCHILY.xattr.security.capability": capability}),
        member("data/fraction", b"a time with nanoseconds\n", pax={"mtime": "1700000000.123456789"}),
        member("data/big", b"0123456789abcdef" * 4096),
    )


def build(daemon, folder, name, dockerfile):
    """Build with the classic builder, from a context that holds little."""
    folder.mkdir(exist_ok=True)
    (folder / "rootfs.tar").write_bytes(rootfs())
    (folder / "same.txt").write_bytes(b"the same content\n")
    (folder / "Dockerfile").write_text(dockerfile)
    tags = ["--tag", name] if name else []
    daemon.docker("build", "--quiet", *OFF, *tags, str(folder))


def build_all(daemon, folder):
    """All images and containers that the tests look at."""
    build(daemon, folder, "kit/base:1", BASE)
    build(daemon, folder, "kit/app:1", CHANGES)
    build(daemon, folder, "kit/sibling:1", SIBLING)
    build(daemon, folder, None, DANGLING)
    build(daemon, folder, "kit/deep:1", DEEP)
    daemon.docker("tag", "kit/app:1", "kit/app:latest")
    daemon.docker("tag", "kit/app:1", "localhost:5000/team/app:v1.2")
    (folder / "imported.tar").write_bytes(
        tar(member("only", b"one layer\n"), member("also", kind="hardlink", link="only"))
    )
    daemon.docker("import", str(folder / "imported.tar"), "kit/imported:1")
    run(daemon, "web", "kit/app:1", "/bin/sh", "-c", WRITES)
    daemon.docker("commit", "web", "kit/committed:1")
    run(daemon, "deep", "kit/deep:1")
    daemon.docker(
        "run", *OFF, "--name", "done", "kit/sibling:1", "/bin/sh", "-c", "rm -rf /data && echo done > /result"
    )
    daemon.docker("create", *OFF, "--name", "never", "kit/base:1")


def run(daemon, name, image, *command):
    """Start a container that stays; one that writes is waited for, so that it is still afterwards."""
    daemon.docker("run", "--detach", *OFF, "--name", name, image, *command)
    if command:
        daemon.docker("exec", name, "/bin/sh", "-c", "until [ -e /ready ]; do :; done")
