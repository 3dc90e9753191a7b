"""Waiting by the clock of a page: on a busy machine it lags behind the clock of the test."""

RESTS = """milliseconds => new Promise(rested => {
  const frame = requestAnimationFrame;
  frame(() => frame(() => setTimeout(() => frame(() => frame(rested)), milliseconds)));
})"""


def rest(page, milliseconds):
    """Let a page draw what it was told, wait so long by its own clock, and draw again.

    Whatever the page wanted to do within that time after its next frame has been done before this returns.
    """
    page.evaluate(RESTS, milliseconds)
