"""A real JupyterLab and a real browser, for tests that use the kit as a learner does.

``lab`` is the kit's own JupyterLab, started as ``make lab`` starts it, on a copy
of the notebooks. ``page`` opens it in Chromium, one fresh tab for each test::

    def test_the_slider_answers(page):
        page.open_notebook("01_image_config.ipynb")
        page.run_all()
        page.click("Flip a byte")
        expect(page.output("n01-07")).to_contain_text("another image ID")

Screenshots go to the folder named by OVERLAYLAB_SHOTS, else to the test's own.
"""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import bootstrap
import pytest
import tiers

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60_000
LIGHT = "JupyterLab Light"
CHROME_FLAGS = """
    --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-quic
    --disable-background-networking --disable-component-update --disable-sync
""".split()


class Lab:
    """A running JupyterLab: its address, its token, the folder it shows."""

    def __init__(self, folder):
        self.notebooks = folder / "notebooks"
        ignored = shutil.ignore_patterns(".ipynb_checkpoints")
        shutil.copytree(ROOT / "notebooks", self.notebooks, ignore=ignored)
        self.token = secrets.token_hex(8)
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = folder / "jupyterlab.log"
        self.process = self._start(folder)

    def _start(self, folder):
        command = bootstrap.lab_command(sys.executable, self.notebooks)
        command += [
            f"--ServerApp.port={self.port}",
            "--ServerApp.ip=127.0.0.1",
            f"--IdentityProvider.token={self.token}",
        ]
        command += ["--expose-app-in-browser"] + ([] if "--no-browser" in command else ["--no-browser"])
        own = {
            "CONFIG_DIR": "JUPYTER",
            "DATA_DIR": "JUPYTER",
            "RUNTIME_DIR": "JUPYTER",
            "WORKSPACES_DIR": "JUPYTERLAB",
            "SETTINGS_DIR": "JUPYTERLAB",
        }
        environment = bootstrap.lab_environment() | {
            f"{prefix}_{name}": str(folder / name.lower()) for name, prefix in own.items()
        }
        environment.pop("OVERLAYLAB_PROGRESS", None)  # here a learner works, on a copy
        with self.log.open("w", encoding="utf-8") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def wait(self, seconds=60):
        """Wait until the server answers."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.address}/api/status?token={self.token}", timeout=2).read()
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("JupyterLab did not start:\n" + self.log.read_text(encoding="utf-8"))

    def stop(self):
        """End the server and, with it, its kernels."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


class LabPage:
    """One tab on the lab. ``tab`` is Playwright's own page, for what has no helper here.

    ``outside`` lists each request that left the lab, ``complaints`` each error of the
    browser's console: both stay empty in a kit that works without a network.
    """

    def __init__(self, lab, tab, shots):
        self.lab, self.tab, self.shots = lab, tab, shots
        self.outside, self.complaints, self.theme = [], [], LIGHT
        self._held, self._holding = [], False
        tab.set_default_timeout(PATIENCE)
        tab.on("request", self._note_request)
        tab.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note_request(self, request):
        inside = (self.lab.address, self.lab.address.replace("http", "ws", 1), "data:", "blob:")
        if not request.url.startswith(inside):
            self.outside.append(request.url)

    def open_start(self):
        """Open the address that ``make lab`` opens."""
        self.tab.goto(f"{self.lab.address}/?token={self.lab.token}")
        self._wait_for_kernel()

    def open_notebook(self, name):
        """Open one notebook alone, without the lab's side bars, and wait for its kernel."""
        self.tab.goto(f"{self.lab.address}/doc/tree/{name}?token={self.lab.token}")
        self._wait_for_kernel()

    def open_unanswered(self, name):
        """Open one notebook whose kernel does not come, until `let_kernel_come` is called: only what is stored is
        there.
        """
        self._holding = True
        self.tab.route("**/api/sessions*", self._hold)
        self.tab.goto(f"{self.lab.address}/doc/tree/{name}?token={self.lab.token}")
        self.tab.wait_for_selector(".jp-Notebook .jp-Cell")

    def let_kernel_come(self):
        """Answer what was held back, and wait for the kernel."""
        self._holding = False
        while self._held:
            self._held.pop().continue_()
        self._wait_for_kernel()

    def _hold(self, route):
        """Keep the wish for a kernel back for now; all else goes on."""
        if self._holding and route.request.method == "POST":
            self._held.append(route)
        else:
            route.continue_()

    def _wait_for_kernel(self):
        self.tab.wait_for_selector(".jp-Notebook .jp-Cell")
        self.tab.wait_for_function(
            "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
        )

    def run_all(self):
        """Run every cell, wait for the last one, and fail on an error that no cell announces.

        The stored outputs go first: a cell that shows a count has then been run here.
        """
        self.command("notebook:clear-all-cell-outputs")
        self.command("notebook:run-all-cells")
        deadline = time.monotonic() + PATIENCE / 1000
        while (waiting := self.unfinished()) and time.monotonic() < deadline:
            assert self.errors() == []
            self.tab.wait_for_timeout(50)
        assert self.errors() == []
        assert waiting == []

    def unfinished(self):
        """Name the code cells that have not been run to their end."""
        return self.tab.evaluate(
            """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
                .filter(cell => cell.type === 'code' && (cell.executionCount === null || cell.executionState === 'running'))
                .map(cell => cell.id)"""  # noqa: E501
        )

    def command(self, name, arguments=None):
        """Run one of JupyterLab's commands and wait for its end.

        The command's promise is watched from outside: one that opens a dialog
        would otherwise never return here.
        """
        self.tab.evaluate(
            """([name, args]) => { window.overlaylabRun = false;
                window.jupyterapp.commands.execute(name, args).then(() => { window.overlaylabRun = true; }); }""",
            [name, arguments or {}],
        )
        self.tab.wait_for_function("() => window.overlaylabRun")

    def cells(self):
        """Return the stored form of all cells, as JupyterLab would save it now."""
        return self.tab.evaluate("() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells")

    def errors(self):
        """Name the errors that the notebook shows, but for cells tagged ``raises-exception``."""
        return [
            f"{cell['id']}: {output['ename']}: {output['evalue']}"
            for cell in self.cells()
            for output in cell.get("outputs", [])
            if output["output_type"] == "error" and "raises-exception" not in cell["metadata"].get("tags", [])
        ]

    def cell(self, mark):
        """Find a cell by its id (``n03-07``) or by a text in it, and bring it into view."""
        position = next((n for n, cell in enumerate(self.cells()) if mark == cell["id"] or mark in source(cell)), None)
        assert position is not None, f"no cell with {mark!r}"
        self.tab.evaluate(
            "position => window.jupyterapp.shell.currentWidget.content.scrollToItem(position, 'center')", position
        )
        return self.tab.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{position}']")

    def output(self, mark):
        """Find the outputs of a cell, by its id or by a text in its source."""
        return self.cell(mark).locator(".jp-Cell-outputArea")

    def figure(self, mark):
        """Find the picture of a cell; its label is the sentence that a screen reader hears."""
        return self.output(mark).get_by_role("img").first

    def click(self, name, within=None):
        """Press the button of this name; ``within`` is a cell's id or text."""
        place = self.output(within) if within else self.tab
        place.get_by_role("button", name=name, exact=True).click()

    def set_theme(self, name):
        """Switch to "JupyterLab Dark" or "JupyterLab Light"."""
        self.command("apputils:change-theme", {"theme": name})
        self.tab.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)
        self.theme = name

    def set_width(self, width):
        """Make the window so many pixels wide."""
        self.tab.set_viewport_size(self.tab.viewport_size | {"width": width})
        self.tab.wait_for_function(
            "width => document.querySelector('.jp-Notebook').getBoundingClientRect().width <= width", arg=width
        )

    def shot(self, name, height=None):
        """Take a screenshot of the tab, made so many pixels high where asked, and return its path."""
        if height:
            self.tab.set_viewport_size(self.tab.viewport_size | {"height": height})
        self.shots.mkdir(parents=True, exist_ok=True)
        path = self.shots / f"{name}.png"
        self.tab.screenshot(path=str(path))
        return path


def source(cell):
    """Return a cell's source as one text."""
    return "".join(cell["source"])


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    server = Lab(tmp_path_factory.mktemp("lab"))
    try:
        yield server.wait()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import expect, sync_playwright

    # A guard and no measurement: a machine with other work takes longer to draw.
    expect.set_options(timeout=PATIENCE / 2)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tiers.chromium(), headless=True, args=CHROME_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(new_page):
    with new_page() as view:
        yield view


@pytest.fixture(scope="session")
def new_page(lab, chromium, tmp_path_factory):
    """Give a function that opens a tab, for tests that share one."""
    shots = Path(os.environ.get("OVERLAYLAB_SHOTS") or tmp_path_factory.mktemp("shots"))
    return lambda: one_tab(lab, chromium, shots)


@contextlib.contextmanager
def one_tab(lab, chromium, shots):
    tab = chromium.new_page(viewport={"width": 1280, "height": 900})
    view = LabPage(lab, tab, shots)
    try:
        yield view
    finally:
        if view.theme != LIGHT:  # the lab remembers it for the next test
            view.set_theme(LIGHT)
        tab.evaluate("() => window.jupyterapp?.serviceManager.sessions.shutdownAll()")
        tab.close()
