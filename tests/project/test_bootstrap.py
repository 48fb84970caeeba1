"""The two commands: what they start, what they say when something basic is missing, what they do not do twice."""

import ast
import sys
from pathlib import Path

import bootstrap
import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Give bootstrap an empty project, and note what it would run instead of running it."""
    calls = []
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "GRADING", tmp_path / ".venv-grading")
    monkeypatch.setattr(
        bootstrap,
        "install",
        lambda base, python, wanted: (
            calls.append(wanted),
            python.parent.mkdir(parents=True, exist_ok=True),
            python.touch(),
        ),
    )
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    return tmp_path, calls


def test_an_old_python_can_read_the_file():
    text = (ROOT / "tools" / "bootstrap.py").read_text(encoding="utf-8")

    assert ast.parse(text, feature_version=(3, 6))


def test_an_old_python_is_told_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "OLDEST", (9, 99))
    monkeypatch.setattr(bootstrap, "STAMP", "no stamp")
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)

    assert bootstrap.main(["setup"]) == 1
    assert "sudo apt install python3 python3-venv" in capsys.readouterr().err


def test_a_python_without_ensurepip_is_told_which_package_has_it(tmp_path, monkeypatch):
    (tmp_path / "ensurepip.py").write_text("raise ImportError\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(bootstrap.Missing, match="sudo apt install python{}.{}-venv".format(*sys.version_info)):
        bootstrap.check_venv(sys.executable)


def test_what_is_installed_is_not_installed_again(project):
    _, calls = project
    bootstrap.environment(["test"])
    bootstrap.environment(["test"])

    assert calls == [["test"]]


def test_an_extra_stays_and_new_dependencies_are_noticed(project):
    folder, calls = project
    bootstrap.environment(["test", "browser"])
    bootstrap.environment(["test"])
    (folder / "pyproject.toml").write_text("[project]\nname = 'changed'\n", encoding="utf-8")
    bootstrap.environment(["test"])

    assert calls == [["browser", "test"], ["browser", "test"]]


def test_nbgrader_has_an_environment_of_its_own_and_only_when_asked_for(project, monkeypatch):
    folder, calls = project
    monkeypatch.setattr(bootstrap, "run", lambda command, *rest, **options: 0)
    for require in ("kernel", "grading", "grading"):
        bootstrap.main(["test", "--require", require])

    assert calls == [["test"], ["grading"]]
    assert (folder / ".venv-grading" / "overlaylab.stamp").read_text().split()[1:] == ["grading"]


def test_grading_runs_where_the_user_stands(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(
        bootstrap, "run", lambda command, environment=None, folder=None: calls.append((command[1:], folder))
    )
    monkeypatch.chdir(tmp_path)
    bootstrap.main(["grade", "submitted", "--here", "--csv", "x.csv"])

    assert calls == [([str(ROOT / "tools" / "grading"), "grade", "submitted", "--csv", "x.csv"], str(tmp_path))]


def test_the_lab_starts_on_the_map_with_our_settings_first(monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "theirs")

    assert "--LabApp.default_url=/lab/tree/00_map.ipynb" in bootstrap.lab_command("python")
    assert bootstrap.lab_environment()["JUPYTER_CONFIG_PATH"].split(bootstrap.os.pathsep) == [
        str(ROOT / "jupyter_config"),
        "theirs",
    ]


@pytest.mark.parametrize(
    ("require", "wanted"),
    [("", ["test"]), ("kernel", ["test"]), ("kernel,browser", ["test", "browser"]), ("all", ["test", "browser"])],
)
def test_the_browser_is_installed_only_when_asked_for(require, wanted):
    assert bootstrap.extras(bootstrap.parse(["test", "--require", require])) == wanted


def test_clean_removes_only_what_is_ours(project):
    folder, _ = project
    for kept in ("notebooks/00_map.ipynb", "mine/__pycache__/x.pyc"):
        (folder / kept).parent.mkdir(parents=True)
        (folder / kept).touch()
    for ours in (
        ".venv/bin/python",
        ".venv-grading/bin/python",
        ".pytest_cache/x",
        "tests/unit/__pycache__/x.pyc",
        "notebooks/.ipynb_checkpoints/x",
    ):
        (folder / ours).parent.mkdir(parents=True)
        (folder / ours).touch()
    bootstrap.clean()

    left = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert left == ["mine/__pycache__/x.pyc", "notebooks/00_map.ipynb", "pyproject.toml"]
