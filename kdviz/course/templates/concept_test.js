// Says what the answers show. Before the course it names no right answer: the same questions come again after it.
{
  const STORE = "kdviz:concept-test";
  const key = JSON.parse(document.getElementById("key").textContent);
  const form = document.querySelector("form.test"), result = form.querySelector(".result");
  const told = [...form.querySelectorAll(".told")];
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem(STORE)) ?? {};
  } catch {
    // A browser that keeps nothing still shows the test.
  }

  const when = () => form.elements.when.value;
  const letters = () => key.map((_, i) => form.elements[`q${i + 1}`].value || "-").join("");
  const right = (answers) => key.filter((one, i) => one.right === answers[i]).length;

  function explain(place, { right, misconceptions, label, link }, letter) {
    const page = Object.assign(document.createElement("a"), { href: link, textContent: label });
    if (when() === "before") place.textContent = "";
    else if (letter === right) place.replaceChildren("✓ Right. See ", page);
    else if (letter === "-") place.replaceChildren(`○ Open. It is ${right}: see `, page);
    else place.replaceChildren(`✗ It is ${right}. Behind your answer may be: “${misconceptions[letter]}” See `, page);
    place.hidden = !place.hasChildNodes();
  }

  function learned({ before, after }) {
    if (!before || !after) return "";
    const room = key.length - right(before);
    const part = room ? ` That is ${Math.round(100 * (right(after) - right(before)) / room)} % of what was left to learn.` : "";
    return ` Before the course there were ${right(before)}.${part} Your line for the teacher: ${before},${after}`;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const answers = letters();
    kept = { ...kept, [when()]: answers };
    try {
      localStorage.setItem(STORE, JSON.stringify(kept));
    } catch {
      // Then they are there until the page is closed.
    }
    key.forEach((one, i) => explain(told[i], one, answers[i]));
    result.textContent = `${right(answers)} of ${key.length} are right.` + (when() === "before"
      ? " They are kept. Come back after the course."
      : learned(kept));
  });

  form.addEventListener("reset", () => {
    result.textContent = "";
    for (const place of told) place.hidden = true;
  });
}
