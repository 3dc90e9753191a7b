"""Notebook 20: the error of rounding, and what a cut saves."""

from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import normal

# --- 20.1 rounding


def _error(weights, step):
    return (weights - (weights / step).round() * step).square().mean()


def _rounding_error(weights, bits):
    return _error(weights, weights.abs().max() / (2 ** (bits - 1) - 1))


grade_rounding_error = NumberGrader(
    _rounding_error,
    calls=[
        {"weights": normal(1, 6, 5, seed=201)[0], "bits": 3},
        {"weights": 0.3 * normal(1, 40, 4, seed=202)[0], "bits": 2},
        {"weights": normal(1, 9, 9, seed=203)[0] - 0.5, "bits": 5},
    ],
    samples_and_classes=False,
)


@grade_rounding_error.mistake
def sign_forgotten(weights, bits):
    """Your step is that of weights without a sign. One bit is for the sign: 2 to the power of bits - 1."""
    return _error(weights, weights.abs().max() / (2**bits - 1))


@grade_rounding_error.mistake
def one_step_more(weights, bits):
    """You divide by 2^(bits-1). Subtract 1 from it: the multiples go as far to the left as to the right, with
    0 between them."""
    return _error(weights, weights.abs().max() / 2 ** (bits - 1))


@grade_rounding_error.mistake
def largest_with_its_sign(weights, bits):
    """You take the largest weight with its sign. The largest in *size* may be negative."""
    return _error(weights, weights.max() / (2 ** (bits - 1) - 1))


@grade_rounding_error.mistake
def cut_off(weights, bits):
    """You cut off what is behind the point. Round to the *nearest* multiple."""
    step = weights.abs().max() / (2 ** (bits - 1) - 1)
    return (weights - (weights / step).trunc() * step).square().mean()


@grade_rounding_error.mistake
def rounded_down(weights, bits):
    """You round down. Round to the *nearest* multiple."""
    step = weights.abs().max() / (2 ** (bits - 1) - 1)
    return (weights - (weights / step).floor() * step).square().mean()


@grade_rounding_error.mistake
def in_steps(weights, bits):
    """You measure the distance in steps. Multiply by the step again before you compare with the weights."""
    scaled = weights / (weights.abs().max() / (2 ** (bits - 1) - 1))
    return (scaled - scaled.round()).square().mean()


@grade_rounding_error.mistake
def absolute(weights, bits):
    """That is the mean distance. The mean *squared* distance is asked."""
    step = weights.abs().max() / (2 ** (bits - 1) - 1)
    return (weights - (weights / step).round() * step).abs().mean()


@grade_rounding_error.mistake
def summed(weights, bits):
    """You take the sum over the weights. Take their mean."""
    return _rounding_error(weights, bits) * weights.numel()


@grade_rounding_error.mistake
def root(weights, bits):
    """You take the root of the mean. Leave it squared."""
    return _rounding_error(weights, bits).sqrt()


# --- 20.2 bytes


def _bytes_left(weights, share, bits):
    return (weights * (1 - share) * bits + weights) / 8


grade_bytes_left = NumberGrader(
    _bytes_left,
    calls=[
        {"weights": 2368, "share": 0.85, "bits": 3},
        {"weights": 1000, "share": 0.5, "bits": 32},
        {"weights": 640, "share": 0.9, "bits": 8},
    ],
    samples_and_classes=False,
)


@grade_bytes_left.mistake
def no_places(weights, share, bits):
    """You keep the values and not their places. Nobody could tell any more which weight is which: one bit for
    every weight."""
    return weights * (1 - share) * bits / 8


@grade_bytes_left.mistake
def places_of_the_kept_only(weights, share, bits):
    """You count a bit for the weights that are kept. The places of the others must be told as well: one bit
    for *every* weight."""
    return weights * (1 - share) * (bits + 1) / 8


@grade_bytes_left.mistake
def what_is_cut(weights, share, bits):
    """You count what is cut. `share` goes; the rest stays."""
    return (weights * share * bits + weights) / 8


@grade_bytes_left.mistake
def whole_places(weights, share, bits):
    """Your places cost as much as a weight. One bit each is enough."""
    return (weights * (1 - share) * bits + weights * bits) / 8


@grade_bytes_left.mistake
def places_in_bytes(weights, share, bits):
    """You add the places as bytes. One *bit* each: divide them by 8 as well."""
    return weights * (1 - share) * bits / 8 + weights


grade_bytes_left.slip(8, "That is in bits; a byte has eight of them.")
