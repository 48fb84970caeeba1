"""The small shell: what a line means, where it is wrong, and what each command does."""

import pytest

import overlaylab as ol
from overlaylab.linux.proof.invariants import Guard
from overlaylab.linux.shell import MOST_CALLS, MOST_LINES, carry_out
from overlaylab.linux.shell_parser import Command, parse


def bowl():
    folders = ol.page_overlay()
    return ol.Overlay(lowerdirs=[folders["Fruits"], folders["Vegetables"]], upperdir=folders["Meat"])


class Session:
    """A player and its shell, checked after every command."""

    def __init__(self, overlay=None):
        self.player = ol.linux.Player(overlay or bowl())
        self.guard = Guard(self.player.overlay)

    def __call__(self, line):
        said = carry_out(parse(line), self.player.do)
        self.guard.check()
        return said

    def out(self, line):
        return "\n".join(self(line).lines)

    def errors(self, line):
        return [(each.key, ol_errno(each.errno)) for each in self(line).complaints]


def ol_errno(number):
    import errno

    return errno.errorcode.get(number, "")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rm /a", Command("rm", frozenset(), ("/a",))),
        ("  rm   -rf  a b ", Command("rm", frozenset("rf"), ("a", "b"))),
        ("rm -- -r", Command("rm", frozenset(), ("-r",))),
        ("rm '-r'", Command("rm", frozenset(), ("-r",))),
        ("echo x > /a", Command("echo", frozenset(), ("x",), ">", "/a")),
        ("echo x>>/a", Command("echo", frozenset(), ("x",), ">>", "/a")),
        ("> /a echo x", Command("echo", frozenset(), ("x",), ">", "/a")),
        ("> /a", Command("echo", frozenset("n"), (), ">", "/a")),
        ("echo -n -n x", Command("echo", frozenset("n"), ("x",))),
        ("echo x -n", Command("echo", frozenset(), ("x", "-n"))),
        ("echo 'a b' \"c > d\" e\\ f", Command("echo", frozenset(), ("a b", "c > d", "e f"))),
        ("echo a'b'c", Command("echo", frozenset(), ("abc",))),
        ("echo ''", Command("echo", frozenset(), ("",))),
        ("echo '*' '$x'", Command("echo", frozenset(), ("*", "$x"))),
        ("ls # a note", Command("ls")),
        ("chmod -x,u+w f", Command("chmod", frozenset(), ("-x,u+w", "f"))),
        ("ln -s 名前 /ü", Command("ln", frozenset("s"), ("名前", "/ü"))),
        ("cat a >> b", Command("cat", frozenset(), ("a",), ">>", "b")),
    ],
)
def test_a_line_is_read(line, expected):
    assert parse(line) == expected


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("", 1),
        ("   ", 1),
        ("# nothing", 1),
        ("dd if=x", 1),
        ("  vim x", 3),
        ("rm", 3),
        ("mv a", 5),
        ("ls -z", 5),
        ("rm -rz a", 6),
        ("echo a | cat", 8),
        ("rm a; rm b", 5),
        ("rm *", 4),
        ("echo $HOME", 6),
        ("cat < a", 5),
        ("echo 'a", 6),
        ("echo a\\", 7),
        ("echo a >", 9),
        ("echo a > b > c", 12),
        ("ls > x", 4),
        ("ln a b c", 8),
        ("readlink a b", 12),
        ("chmod 600", 10),
        ("rm \0", 4),
        ("echo " + "x" * 1000, 1001),
        ("`id`", 1),
        ("cd /", 1),
        ("sudo rm x", 1),
    ],
)
def test_what_is_not_understood_is_refused_with_its_position(line, at):
    with pytest.raises(ol.errors.Finding) as refused:
        parse(line)

    assert refused.value.problem.kind == "wrong-call"
    assert refused.value.problem.where == f"command, character {at}"


def test_writing_and_reading():
    run = Session()

    assert run.out("cat /Apple /Beef") == "Apple from Fruits\nBeef from Meat"
    run("echo new > Apple")
    run("echo more >> Apple")
    run("echo -n fresh >> /made")
    assert run.out("cat Apple") == "new\nmore"
    assert run.out("cat made") == "fresh"
    run("> Apple")
    assert run.out("cat Apple") == ""
    run("cat Beef Pork > both")
    assert run.out("cat both") == "Beef from Meat\nPork from Meat"
    assert run.errors("echo x > /no/where") == [("echo.open", "ENOENT")]
    assert run.errors("echo x >> /") == [("echo.open", "EISDIR")]
    assert run.player.system.files == {}


def test_names_are_made_moved_and_removed():
    run = Session()
    run("mkdir -p a/b/c")
    run("mkdir -p a/b")
    run("mv Apple Orange a/b")
    run("ln -s b a/link")
    run("ln Beef a")
    run("touch Pork fresh")

    assert run.out("find a").split() == ["a", "a/Beef", "a/b", "a/b/Apple", "a/b/Orange", "a/b/c", "a/link"]
    assert run.out("readlink a/link") == "b"
    assert run.out("ls -l Beef").startswith("-rw-r--r-- 2 0:0")
    assert "-> b" in run.out("ls -l a")
    run("cp -r a z")
    assert run.out("cat z/b/Apple") == "Apple from Fruits"
    assert run.errors("rmdir a") == [("rmdir.remove", "ENOTEMPTY")]
    assert run.errors("rm a") == [("rm.remove", "EISDIR")]
    run("rm -r a")
    assert run.errors("ls a") == [("ls.access", "ENOENT")]
    assert run.errors("rm -f a nothing") == []
    assert ol.is_whiteout(run.player.overlay.upperdir.names["Apple"])


@pytest.mark.parametrize(
    ("mode", "bits"),
    [
        ("600", "-rw-------"),
        ("u+x", "-rwxr--r--"),
        ("a-r", "--w-------"),
        ("go=rw,u=", "----rw-rw-"),
        ("+x", "-rwxr-xr-x"),
        ("4755", "-rwsr-xr-x"),
    ],
)
def test_permissions_are_octal_or_in_letters(mode, bits):
    run = Session()
    run(f"chmod {mode} Apple")

    assert run.out("ls -l Apple").startswith(bits)
    assert f"/{bits})" in run.out("stat Apple")


@pytest.mark.parametrize(
    ("line", "errors"),
    [
        ("mv box new", [("mv.move", "EXDEV")]),
        ("mv nothing new", [("mv.move", "ENOENT")]),
        ("mv f box f2 /nodir", [("mv.many", "ENOTDIR")]),
        ("mv / x", [("mv.move", "EBUSY")]),
        ("cp box new", [("cp.directory", "EISDIR")]),
        ("cp -r box box/in", [("cp.itself", "EINVAL")]),
        ("cp f f", [("cp.same", "")]),
        ("cp nothing x", [("cp.stat", "ENOENT")]),
        ("ln nothing x", [("ln.hard", "ENOENT")]),
        ("ln box x", [("ln.hard", "EPERM")]),
        ("ln -s f f2", [("ln.symbolic", "EEXIST")]),
        ("mkdir f", [("mkdir.create", "EEXIST")]),
        ("mkdir -p f/x", [("mkdir.create", "EEXIST")]),
        ("mkdir no/x", [("mkdir.create", "ENOENT")]),
        ("rmdir f", [("rmdir.remove", "ENOTDIR")]),
        ("cat box nothing", [("cat.read", "EISDIR"), ("cat.read", "ENOENT")]),
        ("chmod 999 f", [("chmod.mode", "")]),
        ("chmod 600 nothing", [("chmod.change", "ENOENT")]),
        ("stat f/x", [("stat.stat", "ENOTDIR")]),
        ("find nothing", [("find.find", "ENOENT")]),
        ("touch no/x", [("touch.touch", "ENOENT")]),
        ("readlink f", [("stat.stat", "EINVAL")]),
    ],
)
def test_what_fails_says_which_error(line, errors):
    run = Session(
        ol.Overlay(lowerdirs=[ol.make_tree({"box": {"old": "x"}, "f": "f", "f2": "2"})], upperdir=ol.Directory())
    )

    assert run.errors(line) == errors


def test_output_and_calls_are_bounded():
    many = ol.make_tree({"d": {f"n{i:05}": "x" for i in range(3000)}})
    run = Session(ol.Overlay(lowerdirs=[many], upperdir=ol.Directory()))
    for line in ("ls d", "ls -l d", "find d"):
        said = run(line)
        assert len(said.lines) == MOST_LINES and said.more > 0
    before = run.player.position
    said = run("rm -r d")

    assert [each.key for each in said.complaints] == ["limit"]
    assert run.player.position - before == MOST_CALLS
    run.player.go(0)
    assert run.player.overlay.upperdir.names == {}


def test_a_file_whose_content_was_not_kept_is_said_to_be_so_and_nothing_is_half_done():
    lower = ol.Directory(names={"big": ol.File(size=9, sha256="0" * 64, data=None)})
    run = Session(ol.Overlay(lowerdirs=[lower], upperdir=ol.Directory()))

    assert [each.key for each in run("cat big").complaints] == ["content"]
    run("echo x >> big")
    run("rm big")
    run.player.go(0)
    assert run.player.overlay.upperdir.names == {}
