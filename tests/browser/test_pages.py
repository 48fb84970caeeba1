"""The pages for a projector, in a real browser: by keyboard alone, big enough for a room, and without any request to
elsewhere.
"""

from pathlib import Path

import pages
import pytest

pytestmark = pytest.mark.tier("browser")

ROOT = Path(__file__).parent.parent.parent
NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
SIZES = [(1280, 720), (1024, 768)]
# What is wider than its place, or than the window.
WIDE = """() => [document.documentElement, ...document.querySelectorAll('body *')]
    .filter(one => one.clientWidth && (one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'visible'
        || one.getBoundingClientRect().right > window.innerWidth + 1))
    .map(one => `${one.tagName} ${one.closest('[id]')?.id} ${one.textContent.slice(0, 40)}`)"""  # noqa: E501
SMALL = """least => [...document.querySelectorAll('main *')]
    .filter(one => [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()) && parseFloat(getComputedStyle(one).fontSize) < least)
    .map(one => `${one.tagName} ${one.textContent.slice(0, 40)}`)"""  # noqa: E501
# The number of the marked step, how far down the page is, whether the step is in the window above the bar, whether the
# page is too wide.
STAND = """() => { const at = document.querySelector('.step.now')?.getBoundingClientRect();
    return [Number(location.hash.replace('#step-', '')), scrollY, at ? at.top < innerHeight - 60 && at.bottom > 0 : null,
        document.documentElement.scrollWidth > innerWidth]; }"""  # noqa: E501
SHOWN = (
    "() => [...document.querySelectorAll('.step')]"
    ".map((step, n) => [step.offsetParent !== null, n]).filter(([seen]) => seen).map(([, n]) => n)"
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("pages")
    assert pages.main(["--into", str(place)]) == 0
    return place


class Show:
    """One tab on the pages. Requests that leave the folder are refused and noted, and so is what the browser complains
    about.
    """

    def __init__(self, folder, tab):
        self.folder, self.tab = folder, tab
        self.outside, self.complaints = [], []
        tab.route("**/*", self._judge)
        tab.on("console", lambda message: self.complaints.append(message.text))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _judge(self, route):
        if route.request.url.startswith((self.folder.as_uri(), "data:")):
            return route.continue_()
        self.outside.append(route.request.url)
        return route.abort()

    def open(self, name, size=SIZES[0]):
        self.tab.set_viewport_size({"width": size[0], "height": size[1]})
        self.tab.goto("about:blank")
        self.tab.goto((self.folder / f"{name}.html").as_uri())

    def shown(self):
        """The numbers of the steps that are shown."""
        return self.tab.evaluate(SHOWN)

    def stand(self):
        """Where the stepping stands."""
        return self.tab.evaluate(STAND)

    def so_far(self, number):
        """The numbers of the steps from the beginning of a step's section to that step."""
        parts = self.tab.evaluate(
            "() => [...document.querySelectorAll('.step')]"
            ".map(step => [...document.querySelectorAll('.part')].indexOf(step.closest('.part')))"
        )
        return [n for n in range(number) if parts[n] == parts[number - 1]]

    def now(self):
        """The number of the step that is marked, from 1."""
        return int(self.tab.evaluate("location.hash").removeprefix("#step-") or 0)

    def press(self, *keys):
        for key in keys:
            self.tab.keyboard.press(key)


@pytest.fixture
def show(folder, chromium):
    tab = chromium.new_page()
    view = Show(folder, tab)
    yield view
    tab.close()
    assert view.outside == []
    assert view.complaints == []


@pytest.mark.parametrize("size", SIZES, ids=["1280x720", "1024x768"])
@pytest.mark.parametrize("name", [*NAMES, "index"])
def test_a_page_fits_and_can_be_read_from_the_last_row(show, name, size):
    show.open(name, size)

    assert show.tab.evaluate(WIDE) == []
    assert show.tab.evaluate(SMALL, 16) == []
    assert show.tab.evaluate("() => parseFloat(getComputedStyle(document.querySelector('.step')).fontSize)") >= 20


@pytest.mark.parametrize("name", NAMES)
def test_the_arrow_keys_go_through_every_step(show, name):
    """Each step once, in order; a high one is scrolled through before the next; the marked step is seen, and nothing is
    wider than the screen.
    """
    show.open(name)
    count = show.tab.locator(".step").count()
    reached, before = [], None
    while (now := show.stand()) != before and len(reached) <= count:
        before = now
        if now[0] and now[0] not in reached:
            assert now[2:] == [True, False], now
            reached.append(now[0])
        show.press("ArrowRight")

    assert reached == list(range(1, count + 1))


def test_the_keys_for_there_and_back(show):
    show.open("04_overlayfs")
    everything = show.shown()
    show.press("n", "n", "n")
    assert show.now() == 3 and show.shown() == show.so_far(3) != everything
    show.press("p")
    assert show.now() == 2
    show.press("]")
    assert show.tab.locator(".step.now h2").inner_text() == show.tab.locator(".part.now").get_attribute("aria-label")
    show.press("End")
    assert show.now() == len(everything)
    show.press("Home")
    assert show.shown() == [0]
    show.press("Escape")
    assert show.shown() == everything


def test_a_presenter_s_remote_and_the_space_bar_step_too(show):
    show.open("04_overlayfs")
    show.press("n", "PageDown", " ")
    assert show.now() == 3
    show.press("PageUp")
    assert show.now() == 2


def test_a_reload_comes_back_to_the_step(show):
    show.open("04_overlayfs")
    show.press("n", "n", "n")
    show.tab.reload()

    assert show.now() == 3 and show.shown() == show.so_far(3)


def test_the_status_is_said_and_the_focus_is_seen(show):
    show.open("04_overlayfs")
    show.press("n")
    status = show.tab.get_by_role("status")
    assert "step 1 of" in status.inner_text()

    show.tab.get_by_role("button", name="Next").focus()
    show.press("Tab", "Enter")
    assert show.tab.locator("body.stepping").count() == 0
    assert show.tab.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_what_is_folded_opens_by_keyboard(show):
    show.open("04_overlayfs")
    fold = show.tab.locator("details").first
    fold.locator("summary").focus()
    show.press(" ")

    assert fold.get_attribute("open") is not None


def test_the_text_grows_and_the_page_still_fits(show):
    show.open("03_cache_id")
    before = show.tab.evaluate("() => parseFloat(getComputedStyle(document.querySelector('.step')).fontSize)")
    show.press("n", "+", "+", "+")

    assert (
        show.tab.evaluate("() => parseFloat(getComputedStyle(document.querySelector('.step')).fontSize)") > before * 1.3
    )
    assert show.tab.evaluate(WIDE) == []


def test_without_a_script_it_is_a_plain_page(folder, chromium):
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((folder / "04_overlayfs.html").as_uri())

    assert not tab.get_by_role("button", name="Next").is_visible()
    assert all(step.is_visible() for step in tab.locator(".step h2").all())
    context.close()


def test_paper_has_all_steps_and_no_buttons(show):
    show.open("04_overlayfs")
    everything = show.shown()
    show.press("n")
    show.tab.emulate_media(media="print")

    assert show.shown() == everything
    assert not show.tab.get_by_role("navigation").is_visible()


def test_a_request_to_elsewhere_would_be_seen(folder, chromium):
    """The guard itself: the page's own rule refuses a picture from elsewhere, and says so."""
    tab = chromium.new_page()
    view = Show(folder, tab)
    view.open("04_overlayfs")
    tab.evaluate(
        "() => { const one = new Image(); one.src = 'https://example.invalid/a.png'; document.body.append(one); }"
    )
    tab.wait_for_timeout(200)
    tab.close()

    assert view.outside or any("Content Security Policy" in text for text in view.complaints)
