// Compresses plotly's script for pages without kernel; with --check it only says whether the file is the release's.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";

const file = fileURLToPath(new URL("../kdviz/figures/plotly_bundle/plotly.min.js.gz", import.meta.url));
const release = fileURLToPath(import.meta.resolve("plotly.js-cartesian-dist-min"));
const script = readFileSync(release);

if (!process.argv.includes("--check")) writeFileSync(file, gzipSync(script, { level: 9 }));
else if (!gunzipSync(readFileSync(file)).equals(script)) {
  console.error(`${file} is not the release of package.json. Run: npm --prefix tools run bundle`);
  process.exit(1);
}
