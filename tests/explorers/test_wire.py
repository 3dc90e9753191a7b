"""Arrays on their way into a page: what JavaScript reads is what Python wrote, up to the rounding told."""

import numpy as np
import pytest
from traitlets import HasTraits, TraitError

from kdviz.explorers.base import KIT, bundle
from kdviz.explorers.wire import Array, pack, unpack

RANDOM = np.random.default_rng(0)
WHOLE = {f"uint{bits}": 2**bits - 1 for bits in (1, 4, 5, 8, 10, 16)}
SIGNED = {f"int{bits}": 2 ** (bits - 1) - 1 for bits in (2, 8, 12, 16)}
FLOATS = {"float16": 2**-11, "float32": 2**-24, "float64": 0}


@pytest.fixture(scope="module")
def read(browser):
    """What the page's own reader makes of a text: its shape, its numbers, and those of its last entry."""
    import base64

    url = "data:text/javascript;base64," + base64.b64encode(bundle(KIT / "wire.js").encode()).decode()
    code = """async ([url, text]) => {
      const { unpack } = await import(url), { shape, values, at } = unpack(text);
      return [shape, Array.from(values), Array.from(at(shape[0] - 1))];
    }"""
    page = browser.new_page()
    yield lambda text: page.evaluate(code, [url, text])
    page.close()


@pytest.mark.parametrize("dtype", [*WHOLE, *SIGNED])
def test_whole_numbers_stay_what_they_are(dtype):
    most = (WHOLE | SIGNED)[dtype]
    numbers = RANDOM.integers(-most if dtype in SIGNED else 0, most + 1, (7, 11))
    assert np.array_equal(np.rint(unpack(pack(numbers, dtype, most))), numbers)


@pytest.mark.parametrize("dtype", [*WHOLE, *SIGNED])
def test_a_number_is_off_by_half_a_step_at_most_and_zero_is_zero(dtype):
    most, scale = (WHOLE | SIGNED)[dtype], 3.7
    values = RANDOM.uniform(-scale if dtype in SIGNED else 0, scale, (5, 9))
    values[0, 0] = 0
    found = unpack(pack(values, dtype, scale))
    assert np.abs(found - values).max() <= scale / most / 2 + 1e-12 and found[0, 0] == 0


def test_what_lies_outside_is_clipped_and_nan_is_zero():
    assert unpack(pack([-2, 0.5, 9, np.nan, np.inf], "uint8")).round(2).tolist() == [0, 0.5, 1, 0, 1]
    assert unpack(pack([-9, 9], "int16", 4)).tolist() == [-4, 4]


@pytest.mark.parametrize("dtype", ["int17", "uint0", "float8", "bool", "u1"])
def test_an_unknown_kind_is_told(dtype):
    with pytest.raises(ValueError, match="dtype must be float16, float32, float64, or uint or int"):
        pack([1], dtype)


@pytest.mark.browser
@pytest.mark.parametrize("dtype", [*WHOLE, *SIGNED, *FLOATS])
@pytest.mark.parametrize("shape", [(1,), (13,), (3, 5, 2)])
def test_javascript_reads_what_python_wrote(read, dtype, shape):
    values = RANDOM.uniform(0 if dtype in WHOLE else -2.5, 2.5, shape)
    text = pack(values, dtype, 2.5)
    found_shape, found, last = read(text)
    assert tuple(found_shape) == shape
    assert found == pytest.approx(unpack(text).ravel().tolist(), abs=1e-12)
    assert last == pytest.approx(np.atleast_1d(unpack(text)[-1]).ravel().tolist(), abs=1e-12)
    if dtype in FLOATS:
        np.testing.assert_allclose(np.reshape(found, shape), values, rtol=2 * FLOATS[dtype])


@pytest.mark.browser
def test_an_entry_that_is_not_there_is_an_error(browser, read):
    with pytest.raises(Exception, match="no entry -1 among 0"):
        read(pack(np.zeros((0, 3)), "uint8"))


def test_a_trait_holds_the_array_and_refuses_what_is_none():
    class Holder(HasTraits):
        numbers = Array("int16").tag(sync=True)

    held = Holder(numbers=[[0.25, 0.5]])
    assert held.numbers.shape == (1, 2) and held.numbers[0, 0] == 0.25
    text = Holder.numbers.metadata["to_json"](held.numbers, held)
    np.testing.assert_allclose(Holder.numbers.metadata["from_json"](text, held), held.numbers, atol=2e-5)
    with pytest.raises(TraitError):
        held.numbers = "many"
