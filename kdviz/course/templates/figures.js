// Draws the figures. Where there is no room beside the rows of a figure, their names and numbers stand above
// them; pictures side by side keep their width, and scroll.
{
  const NARROW = 560, LETTER = 6.6;

  function broken(text, width) {
    const lines = [""];
    for (const word of text.split(" ")) {
      if (lines.at(-1) && LETTER * (lines.at(-1).length + word.length + 1) > width) lines.push("");
      lines[lines.length - 1] += (lines.at(-1) && " ") + word;
    }
    return lines.join("<br>");
  }

  function aboveItsRow(y, yref, text, x, yshift = 0) {
    const side = x ? "right" : "left", font = { size: 12 };
    return { xref: "paper", x, xanchor: side, yref, y: y - 0.5, yanchor: "top", yshift, text, font, showarrow: false };
  }

  // The names of the rows of an axis, and beside each, or below it where both are long, its numbers.
  function rowTexts({ tickvals, ticktext }, yref, notes, width) {
    const numbers = notes.map((note) => {
      const name = ticktext[tickvals.indexOf(note.y)] ?? "";
      const both = LETTER * (name.length + note.text.replace(/<[^>]*>/g, "").length + 2);
      return aboveItsRow(note.y, yref, note.text, 1, both > width ? -15 : 0);
    });
    return [...ticktext.map((text, i) => aboveItsRow(tickvals[i], yref, text, 0)), ...numbers];
  }

  function narrowed({ data, layout }, width) {
    const axes = Object.keys(layout).filter((name) => /^[xy]axis/.test(name));
    const rows = axes.filter((name) => name[0] === "y" && layout[name].ticktext);
    const made = { ...layout, annotations: layout.annotations ?? [] };
    for (const name of axes) {
      const title = layout[name].title?.text;
      if (name[0] === "x" && title) {
        made[name] = { ...layout[name], title: { text: broken(title, width - 60), font: { size: 13 } } };
      }
    }
    for (const name of rows) {
      const yref = name.replace("axis", ""), mine = (note) => (note.yref ?? "y") === yref && note.xref === "paper";
      made.annotations = [...made.annotations.filter((note) => !mine(note)),
        ...rowTexts(layout[name], yref, made.annotations.filter(mine), width)];
      made[name] = { ...layout[name], showticklabels: false, ticks: "" };
    }
    if (rows.length) Object.assign(made, { margin: { ...layout.margin, l: 8, r: 8 }, height: 1.35 * layout.height });
    // A legend in several lines would lie on the title.
    if (layout.showlegend) made.legend = { orientation: "h", x: 0, y: -0.25, yanchor: "top" };
    if (layout.title?.text) made.title = { ...layout.title, text: broken(layout.title.text, 0.85 * width), font: { size: 14 } };
    return made;
  }

  for (const place of document.querySelectorAll("[data-plotly]")) {
    const figure = JSON.parse(place.firstElementChild.textContent), width = place.clientWidth;
    const side = figure.data.some((trace) => trace.type === "heatmap") || figure.layout.xaxis?.domain?.[1] < 1;
    place.replaceChildren();
    if (width < NARROW && side) place.style.minWidth = "640px";
    const layout = width < NARROW && !side ? narrowed(figure, width) : figure.layout;
    Plotly.newPlot(place, figure.data, layout, figure.config);
  }
}
