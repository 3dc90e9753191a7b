"""Move every control of an explorer by keyboard, as a reader without a mouse would."""

import time

EXPLORERS = "[class^='kdviz-']:not(input):not(label)"
CONTROLS = ", ".join(
    [
        "input:enabled:not([type='radio']):not([tabindex='-1'])",
        # Radio buttons are one control: the keyboard reaches their group, not each of them.
        "label:first-of-type > input[type='radio']:enabled",
        "button:enabled:not([tabindex='-1'])",
        "select:enabled",
        # Before what it folds away, so that this is open when its turn comes.
        "details:not([hidden]) > summary",
        "canvas[tabindex='0']",
        "g[tabindex='0']",
    ]
)

# What a reader sees or hears. Not what the browser does by itself: an input has a new value, and a box
# its tick, even where no explorer listens.
STATE = """(place) => [
  place.innerText + [...place.querySelectorAll("button")].map((button) => button.disabled),
  [...place.querySelectorAll("svg, canvas")]
    .map((picture) => picture.toDataURL?.() ?? picture.outerHTML).join(),
]"""
LABEL = """(control) => (control.getAttribute("aria-label") || control.labels?.[0]?.textContent
  || control.textContent || "").trim()"""
KEY = """(control) => {
  const kind = control.getAttribute("role") || control.type || control.tagName;
  const down = control.selectedIndex < control.length - 1;
  const across = control.value === control.max ? "ArrowLeft" : "ArrowRight";
  const keys = { radio: control.tagName === "INPUT" ? "Space" : "ArrowRight", checkbox: "Space",
    range: across, number: "ArrowUp", button: "Enter", SUMMARY: "Enter",
    "select-one": down ? "ArrowDown" : "ArrowUp" };
  return keys[kind] ?? "ArrowRight";
}"""

OPENS_ITS_TAB = """(control) => {
  const panel = control.closest("[role='tabpanel']");
  if (!panel?.hidden) return false;
  control.getRootNode().getElementById(panel.getAttribute("aria-labelledby")).click();
  return true;
}"""


def state(explorer):
    """All that a reader can see or hear of an explorer: its text, its pictures."""
    return explorer.evaluate(STATE)


def move_every_control(page, explorer):
    """Focus each control, press its key, and see that something changed; returns the labels moved."""
    # JupyterLab renders what is out of sight only when it comes into view, and so does its text.
    explorer.scroll_into_view_if_needed()
    moved, turn = [], 0
    # Handles, not locators: a control that its own key disables must still be this one.
    while turn < len(controls := explorer.locator(CONTROLS).element_handles()):
        control = controls[turn]
        # What lies behind a tab is drawn when that opens: only then one sees what can be moved there.
        if control.evaluate(OPENS_ITS_TAB):
            continue
        turn += 1
        label = control.evaluate(LABEL)
        assert label, f"a control without a label: {control.evaluate('(c) => c.outerHTML')[:200]}"
        # What an earlier control has put away, such as the guesses once one is made, nobody can press.
        if not control.is_visible():
            continue
        before = _at_rest(explorer, label)
        control.focus()
        page.keyboard.press(control.evaluate(KEY))
        # A slider moves the picture and the words that tell it; a switch may move one of them.
        _wait_for_change(explorer, before, label, both=control.get_attribute("type") == "range")
        # What was started must not go on under the next control.
        if control.evaluate(LABEL) in ("Pause", "Stop"):
            page.keyboard.press("Enter")
            _at_rest(explorer, label)
        moved.append(label)
    return moved


def _at_rest(explorer, label, seconds=40):
    """The state once it stands still: else what plays would pass for the effect of the next key."""
    deadline = time.monotonic() + seconds
    before, now = None, state(explorer)
    while before != now:
        assert time.monotonic() < deadline, f"the explorer does not come to rest before {label!r}"
        explorer.page.wait_for_timeout(100)
        before, now = now, state(explorer)
    return now


def _wait_for_change(explorer, before, label, both, seconds=20):
    deadline = time.monotonic() + seconds
    changed = all if both else any
    while not changed(new != old for new, old in zip(state(explorer), before, strict=True)):
        wanted = "text and picture" if both else "what can be seen or read"
        assert time.monotonic() < deadline, f"{label!r} did not change {wanted}"
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
