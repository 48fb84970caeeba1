"""An accessibility review of a notebook in a browser: axe-core, the Tab key, a narrow window.

axe-core checks what the kit shows: outputs and rendered text. JupyterLab's own frame, with its menus, bars and editors,
has findings of its own, which no notebook can fix. So it is left out, by naming what is checked.
"""

OURS = {"include": [[".jp-OutputArea-output"], [".jp-RenderedMarkdown"]]}
# JupyterLab draws only what is near the window, and axe-core skips what is not drawn.
ALL_DRAWN = """.jp-Notebook .jp-Cell { content-visibility: visible !important; }
    .uncut, .uncut body, .uncut body * { overflow: visible !important; contain: none !important; }"""

DRAWN = """() => { const shown = window.jupyterapp?.shell.currentWidget, notebook = shown?.content;
    const count = notebook?.model?.cells.length, outputs = cell => cell.node.querySelectorAll('.jp-OutputArea-output');
    const drawn = cell => cell.isAttached && (cell.model.type === 'code'
        ? outputs(cell).length >= cell.model.outputs.length
        : cell.node.querySelector('.jp-RenderedMarkdown')?.firstChild);
    const all = count > 1 && notebook.widgets.length === count && notebook.widgets.every(drawn);
    return shown?.context?.isReady && all; }"""

UNFOLD = """unfold => {
    for (const part of document.querySelectorAll('.jp-Notebook details')) part.open = true;
    for (const button of document.querySelectorAll('.overlaylab button'))
        if (button.textContent === unfold) button.click();
}"""

# Each element that is cut or scrolls horizontally, with its cell.
WIDER = """() => ['.jp-OutputArea-output', '.jp-RenderedMarkdown']
    .flatMap(kind => [...document.querySelectorAll(`${kind}, ${kind} *`)])
    .filter(part => part.scrollWidth > part.clientWidth + 1)
    .filter(part => ['auto', 'scroll', 'hidden'].includes(getComputedStyle(part).overflowX))
    .filter(part => part.clientWidth > 1 && !part.matches('input, button, .widget-label'))
    .map(part => `cell ${part.closest('.jp-Cell').dataset.windowedListIndex}: `
        + `<${part.localName}> ${part.scrollWidth} px in ${part.clientWidth}`)"""

# The enabled controls of a widget, each as one line.
NAMED = """const label = part => part.getAttribute('aria-label') || part.labels?.[0]?.textContent || part.textContent;
    const named = part => part.localName + ' ' + label(part).trim().slice(0, 60);
    const usable = part => !part.disabled && part.tabIndex >= 0 && part.offsetParent !== null;"""
CONTROLS = f"""widget => {{ {NAMED}
    const controls = 'button, input, textarea, select, a[href], summary, [tabindex]';
    return [...widget.querySelectorAll(controls)].filter(usable).map(named); }}"""
FOCUSED = f"""() => {{ {NAMED}
    const part = document.activeElement, look = getComputedStyle(part), widget = part.closest('.overlaylab');
    return {{name: named(part), kind: part.type || part.localName,
        widget: [...document.querySelectorAll('.overlaylab')].indexOf(widget),
        ring: look.outlineStyle === 'none' ? 0 : parseFloat(look.outlineWidth), inside: widget !== null}}; }}"""


HEIGHT = "() => Math.min(60000, document.querySelector('.jp-WindowedPanel-outer').scrollHeight + 400)"


def draw_all(page):
    """Have JupyterLab draw the whole notebook, as if somebody had scrolled through it."""
    page.tab.add_style_tag(content=ALL_DRAWN)
    page.tab.wait_for_function(DRAWN)


def unfold(page, words):
    """Open every text twin and every folded solution.

    Args:
        words: The text on the button of a folded twin.
    """
    page.tab.evaluate(UNFOLD, words)


def findings(page, contrast=True):
    """All findings of axe-core, minor ones, too, each as one line.

    Args:
        contrast: Whether the contrast of all text is checked, too. axe-core skips text that is cut, so this is a
            second run, in a high window in which nothing is cut; it takes seconds.
    """
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page.tab, OURS, {"resultTypes": ["violations"]}).response["violations"]
    if contrast:
        found += contrasts(page, Axe())
    return [f"{item['impact']} {item['id']}: {node['html'][:200]}" for item in found for node in item["nodes"]]


def contrasts(page, axe):
    """Text on the page whose contrast is too low."""
    window = page.tab.viewport_size
    page.tab.set_viewport_size(window | {"height": page.tab.evaluate(HEIGHT)})
    page.tab.evaluate("() => document.documentElement.classList.add('uncut')")
    seen = axe.run(page.tab, OURS, {"runOnly": ["color-contrast"]}).response
    page.tab.evaluate("() => document.documentElement.classList.remove('uncut')")
    page.tab.set_viewport_size(window)
    assert sum(len(item["nodes"]) for item in seen["passes"]) > 50, "the contrast of the text was not looked at"
    return seen["violations"]


def wider(page):
    """The elements that are too wide for the present width of the window."""
    return page.tab.evaluate(WIDER)


PICTURES = """() =>
    [...document.querySelectorAll('.jp-OutputArea-output img, .jp-OutputArea-output figure[role=img]')].map(part => ({
        cell: part.closest('.jp-Cell').dataset.windowedListIndex,
        words: part.alt || part.getAttribute('aria-label') || '',
        width: part.getBoundingClientRect().width}))"""


def pictures(page):
    """All pictures in outputs: the cell, the alt text, the width on the page."""
    return page.tab.evaluate(PICTURES)


def widgets(page):
    """All widgets of the kit, in the order of the page."""
    return page.tab.locator(".overlaylab")


def walk(page, number):
    """Press Tab from a widget's first control until the focus leaves the widget.

    Args:
        number: Of the widget, in the order of the page.

    Returns:
        The controls that had the focus, one mapping each, and the controls that should have had it.
    """
    widget = widgets(page).nth(number)
    wanted = widget.evaluate(CONTROLS)
    enter(page, widget)
    visited: list[dict] = []
    while (now := page.tab.evaluate(FOCUSED))["widget"] == number and len(visited) <= len(wanted):
        visited.append(now)
        page.tab.keyboard.press("Tab")
    return visited, wanted


def enter(page, widget):
    """Focus a widget's first control by keyboard: Tab and Shift+Tab, so that the focus ring is drawn."""
    widget.scroll_into_view_if_needed()
    widget.locator(":is(button, input, textarea, a):enabled").first.focus()
    page.tab.keyboard.press("Tab")
    page.tab.keyboard.press("Shift+Tab")


def operate(page, number):
    """Use a widget's controls by keyboard: Space presses and ticks, an arrow counts up.

    Returns:
        The number of key presses that changed the widget.
    """
    widget, answers = widgets(page).nth(number), 0
    enter(page, widget)
    for _ in range(40):
        now = page.tab.evaluate(FOCUSED)
        if now["widget"] != number:
            break
        key = {"button": "Space", "submit": "Space", "checkbox": "Space", "number": "ArrowUp"}.get(now["kind"])
        if key and "kernel" not in now["name"]:
            before = state(widget)
            page.tab.keyboard.press(key)
            answers += changes(page, widget, before)
        page.tab.keyboard.press("Tab")
    return answers


def state(widget):
    """All that a widget shows: its HTML, and the values of its fields."""
    return widget.evaluate(
        "widget => widget.innerHTML + [...widget.querySelectorAll('input')].map(field => field.checked + field.value)"
    )


def changes(page, widget, before, patience=400):
    """Whether a widget changes within so many milliseconds."""
    for _ in range(patience // 20):
        if state(widget) != before:
            return True
        page.tab.wait_for_timeout(20)
    return False
