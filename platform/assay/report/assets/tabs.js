// Pages of the report are tabs: one is shown, and a link to anything in another one opens it.

const tabs = [...document.querySelectorAll("[role=tab]")];
const pages = tabs.map((tab) => document.getElementById(tab.getAttribute("aria-controls")));

function openPage(panel) {
  pages.forEach((each, place) => {
    const chosen = each === panel;
    each.hidden = !chosen;
    tabs[place].setAttribute("aria-selected", String(chosen));
    tabs[place].tabIndex = chosen ? 0 : -1;
  });
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const panel = target?.closest("[role=tabpanel]") ?? (location.hash ? null : pages[0]);
  if (panel) openPage(panel);
  if (!target) return;
  const opened = target instanceof HTMLDetailsElement ? [target]
    : target.parentElement.querySelectorAll(`details[data-of="${target.id}"]`);
  for (const details of opened) details.open = true;
  if (pages.includes(target)) scrollTo(0, 0);
  else target.scrollIntoView();
}

for (const [place, tab] of tabs.entries()) {
  tab.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = tabs.at(steps[event.key] % tabs.length);
    location.hash = next.hash;
    next.focus();
  });
}

window.addEventListener("hashchange", openTarget);
window.addEventListener("beforeprint", () => pages.forEach((panel) => { panel.hidden = false; }));
window.addEventListener("afterprint", () => {
  openPage(pages[tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true")]);
});
if (pages.length) openPage(pages[0]);
openTarget();
