// The pictures of the language explorer: the plane with its paths, the tree of words, the texts, the styles.

import { apart, axesPicture, chart } from "../kit/chart.js";
import { BASELINE, html, INK, setAttributes, setText, STUDENT, svg, TEACHER,
  words } from "../kit/elements.js";
import { clamp, percent } from "../kit/numbers.js";

const KL = [0.01, 20], PLANE_HEIGHT = 340, ROW = 50;
// The lightest paints leave the letters in them readable.
const SHADES = ["#cfe3f1", "#f7d9c4", "#dcead2", "#ffffff"];

// --- The plane of precision and recall. ---

const inPlane = ({ right, kl }) => [right, clamp(kl, ...KL)];

export function planePicture() {
  return axesPicture(PLANE_HEIGHT, "The student's path: how often it is right, and what it misses",
    (view, box, em) => {
      const plot = chart({
        box,
        em,
        title: "What it misses: KL(truth ‖ student), nats",
        x: { range: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1], text: (tick) => percent(tick),
          title: "How probable a right text is" },
        y: { range: KL, log: true, ticks: [0.1, 1, 10, KL[1]],
          text: (tick) => (tick === KL[1] ? "∞" : tick) },
        series: [
          ...view.others.map((path) => ({ points: pointsOf(path, view), stroke: BASELINE,
            "stroke-dasharray": "2 3" })
          ),
          { points: pointsOf(view.path, view), stroke: STUDENT, "stroke-width": 3 },
        ],
      });
      const at = (record) => {
        const [x, y] = inPlane(record);
        return [plot.x(x), plot.y(y)];
      };
      return [...plot.drawn, ...view.others.flatMap((path) => dot(at(lastOf(path, view)), 4, BASELINE)),
        ...pathNames(view, at, box, em), teacherMark(at(view.teacher), em), truthMark(box, em),
        ...dot(at(lastOf(view.path, view)), 7, STUDENT)];
    });
}

function pointsOf({ records }, { row }) {
  return records.map((each) => inPlane(each[row]));
}

function lastOf({ records }, { row }) {
  return records.at(-1)[row];
}

function dot([cx, cy], r, fill) {
  return [svg("circle", { cx, cy, r, fill, stroke: "#fff", "stroke-width": 1.5 })];
}

// Names stand to the left of where their paths end, so that there is room for them.
function pathNames(view, at, box, em) {
  const named = [...view.others, view.path];
  const places = named.map((path) => at(lastOf(path, view)));
  const heights = apart(places.map(([, y]) => y + 0.33 * em), 1.1 * em, box.top + em, box.bottom);
  return named.map(({ name }, i) => {
    const own = i === named.length - 1;
    const look = { "text-anchor": "end", style: `fill: ${own ? STUDENT : BASELINE}`, class: "halo" };
    if (own) look["font-weight"] = 700;
    const x = places[i][0] - 0.8 * em, room = name.length * 0.52 * em + box.left;
    return words(Math.max(x, room), heights[i], name, look);
  });
}

function teacherMark([x, y], em) {
  const mark = svg("rect", { x: x - 5, y: y - 5, width: 10, height: 10, fill: TEACHER });
  return svg("g", {}, mark,
    words(x - 0.8 * em, y + 0.33 * em, "teacher", { "text-anchor": "end", class: "halo",
      style: `fill: ${TEACHER}` }));
}

function truthMark({ right, bottom }, em) {
  const mark = svg("path", { d: `M${right} ${bottom - 7}l7 7-7 7-7-7z`, fill: INK });
  return svg("g", {}, mark,
    words(right - 0.9 * em, bottom - 0.4 * em, "truth", { "text-anchor": "end", class: "halo" }));
}

// --- The tree of next words. ---

const WHO = ["teacher", "student"], INKS = [TEACHER, STUDENT];

export function treePicture() {
  const element = svg("svg", { role: "img" });
  const draw = ({ tree, clock, T }, { em, width }) => {
    const column = (width - 3.4 * em) / 5, height = 3 * ROW + 2.2 * em;
    setAttributes(element, { viewBox: `0 0 ${width} ${height}`, height,
      "aria-label":
        `The three right texts at ${clock}, word by word, as the teacher says them and the student at ` +
        `temperature ${T}` });
    const drawn = tree.rows.flatMap(({ steps, whole }, row) => [
      ...wordsOf(tree.rows, row, steps, column, em),
      ...whole.map((share, who) =>
        words(width, row * ROW + (who ? 2.6 : 1.4) * em, percent(share), {
          "text-anchor": "end",
          "font-weight": 700,
          style: `fill: ${INKS[who]}`,
        })
      ),
    ]);
    const rest = tree.others.map((share, who) => `${WHO[who]} ${percent(Math.max(share, 0))}`).join(", ");
    element.replaceChildren(...drawn,
      words(0, height - 0.5 * em, `Any other text: ${rest}`, { class: "quiet" }));
  };
  return { element, draw };
}

// The words of one text; those that a text above begins with, too, stand there, and a line leads down from them.
function wordsOf(rows, row, steps, column, em) {
  const shared = (above) => {
    const first = steps.findIndex(({ word }, i) => rows[above].steps[i]?.word !== word);
    return first < 0 ? steps.length : first;
  };
  const common = Array.from({ length: row }, (_, above) => shared(above));
  const from = Math.max(0, ...common), parent = common.lastIndexOf(from), y = row * ROW + 1.2 * em;
  const line = from > 0 &&
    [svg("path", {
      d: `M${(from - 0.35) * column} ${parent * ROW + 2.7 * em}V${y - 0.3 * em}H${from * column}`,
      fill: "none",
      stroke: "#999",
    })];
  return [...(line || []), ...steps.slice(0, -1).flatMap(({ word, shares }, place) =>
    place < from ? [] : [
      words(place * column + 2, y, word, { style: `font-size: ${Math.min(13, column / 4.3)}px` }),
      ...shares.map((share, who) =>
        bar(place * column + 2, y + (0.4 + 0.55 * who) * em, share, column - 8, em, who, word)
      ),
    ]
  )];
}

function bar(x, y, share, room, em, who, word) {
  const told = svg("title", {}, `${WHO[who]}: “${word}” ${percent(share, 1)}`);
  return svg("g", {}, svg("rect", { x, y, width: room, height: 0.42 * em, fill: "#eee" }),
    svg("rect", { x, y, width: room * share, height: 0.42 * em, fill: INKS[who] }, told));
}

// --- What the student says. ---

export function textsList() {
  const element = html("ul", { class: "texts" });
  const lines = Array.from({ length: 5 }, () => ({ text: html("span"), mark: html("em") }));
  element.append(...lines.map(({ text, mark }) => html("li", {}, text, mark)));
  const draw = ({ texts }) =>
    lines.forEach(({ text, mark }, i) => {
      const { spoken, wrongFrom, fault } = texts[i];
      const said = spoken.slice(0, wrongFrom).join(" "), wrong = spoken.slice(wrongFrom).join(" ");
      text.replaceChildren(`${said} `, ...(wrong ? [html("s", {}, wrong)] : []));
      setText(mark, fault ? `✗ ${fault}` : "✓");
      mark.className = fault ? "fault" : "right";
    });
  return { element, draw };
}

// --- The styles. ---

export function stylesPicture(shares, names) {
  const element = svg("svg", { role: "img" });
  const draw = ({ path, teacher, row }, { em, width }) => {
    const bars = [["truth", shares], ["teacher", teacher.masses], ["student",
      path.records.at(-1)[row].masses]];
    const left = 4.6 * em, each = 2 * em, height = 3 * each + 3.4 * em;
    const shown = [...names, "wrong"];
    setAttributes(element, { viewBox: `0 0 ${width} ${height}`, height,
      "aria-label": bars.map(([who, given]) =>
        `${who}: ${shown.map((name, i) => `${name} ${percent(withRest(given)[i])}`).join(", ")}`
      ).join("; ") });
    const rows = bars.flatMap(([who, given],
      n) => [words(left - 0.5 * em, (n + 0.68) * each, who, { "text-anchor": "end" }),
      ...segments(withRest(given), left, width - 1, n * each, each - 4, em)]
    );
    element.replaceChildren(...rows, ...key(shown, 3 * each + 1.1 * em, width, em));
  };
  return { element, draw };
}

function withRest(given) {
  return [...given, Math.max(0, 1 - given.reduce((sum, each) => sum + each, 0))];
}

function segments(given, left, right, y, height, em) {
  let x = left;
  return given.flatMap((share, i) => {
    const width = share * (right - left), from = x;
    x += width;
    const box = svg("rect", { x: from, y, width, height, fill: SHADES[i], stroke: "#888",
      "stroke-dasharray": i === 3 ? "3 2" : "none" });
    return width < 2.4 * em ?
      [box] :
      [box, words(from + width / 2, y + height / 2 + 0.35 * em, percent(share, 0, ""), {
        "text-anchor": "middle",
      })];
  });
}

function key(names, y, width, em) {
  const half = width / 2;
  return names.flatMap((name, i) => {
    const x = (i % 2) * half, at = y + Math.floor(i / 2) * 1.5 * em;
    return [
      svg("rect", { x: x + 1, y: at - 0.8 * em, width: em, height: em, fill: SHADES[i], stroke: "#888",
        "stroke-dasharray": i === 3 ? "3 2" : "none" }),
      words(x + 1.5 * em, at + 0.05 * em, name),
    ];
  });
}
