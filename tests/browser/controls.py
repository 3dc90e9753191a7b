"""Move every control of an explorer by keyboard, as a reader without a mouse would."""

import time

EXPLORERS = "[class^='kdviz-']:not(input):not(label)"
CONTROLS = "input:enabled:not([tabindex='-1']), button:enabled:not([tabindex='-1']), g[tabindex='0']"

STATE = """(place) => JSON.stringify([
  place.innerText,
  [...place.querySelectorAll("svg")].map((picture) => picture.outerHTML),
  [...place.querySelectorAll("input")].map((input) => [input.value, input.checked]),
])"""
LABEL = """(control) => (control.getAttribute("aria-label") || control.labels?.[0]?.innerText
  || control.textContent || "").trim()"""
KEY = """(control) => {
  const kind = control.getAttribute("role") || control.type || control.tagName;
  return { radio: control.tagName === "INPUT" ? "Space" : "ArrowRight", checkbox: "Space",
    range: "ArrowRight", button: "Enter" }[kind] ?? "ArrowRight";
}"""


def state(explorer):
    """All that a reader can see or hear of an explorer."""
    return explorer.evaluate(STATE)


def move_every_control(page, explorer):
    """Focus each control, press its key, and see that something changed; returns the labels moved."""
    moved = []
    while True:
        controls = explorer.locator(CONTROLS).all()
        if len(moved) >= len(controls):
            return moved
        control = controls[len(moved)]
        label = control.evaluate(LABEL)
        assert label, f"a control without a label: {control.evaluate('(c) => c.outerHTML')[:200]}"
        control.focus()
        before = state(explorer)
        page.keyboard.press(control.evaluate(KEY))
        _wait_for_change(explorer, before, label)
        moved.append(label)


def _wait_for_change(explorer, before, label, seconds=5):
    deadline = time.monotonic() + seconds
    while state(explorer) == before:
        assert time.monotonic() < deadline, f"{label!r} changed nothing that can be seen or read"
        time.sleep(0.02)


def frame_times(page, slider, moves=60):
    """Milliseconds from a key on a slider to the painted frame that shows its effect, move by move."""
    slider.focus()
    slider.evaluate(
        """(slider) => {
          window.kdvizFrames = [];
          slider.addEventListener("keydown", (event) => {
            requestAnimationFrame(() => {
              // A message sent in a frame arrives when that frame has been painted.
              const channel = new MessageChannel();
              channel.port1.onmessage = () => window.kdvizFrames.push(performance.now() - event.timeStamp);
              channel.port2.postMessage(0);
            });
          });
        }"""
    )
    for move in range(moves):
        page.keyboard.press("ArrowRight" if move % 12 < 6 else "ArrowLeft")
        page.wait_for_function("(count) => window.kdvizFrames.length > count", arg=move)
        page.wait_for_timeout(50)
    return page.evaluate("() => window.kdvizFrames")
