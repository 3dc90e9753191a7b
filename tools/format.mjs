// Formats the JavaScript and the CSS of the explorers; with --check it only says which files it would change.

import { createFromBuffer } from "@dprint/formatter";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FOLDERS = ["kdviz/explorers", "kdviz/figures", "tools"];
const SHARED = { lineWidth: 110, indentWidth: 2 };
const STYLES = {
  ".js": ["@dprint/typescript", {
    // What does not fit goes on in the next line, rather than each part in a line of its own.
    preferHanging: true,
    "arguments.preferHanging": "always",
    "arrowFunction.useParentheses": "force",
    "operatorPosition": "maintain",
  }],
  // A rule that fits stands in one line.
  ".css": ["dprint-plugin-malva", { singleLineBlockThreshold: 30 }],
};

function formatterFor([name, style]) {
  const formatter = createFromBuffer(
    readFileSync(createRequire(import.meta.url).resolve(`${name}/plugin.wasm`)),
  );
  formatter.setConfig(SHARED, style);
  return formatter;
}

const formatters = Object.fromEntries(
  Object.entries(STYLES).map(([ext, style]) => [ext, formatterFor(style)]),
);
formatters[".mjs"] = formatters[".js"];

const files = FOLDERS.flatMap((folder) =>
  readdirSync(path.join(ROOT, folder), { recursive: true }).map((name) => path.join(folder, name))
).filter((file) => formatters[path.extname(file)] && !file.includes("node_modules"));

const changed = files.filter((file) => {
  const filePath = path.join(ROOT, file), fileText = readFileSync(filePath, "utf8");
  const formatted = formatters[path.extname(file)].formatText({ filePath, fileText });
  if (formatted === fileText) return false;
  if (!process.argv.includes("--check")) writeFileSync(filePath, formatted);
  return true;
});

if (process.argv.includes("--check") && changed.length) {
  console.error(`Not formatted: ${changed.join(", ")}. Run: npm --prefix tools run format`);
  process.exit(1);
}
console.log(`${files.length} files of JavaScript and CSS, ${changed.length} changed`);
