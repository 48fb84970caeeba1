"use strict";
(() => {
  const body = document.body, bar = document.querySelector(".bar"), keys = document.querySelector(".keys"), status = bar.querySelector("[role=status]");
  const parts = [...document.querySelectorAll(".part")], steps = [...document.querySelectorAll(".step")];
  const button = name => bar.querySelector(`[data-go=${name}]`);
  const partOf = step => step.closest(".part");
  let at = 0, zoom = 1;

  function show(n) {
    at = Math.max(0, Math.min(n, steps.length - 1));
    const part = partOf(steps[at]);
    body.classList.add("stepping");
    button("whole").setAttribute("aria-pressed", "false");
    parts.forEach(other => other.classList.toggle("now", other === part));
    steps.forEach((step, k) => { step.classList.toggle("later", k > at); step.classList.toggle("now", k === at); });
    status.textContent = `${parts.indexOf(part) + 1} of ${parts.length}: ${part.getAttribute("aria-label") || document.title} (step ${at + 1} of ${steps.length})`;
    bring(steps[at]);
    history.replaceState(null, "", `#step-${at + 1}`);
  }

  // A step stands whole on the screen; one that is higher begins at the top.
  const room = () => window.innerHeight - bar.offsetHeight;
  function bring(step) {
    const top = step.getBoundingClientRect().top + window.scrollY, height = step.offsetHeight;
    const part = partOf(step).getBoundingClientRect().top + window.scrollY;
    if (top + height - part <= room()) window.scrollTo(0, part - 8);
    else window.scrollTo(0, height >= room() ? top - 8 : top + height - room() + 16);
  }

  function whole() {
    const step = steps[at];
    body.classList.remove("stepping");
    parts.concat(steps).forEach(one => one.classList.remove("now", "later"));
    button("whole").setAttribute("aria-pressed", "true");
    status.textContent = "";
    history.replaceState(null, "", location.pathname);
    bring(step);
  }

  // Where the reader is: the first step that is seen.
  const seen = () => Math.max(0, steps.findIndex(step => step.getBoundingClientRect().bottom > 60));
  const stepping = () => body.classList.contains("stepping");

  const go = {
    next() {
      if (!stepping()) return show(seen());
      if (steps[at].getBoundingClientRect().bottom > room() + 24) return window.scrollBy(0, room() * 0.8);
      if (at < steps.length - 1) show(at + 1);
    },
    back() { stepping() ? show(at - 1) : show(seen()); },
    whole() { stepping() ? whole() : show(seen()); },
    first() { show(0); },
    last() { show(steps.length - 1); },
    part(by) {
      const from = stepping() ? at : seen(), part = parts[parts.indexOf(partOf(steps[from])) + by];
      show(part ? steps.findIndex(step => partOf(step) === part) : from);
    },
    zoom(by) {
      zoom = by ? Math.min(2, Math.max(0.6, zoom * by)) : 1;
      document.documentElement.style.setProperty("--zoom", zoom);
      if (stepping()) bring(steps[at]);
    },
    help() {
      keys.hidden = !keys.hidden;
      button("help").setAttribute("aria-expanded", String(!keys.hidden));
    },
  };

  const anywhere = {
    ArrowRight: go.next, n: go.next, ArrowLeft: go.back, p: go.back, "]": () => go.part(1), "[": () => go.part(-1),
    w: go.whole, "+": () => go.zoom(1.1), "=": () => go.zoom(1.1), "-": () => go.zoom(1 / 1.1), 0: () => go.zoom(0), "?": go.help,
  };
  const inSteps = { PageDown: go.next, " ": go.next, PageUp: go.back, Home: go.first, End: go.last, Escape: whole };

  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === " " && event.target.closest("button, summary, a")) return;
    const act = anywhere[event.key] || (stepping() && inSteps[event.key]);
    if (!act) return;
    event.preventDefault();
    act();
  });
  bar.addEventListener("click", event => { const name = event.target.dataset.go; if (name) go[name](); });
  bar.hidden = false;
  const begun = location.hash.match(/^#step-(\d+)$/);
  if (begun) show(begun[1] - 1);
})();
