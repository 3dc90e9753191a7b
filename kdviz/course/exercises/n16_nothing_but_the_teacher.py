"""Notebook 16: how evenly a batch is spread, and what statistics weigh."""

from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import normal

# --- 16.1 the entropy of the mean


def _entropy_term(logits):
    mean = logits.softmax(-1).mean(0)
    # What nobody believes in counts nothing.
    return (mean * mean.clamp_min(1e-30).log()).sum()


grade_entropy_term = NumberGrader(
    _entropy_term,
    calls=[{"logits": 2 * normal(*shape, seed=160 + shape[0])} for shape in ((6, 4), (5, 3))],
    gradient_for="logits",
)


@grade_entropy_term.mistake
def of_each_image(logits):
    """You take the entropy of each image and average it. Average the probabilities first."""
    p = logits.softmax(-1)
    return (p * p.log()).sum(-1).mean()


@grade_entropy_term.mistake
def the_entropy_itself(logits):
    """You return the entropy, with the minus. The loss has none: it is to fall while the entropy grows."""
    return -_entropy_term(logits)


@grade_entropy_term.mistake
def mean_of_the_logits(logits):
    """You average the logits and then take the softmax. Average the probabilities."""
    p = logits.mean(0).softmax(-1)
    return (p * p.log()).sum()


@grade_entropy_term.mistake
def mean_over_the_classes(logits):
    """You take the mean over the classes. Take their sum."""
    return _entropy_term(logits) / logits.shape[-1]


@grade_entropy_term.mistake
def base_ten(logits):
    """You take the logarithm to the base 10, as the authors' code does. Take the natural one."""
    return _entropy_term(logits) / 2.302585092994046


@grade_entropy_term.mistake
def base_two(logits):
    """You take the logarithm to the base 2. Take the natural one."""
    return _entropy_term(logits) / 0.6931471805599453


@grade_entropy_term.mistake
def along_the_images(logits):
    """Your softmax runs over the images. It must run over the classes, the last axis."""
    mean = logits.softmax(0).mean(-1)
    return (mean * mean.log()).sum()


@grade_entropy_term.mistake
def mean_of_the_logarithms(logits):
    """You average the logarithms. Average the probabilities, then take the logarithm."""
    mean = logits.softmax(-1).mean(0)
    return (mean * logits.log_softmax(-1).mean(0)).sum()


# --- 16.2 bytes


def _images_worth(units, height, width):
    return 2 * 4 * units / (height * width)


grade_images_worth = NumberGrader(
    _images_worth,
    calls=[
        {"units": 256, "height": 8, "width": 8},
        {"units": 90, "height": 5, "width": 7},
        {"units": 1000, "height": 28, "width": 20},
    ],
    samples_and_classes=False,
)


@grade_images_worth.mistake
def means_alone(units, height, width):
    """You count one number a unit. There are two, a mean and a variance."""
    return 4 * units / (height * width)


@grade_images_worth.mistake
def numbers_for_bytes(units, height, width):
    """You count numbers, not bytes. A number takes 4 bytes, a pixel 1."""
    return 2 * units / (height * width)


@grade_images_worth.mistake
def pixels_as_numbers(units, height, width):
    """That is what one number a unit takes as numbers of 1 byte. Count 2 numbers of 4 bytes."""
    return units / (height * width)


@grade_images_worth.mistake
def the_other_way_round(units, height, width):
    """You divide the image by the statistics. How many *images* are they worth?"""
    return height * width / (2 * 4 * units)


@grade_images_worth.mistake
def bits_for_bytes(units, height, width):
    """You count bits of the statistics and bytes of the image. 4 bytes a number."""
    return 2 * 32 * units / (height * width)


@grade_images_worth.mistake
def in_all(units, height, width):
    """Those are the bytes of the statistics. Divide by those of an image."""
    return 2 * 4 * units
