"""How long a frame of the alignment explorer takes with 800 points and 40 snapshots, in Chromium.

    python tests/benchmarks/alignment.py

"at rest" is how often the same page gets a frame while nothing moves: the best this machine can do. "playing"
and "scrubbing" are the times between frames while the points move, on the way between two snapshots and from
one snapshot to another at every frame; "late" is the share of frames that took more than one and a half of
those at rest. "drawing" is what the explorer's own script takes of a frame. Rounds are interleaved, so that a
busy machine slows all alike.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright
from scipy import stats

from kdviz.commands.doctor import find_chromium
from kdviz.explorers.alignment_explorer import AlignmentExplorer

POINTS, SNAPSHOTS, ROUNDS, FRAMES = 800, 40, 5, 90

# Before the page: how long the frame callbacks of the page itself take, all together, in a frame.
WATCH = """
window.drawing = [];
const request = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (callback) => request((now) => {
  const began = performance.now();
  callback(now);
  if (window.drawing.at(-1)?.now === now) window.drawing.at(-1).took += performance.now() - began;
  else window.drawing.push({ now, took: performance.now() - began });
});
window.untouched = request;
"""
# The times between frames, and the drawing in them, while `move` is called before each.
FRAMES_OF = """async ([count, move]) => {
  const slider = document.querySelector("input[type=range]"), last = Number(slider.max);
  let at = 0;
  const moves = {
    rest() {},
    play() {
      const button = document.querySelector(".buttons button");
      if (button.textContent === "Play") button.click();
    },
    scrub() {
      at += 1;
      slider.value = Math.abs((at % (2 * last)) - last);
      slider.dispatchEvent(new Event("input"));
    },
  };
  const seen = [];
  window.drawing.length = 0;
  await new Promise((done) => {
    const each = (now) => {
      seen.push(now);
      if (seen.length > count) done();
      else { moves[move](); window.untouched(each); }
    };
    window.untouched(each);
  });
  const button = document.querySelector(".buttons button");
  if (button.textContent === "Pause") button.click();
  return [seen.slice(1).map((now, i) => now - seen[i]), window.drawing.map((each) => each.took)];
}"""


def explorer():
    random = np.random.default_rng(0)
    labels = np.arange(POINTS) % 10
    teacher = 2 * random.normal(size=(10, 64))[labels] + random.normal(size=(POINTS, 64))
    turned = teacher @ stats.ortho_group.rvs(64, random_state=1)[:, :16]
    start = random.normal(size=(POINTS, 16))
    way = [{"hidden": share * turned + (1 - share) * start} for share in np.linspace(0, 1, SNAPSHOTS)]
    images = random.random((POINTS, 8, 8))
    return AlignmentExplorer.from_features(
        images, labels, list("0123456789"), {"hidden": teacher}, {"soft targets": way}, range(SNAPSHOTS)
    )


def middle(times):
    return f"{np.median(times):.1f} (95 %: {np.percentile(times, 95):.1f})"


def main():
    began = time.perf_counter()
    shown = explorer()
    size = len(json.dumps(shown.static_state())) / 1e6
    print(f"made in {time.perf_counter() - began:.1f} s; its state is {size:.2f} MB")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        page_file = Path(folder) / "page.html"
        page_file.write_text(f"<meta charset='utf-8'>{shown.static_html()}", encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.add_init_script(WATCH)
        page.goto(page_file.as_uri())
        found = {move: ([], []) for move in ("rest", "play", "scrub")}
        for _ in range(ROUNDS):
            for move, kept in found.items():
                for more, part in zip(page.evaluate(FRAMES_OF, [FRAMES, move]), kept, strict=True):
                    part.extend(more)
        browser.close()
    rest = np.median(found["rest"][0])
    for move, name in (("rest", "at rest"), ("play", "playing"), ("scrub", "scrubbing")):
        between, drawing = found[move]
        late = np.mean(np.array(between) > 1.5 * rest)
        told = f"{name:9}  a frame every {middle(between)} ms, late {late:.0%}"
        if drawing:
            told += f"; drawing {middle(drawing)} ms"
        print(told)


if __name__ == "__main__":
    main()
