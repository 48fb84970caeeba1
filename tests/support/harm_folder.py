"""Folders of this machine that are harmed in place: a store as an engine keeps it, with links to anywhere in it."""

import os
import shutil

from tests.support.harm import harmed


def harmed_folder(root, chance):
    """Harm a folder of this machine in place: entries that are gone, moved, links to anywhere, pipes, devices."""
    for _ in range(chance.randint(1, 3)):
        places = [os.path.join(place, name) for place, folders, files in os.walk(root) for name in (*folders, *files)]
        # What is near the root has more to say than the files of an image.
        places = sorted(places, key=lambda path: path.count("/"))[
            : max(40, len(places) // chance.choice([1, 2, 8, 32]))
        ]
        path, other = chance.choice(places), chance.choice(places)
        try:
            _harm_entry(path, other, chance)
        except OSError:
            continue


def _harm_entry(path, other, chance):
    what = chance.randrange(9)
    if what == 0 and os.path.isfile(path) and not os.path.islink(path):
        with open(path, "r+b") as file:
            data = harmed(file.read(), chance)
            file.seek(0)
            file.truncate()
            file.write(data)
        return
    if what == 1:
        os.rename(path, other + ".x")
        return
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
    match what:
        case 2 | 3:
            os.symlink(
                chance.choice(
                    [
                        "/etc",
                        "/etc/passwd",
                        "/",
                        ".",
                        "..",
                        "../" * 40 + "etc",
                        os.path.basename(path),
                        "nowhere",
                        other,
                    ]
                ),
                path,
            )
        case 4:
            os.mkfifo(path)
        case 5:
            os.mknod(
                path,
                *chance.choice(
                    [(0o20600, os.makedev(1, 5)), (0o20600, os.makedev(0, 0)), (0o60600, os.makedev(7, 99))]
                ),
            )
        case 6:
            os.link(other, path)
        case 7:
            os.mkdir(path)
