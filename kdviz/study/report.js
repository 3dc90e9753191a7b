// Draws the figures, with buttons under each: save it as a picture, or what it draws as a table.
for (const place of document.querySelectorAll("[data-plotly]")) {
  const { data, layout, config } = JSON.parse(place.textContent);
  place.replaceChildren();
  Plotly.newPlot(place, data, layout, config);
}
// A row for each point, or for each cell of a map.
function rowsOf(trace) {
  const x = trace.x ?? [], y = trace.y ?? [];
  if (trace.z) {
    return Array.from(trace.z).flatMap((row, i) => Array.from(row).map((z, j) => [x[j], y[i], z]));
  }
  return Array.from(x).map((value, i) => [trace.name, value, y[i]]);
}
const quoted = (value) => `"${String(value ?? "").replaceAll('"', '""')}"`;
function asTable(drawn) {
  const rows = drawn._fullData.filter((trace) => trace.showlegend !== false || trace.z).flatMap(rowsOf);
  const { xaxis, yaxis } = drawn._fullLayout;
  const axes = [xaxis.title.text, yaxis.title.text];
  const head = drawn._fullData.some((trace) => trace.z) ? [...axes, "value"] : ["name", ...axes];
  return [head, ...rows].map((row) => row.map(quoted).join(",")).join("\r\n");
}
function keep(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
for (const drawn of document.querySelectorAll(".js-plotly-plot")) {
  const heading = drawn.closest("section").querySelector("h2").textContent;
  const filename = heading.toLowerCase().replaceAll(" ", "_");
  const row = document.createElement("div");
  row.className = "save";
  for (const format of ["svg", "png", "csv"]) {
    const button = document.createElement("button");
    button.textContent = format.toUpperCase();
    button.setAttribute("aria-label", `Save ${heading} as ${format.toUpperCase()}`);
    button.onclick = () => format === "csv"
      ? keep(`${filename}.csv`, asTable(drawn))
      : Plotly.downloadImage(drawn, { format, filename, scale: format === "png" ? 2 : 1 });
    row.append(button);
  }
  drawn.closest("[role=img]").after(row);
}
