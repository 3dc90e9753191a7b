// What lies behind tabs: one view is shown, and only that one is drawn.

import { html, keepKeys, onArrows } from "../kit/elements.js";

let groups = 0;

// `views`: [title, view]. Drawn with the page, as a view is.
export function tabbed(name, views) {
  const group = `kdviz-tabs-${groups++}`;
  let chosen = 0, last = null;
  const tabs = views.map(([title], i) => {
    const tab = keepKeys(
      html("button", { type: "button", role: "tab", id: `${group}-${i}`,
        "aria-controls": `${group}-${i}-panel` }, title),
    );
    tab.addEventListener("click", () => choose(i));
    onArrows(tab, (across, down) => {
      choose((i + across + down + views.length) % views.length);
      tabs[chosen].focus();
    });
    return tab;
  });
  const panels = views.map(([, view], i) =>
    html("div", { role: "tabpanel", id: `${group}-${i}-panel`, "aria-labelledby": `${group}-${i}` },
      view.element)
  );
  function choose(i) {
    chosen = i;
    tabs.forEach((tab, n) => {
      tab.setAttribute("aria-selected", n === i);
      tab.tabIndex = n === i ? 0 : -1;
      panels[n].hidden = n !== i;
    });
    if (last) views[chosen][1].draw(last);
  }
  if (views.length) choose(0);
  const list = html("div", { role: "tablist", class: "tabs", "aria-label": name }, ...tabs);
  const element = html("div", { class: "tabbed" }, list, ...panels);
  element.hidden = !views.length;
  return {
    element,
    show: (view) => choose(views.findIndex(([, one]) => one === view)),
    draw(page) {
      last = page;
      views[chosen]?.[1].draw(page);
    },
    close: () => views.forEach(([, view]) => view.close?.()),
  };
}
