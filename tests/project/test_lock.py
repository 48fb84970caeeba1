"""The lock file of the tests' environment: exact versions and hashes, and all that pyproject.toml asks for."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "requirements-test.lock").read_text(encoding="utf-8")
ENTRIES = re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE).replace("\\\n", " ").splitlines()


def pinned():
    return [Requirement(entry.partition(" --hash")[0]) for entry in ENTRIES]


def test_it_names_no_index_and_no_address():
    assert "://" not in TEXT
    assert not re.search(r"^\s*-[^-]|^\s*--(?!hash=)|@", TEXT, flags=re.MULTILINE)


def test_every_entry_is_one_version_with_its_hashes():
    form = re.compile(r"[a-z0-9-]+==[^ =]+( ; [^\\]+?)?( +--hash=sha256:[0-9a-f]{64})+ *")

    assert len(ENTRIES) > 50
    assert [entry for entry in ENTRIES if not form.fullmatch(entry)] == []


def test_every_dependency_has_a_version_in_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    versions = {}
    for entry in pinned():
        versions.setdefault(entry.name, []).append(next(iter(entry.specifier)).version)

    for wanted in map(Requirement, [*project["dependencies"], *extras["test"], *extras["check"]]):
        found = versions[canonicalize_name(wanted.name)]
        assert found and all(wanted.specifier.contains(version) for version in found)
