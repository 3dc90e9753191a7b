// Compresses what pages without kernel carry with them; with --check it only says which file is not the release's.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";

const COPIES = {
  "figures/plotly_bundle/plotly.min.js": "plotly.js-cartesian-dist-min/plotly-cartesian.min.js",
  "course/shipped/minisearch.js": "minisearch/dist/umd/index.js",
  "course/shipped/reveal.js": "reveal.js/dist/reveal.js",
  "course/shipped/reveal.css": "reveal.js/dist/reveal.css",
};
const local = (path) => fileURLToPath(new URL(path, import.meta.url));

for (const [copy, release] of Object.entries(COPIES)) {
  const file = local(`../kdviz/${copy}.gz`), wanted = readFileSync(local(`node_modules/${release}`));
  if (!process.argv.includes("--check")) writeFileSync(file, gzipSync(wanted, { level: 9 }));
  else if (!existsSync(file) || !gunzipSync(readFileSync(file)).equals(wanted)) {
    console.error(`${file} is not the release of package.json. Run: npm --prefix tools run bundle`);
    process.exit(1);
  }
}
