"""Notebook 11: mistakes in common, the class that loses most, calibration, and the ranks of pixels."""

import itertools

import torch
from torch.nn.functional import cosine_similarity, one_hot

from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import normal


def _call(seed):
    """Student, teacher and labels of 60 images in 4 classes of very different sizes."""
    labels = torch.arange(4).repeat_interleave(torch.tensor([30, 18, 8, 4]))
    truth = 2.0 * one_hot(labels, 4)
    noise = normal(2, 60, 4, seed=seed)
    teacher = truth + noise[0]
    return {"student": truth / 2 + teacher / 2 + 1.5 * noise[1], "teacher": teacher, "labels": labels}


_CALLS = [_call(seed) for seed in (110, 111, 112)]


# --- 11.1 mistakes in common


def _shared_mistakes(student, teacher, labels):
    student, teacher = student.argmax(-1), teacher.argmax(-1)
    return (student == teacher)[teacher != labels].double().mean()


grade_shared_mistakes = NumberGrader(_shared_mistakes, _CALLS)


@grade_shared_mistakes.mistake
def of_all_images(student, teacher, labels):
    """You divide by all images. Ask only of those on which the teacher is wrong."""
    student, teacher = student.argmax(-1), teacher.argmax(-1)
    return ((student == teacher) & (teacher != labels)).double().mean()


@grade_shared_mistakes.mistake
def both_wrong(student, teacher, labels):
    """You count images on which both are wrong. Two networks can be wrong in different ways: the answers
    must be the same."""
    return (student.argmax(-1) != labels)[teacher.argmax(-1) != labels].double().mean()


@grade_shared_mistakes.mistake
def of_the_students_mistakes(student, teacher, labels):
    """You divide by the student's mistakes. The question is about the images on which the *teacher* is
    wrong."""
    return _shared_mistakes(teacher, student, labels)


@grade_shared_mistakes.mistake
def plain_agreement(student, teacher, labels):
    """That is the agreement on all images. Most of these are right answers, which need no teacher."""
    return (student.argmax(-1) == teacher.argmax(-1)).double().mean()


# --- 11.2 the class that loses most


def _recalls(logits, labels):
    right = (logits.argmax(-1) == labels).double()
    return torch.stack([right[labels == c].mean() for c in range(logits.shape[-1])])


def _gaps(student, teacher, labels):
    return _recalls(student, labels) - _recalls(teacher, labels)


def _worst_class(student, teacher, labels):
    return _gaps(student, teacher, labels).min()


grade_worst_class = NumberGrader(_worst_class, _CALLS)


@grade_worst_class.mistake
def mean_over_classes(student, teacher, labels):
    """That is the mean over the classes. Take the worst of them."""
    return _gaps(student, teacher, labels).mean()


@grade_worst_class.mistake
def wrong_sign(student, teacher, labels):
    """Right size, wrong sign: take student minus teacher, so that a loss is negative."""
    return -_worst_class(student, teacher, labels)


@grade_worst_class.mistake
def best_class(student, teacher, labels):
    """That is the class which gains most, not the one which loses most."""
    return _gaps(student, teacher, labels).max()


@grade_worst_class.mistake
def precision(student, teacher, labels):
    """You divide by the images that were *called* that class, which gives its precision. The recall
    divides by the images that *are* of the class."""
    gaps = [_recalls(one_hot(labels, 4), logits.argmax(-1)) for logits in (student, teacher)]
    return (gaps[0] - gaps[1]).min()


@grade_worst_class.mistake
def divided_by_all_images(student, teacher, labels):
    """You divide by all images. Then a rare class can lose everything and hardly show. Divide by the
    images of the class."""
    fractions = labels.bincount() / len(labels)
    return (_gaps(student, teacher, labels) * fractions).min()


@grade_worst_class.mistake
def two_different_classes(student, teacher, labels):
    """You subtract the teacher's worst class from the student's worst class, which may be two different
    classes. Subtract class by class first."""
    return _recalls(student, labels).min() - _recalls(teacher, labels).min()


# --- 11.3 the calibration error


def _bin_gaps(confidence, right, edges):
    """For each bin that is not empty, accuracy minus mean confidence, and how many images it holds."""
    gaps, sizes = [], []
    for low, high in itertools.pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            gaps.append(right[inside].double().mean() - confidence[inside].double().mean())
            sizes.append(inside.sum())
    return torch.stack(gaps), torch.stack(sizes) / len(confidence)


def _edges(bins):
    return [b / bins for b in range(bins + 1)]


def _calibration_error(confidence, right, bins):
    gaps, weights = _bin_gaps(confidence, right, _edges(bins))
    return (gaps.abs() * weights).sum()


def _confident(samples, bins, seed):
    """Answers that are too sure where they are sure, and too modest where they are not."""
    confidence = (0.3 + 0.7 * torch.rand(samples, generator=torch.Generator().manual_seed(seed))).double()
    chance = torch.rand(samples, generator=torch.Generator().manual_seed(seed + 1))
    return {"confidence": confidence, "right": chance < 0.3 + 0.5 * confidence, "bins": bins}


grade_calibration_error = NumberGrader(
    _calibration_error,
    calls=[_confident(80, 5, seed=113), _confident(120, 10, seed=115)],
    forbidden=(
        r"kdviz\.measure\..*|sklearn\..*|torchmetrics\..*",
        "The value is right, but a library made it. Go through the bins yourself.",
    ),
    samples_and_classes=False,
)


@grade_calibration_error.mistake
def bins_count_alike(confidence, right, bins):
    """Your bins count alike. A bin with two images should hardly count beside one with forty."""
    return _bin_gaps(confidence, right, _edges(bins))[0].abs().mean()


@grade_calibration_error.mistake
def divided_by_the_bins(confidence, right, bins):
    """You divide by the number of bins, the empty ones among them. Weigh each bin by its images."""
    return _bin_gaps(confidence, right, _edges(bins))[0].abs().sum() / bins


@grade_calibration_error.mistake
def signed(confidence, right, bins):
    """You add up differences with their sign, so that bins that are too sure make good for those that are too
    modest. Take distances."""
    return confidence.mean() - right.double().mean()


@grade_calibration_error.mistake
def signed_the_other_way(confidence, right, bins):
    """You add up differences with their sign, so that bins that are too sure make good for those that are too
    modest. Take distances."""
    return right.double().mean() - confidence.mean()


@grade_calibration_error.mistake
def middle_of_the_bin(confidence, right, bins):
    """You compare with the middle of each bin. Compare with the mean confidence of the images in it."""
    middles = ((confidence * bins).ceil() - 0.5) / bins
    return _calibration_error(middles, right, bins)


@grade_calibration_error.mistake
def each_image_alone(confidence, right, bins):
    """You take the distance image by image. A single answer is right or not; only the mean over a bin can
    be as large as a confidence."""
    return (confidence - right.double()).abs().mean()


@grade_calibration_error.mistake
def squares(confidence, right, bins):
    """You average the squared gaps. Their absolute values are asked."""
    gaps, weights = _bin_gaps(confidence, right, _edges(bins))
    return (gaps.square() * weights).sum()


@grade_calibration_error.mistake
def equally_filled(confidence, right, bins):
    """Your bins hold equally many images. Bins of equal *width* are asked, from 0 to 1."""
    ordered = confidence.sort().values
    edges = [0.0, *(float(part[-1]) for part in ordered.tensor_split(bins))]
    gaps, weights = _bin_gaps(confidence, right, edges)
    return (gaps.abs() * weights).sum()


@grade_calibration_error.mistake
def from_the_least_confidence(confidence, right, bins):
    """Your bins run from the smallest confidence to the largest. They run from 0 to 1, whoever is sure."""
    low, high = float(confidence.min()), float(confidence.max())
    edges = [low - 1e-9, *(low + (high - low) * b / bins for b in range(1, bins + 1))]
    gaps, weights = _bin_gaps(confidence, right, edges)
    return (gaps.abs() * weights).sum()


grade_calibration_error.slip(100, "That is in percent; a share is asked.")
grade_calibration_error.slip(
    lambda confidence, right, bins: len(confidence), "Divide by the number of images in the end."
)


# --- 11.4 the ranks of pixels


def _ranks(maps):
    return maps.flatten(1).argsort(1).argsort(1).double()


def _correlations(first, second):
    """Pearson's correlation of two rows of numbers, for each image."""
    first, second = (rows - rows.mean(1, keepdim=True) for rows in (first, second))
    return cosine_similarity(first, second, dim=1)


def _same_pixels(first, second):
    return _correlations(_ranks(first), _ranks(second)).mean()


def _maps(images, seed):
    """Two networks' maps, which have something in common and a few very large pixels."""
    shared, *own = normal(3, images, 4, 5, seed=seed)
    return {"first": (shared + own[0]) ** 3, "second": (shared + own[1]) ** 3}


grade_same_pixels = NumberGrader(
    _same_pixels,
    calls=[_maps(6, seed=117), _maps(4, seed=118)],
    forbidden=(r".*spearmanr|.*rankdata|pandas\..*", "The value is right, but a library made the ranks."),
)


@grade_same_pixels.mistake
def of_the_values(first, second):
    """That is Pearson's correlation of the values, in which a few large pixels decide. Take ranks first."""
    return _correlations(first.flatten(1), second.flatten(1)).mean()


@grade_same_pixels.mistake
def sorted_once(first, second):
    """One `argsort` says which pixel comes first, not which rank a pixel has. What turns the one into the
    other?"""
    return _correlations(*(maps.flatten(1).argsort(1).double() for maps in (first, second))).mean()


@grade_same_pixels.mistake
def all_images_at_once(first, second):
    """You rank the pixels of all images together. Rank within each image, and take the mean of the images'
    correlations."""
    return _same_pixels(*(maps.reshape(1, 1, -1) for maps in (first, second)))


@grade_same_pixels.mistake
def row_by_row(first, second):
    """You rank within each *line* of pixels. All pixels of an image have one ranking: flatten it first."""
    return _same_pixels(*(maps.flatten(0, 1).unsqueeze(1) for maps in (first, second)))


@grade_same_pixels.mistake
def absolute(first, second):
    """You rank absolute values. What speaks against a class is not the same as what speaks for it."""
    return _same_pixels(first.abs(), second.abs())


@grade_same_pixels.mistake
def not_centred(first, second):
    """That is the cosine of the ranks. For Pearson's correlation subtract their mean first."""
    return cosine_similarity(_ranks(first), _ranks(second), dim=1).mean()


@grade_same_pixels.mistake
def one_minus(first, second):
    """That is 1 minus the correlation. The correlation itself is asked: 1 for the same ranks."""
    return 1 - _same_pixels(first, second)
