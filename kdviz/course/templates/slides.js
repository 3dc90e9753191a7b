// Slides of a page. They are not scaled, so that explorers meet the pointer where it is; one that is too long
// scrolls. N shows the notes beside the slide; S opens them in a window of their own, which follows.
{
  const speaker = document.querySelector(".speaker"), others = [];
  const isSpeaker = location.search === "?notes";
  const controls = "input, select, textarea, button, summary, a, [data-kdviz-explorer], [data-plotly]";
  const place = () => {
    const { h, v } = Reveal.getIndices();
    return { h, v };
  };
  const title = (slide) => slide?.querySelector("h1, h2, h3, .where")?.textContent ?? "";

  function tell() {
    const slide = Reveal.getCurrentSlide(), next = document.createElement("p"), all = Reveal.getSlides();
    const notes = [...slide.querySelectorAll("aside.notes")].map((note) => note.cloneNode(true));
    for (const note of notes) note.className = "note";
    next.className = "quiet";
    const following = title(all[all.indexOf(slide) + 1]);
    next.textContent = following ? `Next: ${following}` : "The last slide.";
    speaker.replaceChildren(...notes, next);
    for (const other of others) other.postMessage(place(), "*");
  }

  Reveal.initialize({
    disableLayout: true,
    hash: true,
    slideNumber: "c/t",
    viewDistance: 1000,
    mobileViewDistance: 1000,
    transition: "none",
    keyboardCondition: ({ target }) => !target.closest?.(controls),
    keyboard: {
      78: () => {
        speaker.hidden = !speaker.hidden;
      },
      83: () => {
        const opened = window.open(`${location.href.split(/[?#]/)[0]}?notes${location.hash}`, "_blank", "width=700,height=600");
        if (opened) others.push(opened);
      },
    },
  }).then(tell);
  Reveal.on("slidechanged", tell);

  // The window of the notes asks where the slides are, and from then on each keeps the other there.
  if (isSpeaker) {
    document.body.classList.add("speaking");
    speaker.hidden = false;
    window.opener?.postMessage("where?", "*");
  }
  window.addEventListener("message", ({ data, source }) => {
    if (source !== window.opener && !others.includes(source)) return;
    if (data === "where?") return source.postMessage(place(), "*");
    if (!others.includes(source)) others.push(source);
    const here = place();
    if (data.h !== here.h || data.v !== here.v) Reveal.slide(data.h, data.v);
  });
}
