"""Notebook 06: which property rings, and three tests that a learner writes."""

import torch
from torch.nn.functional import kl_div, log_softmax, normalize, smooth_l1_loss, softmax

from kdviz.course.exercises.diagnosis import LetterGrader
from kdviz.course.exercises.properties import PropertyGrader
from kdviz.losses import relation
from kdviz.losses.response import decoupled, logit_matching, soft_targets

# --- 6.1 which property

grade_properties = LetterGrader(
    {
        "A": "a batch twice over",
        "B": "the gradient arrives",
        "C": "asked twice, the same answer",
        "D": "a limit",
        "E": "all that learns moves",
    },
    choices=(
        "a limit",
        "a batch twice over",
        "the gradient arrives",
        "all that learns moves",
        "asked twice, the same answer",
    ),
    questions={
        "A": "With 64 images the value is right to the last digit. What would you have to change to see it?",
        "B": "The value is nearly right. What is the slope of a staircase?",
        "C": "One call looks fine, and `no_grad` is no help. What does dropout do that a finished teacher "
        "must not?",
        "D": "No wire is cut, and every batch gets the same factor. Where does the temperature show most?",
        "E": "Ask of what is new in each call: who could have trained it?",
    },
    one="property",
    each="defect",
)


# --- 6.2 the gradient

grade_test_the_wire = PropertyGrader()


@grade_test_the_wire.passes
def of_the_library(student, teacher):
    """kdviz's soft targets with a detached teacher."""
    return soft_targets(student, teacher.detach(), 4.0)


@grade_test_the_wire.passes
def of_torch(student, teacher):
    """torch's `kl_div` with the teacher under `no_grad`."""
    with torch.no_grad():
        q = softmax(teacher, -1)
    return kl_div(log_softmax(student, -1), q, reduction="batchmean")


@grade_test_the_wire.passes
def copied_with_its_wire(student, teacher):
    """It clones the student's logits, but does not detach them, so the wire is whole."""
    return logit_matching(student.clone(), teacher.detach())


@grade_test_the_wire.passes
def quiet(student, teacher):
    """Soft targets times 1e-6. A small weight is no cut wire: ask whether something arrives, not how much."""
    return 1e-6 * soft_targets(student, teacher.detach(), 4.0)


@grade_test_the_wire.passes
def one_logit_left_alone(student, teacher):
    """The second half of DKD, which leaves one logit of each image alone, as it should. Ask for a gradient
    in each image, not in each logit."""
    return decoupled(student, teacher.detach(), teacher.argmax(-1), 0.0, 1.0, 4.0)


@grade_test_the_wire.passes
def zero_times_the_teacher(student, teacher):
    """Logit matching that stays attached to the teacher by a term of weight 0. The teacher's gradient is
    there and is 0, so nothing reaches it."""
    return logit_matching(student, teacher.detach()) + 0.0 * teacher.sum()


@grade_test_the_wire.catches
def cut(student, teacher):
    """the student's logits are detached and copied, so the gradient ends in the copy. Did anything arrive
    in the logits that you made?"""
    copied = student.detach().clone().requires_grad_()
    return soft_targets(copied, teacher.detach(), 4.0)


@grade_test_the_wire.catches
def a_plain_number(student, teacher):
    """it returns a plain number, by `.item()`, through which no gradient flows. Is a number of Python good
    enough for your test?"""
    return soft_targets(student, teacher, 4.0).item()


@grade_test_the_wire.catches
def rounded(student, teacher):
    """it rounds the student's logits, and a staircase has a slope of exactly 0. A gradient that is there
    may be 0 everywhere."""
    return logit_matching(student.round(decimals=2), teacher.detach())


@grade_test_the_wire.catches
def first_images_only(student, teacher):
    """only the first two images are attached, so the sum of the gradient is not 0. Look at each image by
    itself."""
    half = torch.cat([student[:2], student[2:].detach()])
    return soft_targets(half, teacher.detach(), 4.0)


@grade_test_the_wire.catches
def reaches_the_teacher(student, teacher):
    """a gradient reaches the teacher, too. Your teacher can only show that if it `requires_grad`."""
    log_p, log_q = log_softmax(student, -1), log_softmax(teacher, -1)
    return (log_q.exp() * (log_q - log_p)).sum(-1).mean()


@grade_test_the_wire.catches
def reaches_the_teacher_a_little(student, teacher):
    """a gradient of one millionth reaches the teacher. Nothing at all may reach it, however little."""
    return soft_targets(student, teacher.detach(), 4.0) + 1e-6 * teacher.square().mean()


@grade_test_the_wire.catches
def exchanged(student, teacher):
    """teacher and student have changed places: the teacher learns, the student stands still."""
    return soft_targets(teacher, student.detach(), 4.0)


# --- 6.3 the batch

grade_test_the_batch = PropertyGrader()


def _divergences(student, teacher):
    """KL(q ‖ p) for each image."""
    log_p, log_q = log_softmax(student, -1), log_softmax(teacher, -1)
    return (log_q.exp() * (log_q - log_p)).sum(-1)


@grade_test_the_batch.passes
def mean_of_the_library(student, teacher):
    """kdviz's soft targets."""
    return soft_targets(student, teacher, 4.0)


@grade_test_the_batch.passes
def batchmean(student, teacher):
    """torch's `kl_div` with `batchmean`."""
    return kl_div(log_softmax(student, -1), softmax(teacher, -1), reduction="batchmean")


@grade_test_the_batch.passes
def sum_over_its_length(student, teacher):
    """It sums over the images one by one and divides by their number. Two sums in another order differ in
    their last digits: allow for that."""
    return sum(_divergences(student, teacher).float()) / len(student)


@grade_test_the_batch.passes
def mean_over_classes_too(student, teacher):
    """It averages over the classes, too. That is another loss, but its mean over the *images* is right."""
    return _divergences(student, teacher).mean() / student.shape[1]


@grade_test_the_batch.passes
def squares(student, teacher):
    """Logit matching: its values are large, and so is their rounding. Allow for it in proportion."""
    return 1e4 * logit_matching(student.float(), teacher.float())


@grade_test_the_batch.passes
def standardised_over_the_batch(student, teacher):
    """It divides by the spread over the batch, in which a batch twice over has the same spread."""
    spread = (student - student.mean(0)).square().mean().sqrt()
    return logit_matching(student / spread, teacher)


@grade_test_the_batch.catches
def summed(student, teacher):
    """it sums over the images, so a batch of twice the size costs twice as much."""
    return _divergences(student, teacher).sum()


@grade_test_the_batch.catches
def divided_by_a_constant(student, teacher):
    """it divides the sum by 64, whatever the batch. How many images does yours have, once and twice?"""
    return _divergences(student, teacher).sum() / 64


@grade_test_the_batch.catches
def padded_to_64(student, teacher):
    """it is right for up to 64 images, and leaves out those beyond. Make your double batch larger than
    that."""
    return _divergences(student[:64], teacher[:64]).sum() / len(student)


@grade_test_the_batch.catches
def by_the_root(student, teacher):
    """it divides by the root of the number of images, as one does for standard errors."""
    return _divergences(student, teacher).sum() / len(student) ** 0.5


@grade_test_the_batch.catches
def one_fewer(student, teacher):
    """it divides by N − 1, as for a variance. On a large batch that is nearly right, so take a small one, and
    allow for rounding only."""
    return _divergences(student, teacher).sum() / (len(student) - 1)


@grade_test_the_batch.catches
def last_one_forgotten(student, teacher):
    """it forgets the last image of the batch: the mean is a mean, but not of all. A small batch shows it
    best."""
    return _divergences(student[:-1], teacher[:-1]).mean()


@grade_test_the_batch.catches
def pairs_by_the_images(student, teacher):
    """it compares all pairs of images, N² of them, and divides by N."""
    return (student @ student.T - teacher @ teacher.T).square().sum() / len(student)


# --- 6.4 the shape of a cloud

grade_test_the_shape = PropertyGrader()


def _relative(cloud):
    """The distances of all pairs, in units of their mean."""
    apart = torch.pdist(cloud)
    return apart / apart.mean()


def _cosines(cloud):
    """The cosines of all angles at all corners."""
    sides = normalize(cloud.unsqueeze(0) - cloud.unsqueeze(1), dim=-1)
    return sides @ sides.mT


def _correlation(one, other):
    """Pearson's correlation of two lists of numbers."""
    one, other = one - one.mean(), other - other.mean()
    return (normalize(one, dim=0) * normalize(other, dim=0)).sum()


@grade_test_the_shape.passes
def distances_of_the_library(student, teacher):
    """RKD's loss on distances, which divides by their mean."""
    return relation.distance_relation(student, teacher)


@grade_test_the_shape.passes
def angles_of_the_library(student, teacher):
    """RKD's loss on angles."""
    return relation.angle_relation(student, teacher)


@grade_test_the_shape.passes
def by_the_largest(student, teacher):
    """It divides all distances by the largest one, which is as good a unit as their mean."""
    student, teacher = (torch.pdist(cloud) / torch.pdist(cloud).max() for cloud in (student, teacher))
    return (student - teacher).square().mean()


@grade_test_the_shape.passes
def cosines_in_single_precision(student, teacher):
    """A loss on angles that works in single precision, so that its 0 is a 0 but for rounding. Allow some
    1e-6 for that."""
    return (_cosines(student.float()) - _cosines(teacher.float())).square().mean()


@grade_test_the_shape.passes
def centred_similarities(student, teacher):
    """Inner products, but of embeddings from which their mean was taken, so it does not matter where the
    cloud lies."""
    student, teacher = (cloud - cloud.mean(0) for cloud in (student, teacher))
    student, teacher = (normalize((cloud @ cloud.T).flatten(), dim=0) for cloud in (student, teacher))
    return (student - teacher).square().sum()


@grade_test_the_shape.catches
def raw_distances(student, teacher):
    """it compares distances as they are, so a cloud of twice the size costs something. Did you try one?"""
    return smooth_l1_loss(torch.pdist(student), torch.pdist(teacher))


@grade_test_the_shape.catches
def similarities(student, teacher):
    """it compares inner products, which are taken from the origin. Did you move a cloud as a whole?"""
    return relation.similarity_preserving(student, teacher)


@grade_test_the_shape.catches
def along_the_axes(student, teacher):
    """it adds up differences along the axes in the place of distances, so a turned cloud costs something."""
    apart = [torch.cdist(cloud, cloud, p=1) for cloud in (student, teacher)]
    student, teacher = (each / each.mean() for each in apart)
    return (student - teacher).square().mean()


@grade_test_the_shape.catches
def blind(student, teacher):
    """it is 0 for every student. What must not matter needs a partner: a student of another shape must cost
    something."""
    return 0 * student.sum()


@grade_test_the_shape.catches
def deaf(student, teacher):
    """it never looks at the student, so no move of it matters, and is not 0. What should the teacher's own
    cloud cost?"""
    return torch.pdist(teacher).mean() + 0 * student.sum()


@grade_test_the_shape.catches
def zero_only_for_a_copy(student, teacher):
    """it is 0 for every copy of the teacher, whatever its size, but for another student it grows with that
    student's size. Move a student that is no copy, and compare its loss before and after."""
    return student.square().mean() * (_relative(student) - _relative(teacher)).square().mean()


@grade_test_the_shape.catches
def uncorrelated(student, teacher):
    """it is the correlation of the distances itself, which is 1 where the shapes are the same. A loss is 0
    there."""
    return _correlation(torch.pdist(student), torch.pdist(teacher))
