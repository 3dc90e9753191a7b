// What follows a prediction is folded until it is committed; what was committed is kept in this browser; and
// the table of contents follows the reader.
{
  const STORE = `kdviz:${document.title}`;
  const kept = () => {
    try {
      return JSON.parse(localStorage.getItem(STORE)) ?? {};
    } catch {
      return {};
    }
  };
  const keep = (answers) => {
    try {
      localStorage.setItem(STORE, JSON.stringify(answers));
    } catch {
      // A browser that keeps nothing still shows the page.
    }
  };

  // ---- Predictions ----

  const guesses = [...document.querySelectorAll('[data-kdviz-explorer="Guess"]')];
  const cellOf = (element) => element.closest(".jp-Cell");
  const ends = (cell) => cell.querySelector('h1, h2, h3, [data-kdviz-explorer="Guess"], [data-kdviz-explorer="Tally"]');

  function unfold(follows) {
    follows.inert = false;
    follows.classList.remove("folded");
    follows.previousElementSibling.remove();
  }

  guesses.forEach((guess, index) => {
    const follows = document.createElement("div"), cell = cellOf(guess);
    while (cell.nextElementSibling?.matches(".jp-Cell") && !ends(cell.nextElementSibling)) {
      follows.append(cell.nextElementSibling);
    }
    if (!follows.childElementCount) return;
    const go = document.createElement("button");
    follows.id = `follows-${index}`;
    Object.assign(go, { type: "button", className: "unfold", textContent: "Go on without a guess" });
    go.setAttribute("aria-expanded", false);
    go.setAttribute("aria-controls", follows.id);
    go.addEventListener("click", () => {
      unfold(follows);
      follows.tabIndex = -1;
      follows.focus({ preventScroll: true });
    });
    follows.className = "follows folded";
    follows.inert = true;
    cell.after(go, follows);
  });

  document.addEventListener("kdviz-guess", ({ target, detail }) => {
    keep({ ...kept(), [detail.question]: detail.choice });
    for (let next = cellOf(target).nextElementSibling; next?.matches(".unfold, .folded"); next = next.nextElementSibling) {
      if (next.matches(".folded")) return unfold(next);
    }
  });

  // Once the explorers are there, what was committed before is committed again.
  addEventListener("load", () => {
    const answers = kept();
    for (const panel of document.querySelectorAll(".kdviz-guess")) {
      const said = answers[panel.querySelector(".question").textContent];
      const radio = [...panel.querySelectorAll("input")].find((each) => each.value === said);
      radio?.click();
      if (radio) panel.querySelector(".commit").click();
    }
    for (const tally of document.querySelectorAll(".kdviz-tally")) {
      const again = document.createElement("button");
      Object.assign(again, { type: "button", className: "unfold", textContent: "Forget my guesses, and begin again" });
      again.addEventListener("click", () => {
        keep({});
        location.reload();
      });
      cellOf(tally).append(again);
    }
  });

  // ---- Tables that are too wide for a phone ----

  const wordy = (table) => [...table.querySelectorAll("td")].some((cell) => cell.textContent.length > 60);
  for (const table of document.querySelectorAll(".jp-RenderedMarkdown table, .jp-RenderedHTMLCommon table")) {
    if (table.closest("[data-kdviz-explorer]") || !(table.closest(".jp-RenderedMarkdown") || wordy(table))) continue;
    const room = table.closest(".kdviz-scroll, .jp-OutputArea-output") ?? table;
    if (room.scrollWidth <= room.clientWidth) continue;
    const names = [...table.querySelectorAll("thead th")].map((head) => head.textContent);
    for (const row of table.querySelectorAll("tbody tr")) {
      [...row.cells].slice(1).forEach((cell, i) => {
        if (cell.textContent.trim()) cell.dataset.name = names[i + 1];
      });
    }
    table.classList.add("stacked");
  }

  // ---- The table of contents ----

  const headings = [...document.querySelectorAll("main h2[id], main h3[id]")];
  const contents = document.querySelector(".contents"), list = contents.querySelector("ol");
  const links = headings.map((heading) => {
    const link = document.createElement("a"), item = document.createElement("li");
    Object.assign(link, { href: `#${encodeURIComponent(heading.id)}`, textContent: heading.textContent.replace(/¶$/, "") });
    item.className = heading.localName;
    item.append(link);
    list.append(item);
    return link;
  });
  contents.hidden = !links.length;

  const follow = () => {
    const here = headings.findLastIndex((heading) => heading.getBoundingClientRect().top < 120);
    links.forEach((link, index) => {
      if (index === here) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    // Only the list scrolls: scrollIntoView would move the page.
    const link = links[here];
    if (link) list.scrollTop = link.offsetTop - list.offsetTop - list.clientHeight / 2;
  };
  let waiting = null;
  addEventListener("scroll", () => {
    waiting ??= requestAnimationFrame(() => {
      waiting = null;
      follow();
    });
  }, { passive: true });
  follow();
  // Beside a narrow page there is no room: there it is folded.
  contents.querySelector("details").open = matchMedia("(min-width: 1240px)").matches;
}
