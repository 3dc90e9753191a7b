"""How many digits drawn by rules the playground's teacher reads right."""

import re
from base64 import b64encode
from collections import Counter

import pytest
from drawn_digits import WAYS, drawn

from kdviz.explorers import Playground
from kdviz.explorers.playground_explorer import packed

pytestmark = pytest.mark.browser

READ = """async ([url, packed, all]) => {
  const m = await import(url), data = m.dataOf(packed), { net } = data.teachers.get("0");
  const ink = data.mean.reduce((sum, grey) => sum + 16 * grey, 0);
  return all.map((strokes) => {
    const inputs = Float64Array.from(m.counted(strokes, ink), (value, i) => value / 16 - data.mean[i]);
    return m.best(m.answers(net, inputs, 0, 1), 0);
  });
}"""
# Of each digit. How upright and how thick was chosen on other seeds, from 1000 on.
SEEDS = range(20)


def test_the_teacher_reads_nine_of_ten_drawn_digits_and_every_one(browser):
    module = re.sub(r"^export (?=function|const|class|async)", "", str(Playground._esm), flags=re.MULTILINE)
    module += "\nexport { answers, best, counted, dataOf };"
    url = "data:text/javascript;base64," + b64encode(module.encode()).decode()
    digits = [(digit, drawn(digit, seed)) for digit in WAYS for seed in SEEDS]
    page = browser.new_page()
    said = page.evaluate(READ, [url, packed(), [strokes for _, strokes in digits]])
    page.close()
    right = Counter(digit for (digit, _), answer in zip(digits, said, strict=True) if digit == answer)
    assert right[1] == len(SEEDS)
    assert sum(right.values()) / len(digits) >= 0.88, dict(right)
    assert min(right[digit] for digit in WAYS) >= 0.5 * len(SEEDS), dict(right)
