// Search over the whole course: the places stand in the page, and MiniSearch ranks them.
{
  const WORDS = "a an and are as at be between by can do does for from has have how i in is it its me my not of on one or "
    + "should that the their them there this to use was we what when where which who why will with you your";
  const STOP = new Set(WORDS.split(" "));
  // "layers" finds "layer", and "matching" finds "match".
  const stem = (word) => word.length < 5 ? word : word.replace(/(?<=..[^aeious])(?:ing|ed|es|s)$|(?<=[aeiou])s$/, "");
  const processTerm = (term) => {
    const word = term.toLowerCase();
    return STOP.has(word) ? null : stem(word);
  };
  const places = JSON.parse(document.getElementById("places").textContent).map((place, id) => ({ id, ...place }));
  const index = new MiniSearch({ fields: ["title", "where", "text"], processTerm });
  index.addAll(places);

  const asked = document.getElementById("q"), told = document.querySelector(".told"), list = document.querySelector(".found");
  const RANK = { Glossary: 1.5, "Loss card": 1.5, kdviz: 1, References: 0.5 };
  const searchOptions = {
    boost: { title: 3 },
    prefix: (term) => term.length > 3,
    fuzzy: (term) => term.length > 5 ? 0.2 : false,
    weights: { prefix: 0.4, fuzzy: 0.2 },
    // Whoever asks in her own words wants to be told first; a name of the library is found all the same.
    boostDocument: (id) => RANK[places[id].where.split(".")[0]] ?? 2,
  };

  // The part of a text around the first word that was found, with all such words marked.
  function excerpt(text, words) {
    const marks = new RegExp(`\\b(?:${words.map((word) => word.replace(/\W/g, "\\$&")).join("|")})\\w*`, "gi");
    const first = Math.max(0, text.search(marks) - 60), from = first && text.indexOf(" ", first) + 1;
    const part = text.slice(from, from + 220), shown = document.createElement("p");
    let end = 0;
    for (const { 0: word, index } of part.matchAll(marks)) {
      const mark = document.createElement("mark");
      mark.textContent = word;
      shown.append(part.slice(end, index), mark);
      end = index + word.length;
    }
    shown.prepend(from ? "… " : "");
    shown.append(part.slice(end), from + 220 < text.length ? " …" : "");
    return shown;
  }

  function show() {
    const found = asked.value.trim() ? index.search(asked.value, searchOptions) : [];
    list.replaceChildren(...found.slice(0, 20).map(({ id, terms }) => {
      const { title, where, link, text } = places[id];
      const item = document.createElement("li"), way = document.createElement("a"), page = document.createElement("span");
      Object.assign(way, { href: link, textContent: title });
      Object.assign(page, { className: "quiet", textContent: ` ${where}` });
      item.append(way, page, excerpt(text, terms));
      return item;
    }));
    told.textContent = !asked.value.trim() ? "" : !found.length
      ? "Nothing is found. Try one word of it, or look at the map of the course."
      : `${found.length} ${found.length > 1 ? "places" : "place"}${found.length > 20 ? ", the best 20 of them here" : ""}`;
  }

  // From the field to the first place and on, by arrows too.
  document.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], ways = [asked, ...list.querySelectorAll("a")];
    const here = ways.indexOf(document.activeElement);
    if (!step || here < 0 || !ways[here + step]) return;
    event.preventDefault();
    ways[here + step].focus();
  });
  asked.form.addEventListener("submit", (event) => {
    event.preventDefault();
    list.querySelector("a")?.focus();
  });
  asked.addEventListener("input", show);
  asked.value = new URLSearchParams(location.search).get("q") ?? "";
  show();
}
