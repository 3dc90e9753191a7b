"""Notebook 14: which layer is listened to, and which accuracy may be reported."""

from torch.nn.functional import normalize

from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import normal

# --- 14.1 attention over layers


def _products(student, teacher):
    return (student.unsqueeze(1) * teacher).sum(2)


def _first_weight(student, teacher):
    return _products(student, teacher).softmax(1)[:, 0].mean()


grade_first_weight = NumberGrader(
    _first_weight,
    gradient_for="student",
    calls=[
        {"student": normal(5, 4, seed=141), "teacher": normal(5, 3, 4, seed=142)},
        {"student": 0.5 * normal(3, 6, seed=143), "teacher": normal(3, 2, 6, seed=144)},
    ],
    samples_and_classes=False,
)


@grade_first_weight.mistake
def over_the_images(student, teacher):
    """Your softmax is over the images. It is over the layers: the weights of one image sum to 1."""
    return _products(student, teacher).softmax(0)[:, 0].mean()


@grade_first_weight.mistake
def no_softmax(student, teacher):
    """You return the inner products themselves. Their softmax over the layers are the weights."""
    return _products(student, teacher)[:, 0].mean()


@grade_first_weight.mistake
def share_of_the_sum(student, teacher):
    """You divide each product by their sum. A product may be negative; take the softmax."""
    products = _products(student, teacher)
    return (products / products.sum(1, keepdim=True))[:, 0].mean()


@grade_first_weight.mistake
def cosines(student, teacher):
    """You scale the features to length 1 first. ALP takes the inner products of the features as they are."""
    return _products(normalize(student, dim=1), normalize(teacher, dim=2)).softmax(1)[:, 0].mean()


@grade_first_weight.mistake
def divided_by_the_root_of_the_width(student, teacher):
    """You divide by the root of the width, as Transformers do. ALP does not."""
    return (_products(student, teacher) / student.shape[1] ** 0.5).softmax(1)[:, 0].mean()


@grade_first_weight.mistake
def averaged_over_the_features(student, teacher):
    """You average over the features. An inner product sums over them."""
    return (_products(student, teacher) / student.shape[1]).softmax(1)[:, 0].mean()


@grade_first_weight.mistake
def mean_first(student, teacher):
    """You average the products over the images before the softmax. Every image has weights of its own;
    average those."""
    return _products(student, teacher).mean(0).softmax(0)[0]


@grade_first_weight.mistake
def the_last_layer(student, teacher):
    """That is the weight of the last layer. The first is asked."""
    return _products(student, teacher).softmax(1)[:, -1].mean()


@grade_first_weight.mistake
def the_loudest_layer(student, teacher):
    """That is the largest weight of each image. The weight of the first layer is asked."""
    return _products(student, teacher).softmax(1).max(1).values.mean()


@grade_first_weight.mistake
def by_distance(student, teacher):
    """You take the layer that is nearest. Inner products are asked, not distances."""
    return (-(student.unsqueeze(1) - teacher).square().sum(2)).softmax(1)[:, 0].mean()


grade_first_weight.slip(lambda student, teacher: len(student), "You sum over the images; take their mean.")


# --- 14.2 what may be reported


def _reported(validation, test):
    return test[:, validation.mean(0).argmax()].mean()


grade_reported = NumberGrader(
    _reported,
    calls=[
        {"validation": 80 + 3 * normal(6, 9, seed=145), "test": 79 + 3 * normal(6, 9, seed=146)},
        {"validation": 60 + 5 * normal(8, 9, seed=147), "test": 61 + 4 * normal(8, 9, seed=148)},
        {"validation": 90 + normal(5, 4, seed=149), "test": 88 + normal(5, 4, seed=150)},
    ],
    samples_and_classes=False,
)


@grade_reported.mistake
def best_on_test(validation, test):
    """You choose the pair that is best on the *test* images. Choose it by validation, then look at its
    test accuracy."""
    return test.mean(0).max()


@grade_reported.mistake
def best_of_each_seed_on_test(validation, test):
    """You take each seed's best test accuracy. That is what nobody knows before the test."""
    return test.max(1).values.mean()


@grade_reported.mistake
def a_pair_for_each_seed(validation, test):
    """You choose a pair for each seed. One pair for all seeds is asked: average over the seeds first."""
    return test.gather(1, validation.argmax(1, keepdim=True)).mean()


@grade_reported.mistake
def accuracy_of_validation(validation, test):
    """That is the accuracy on the validation images, by which the pair was chosen, and so too good. Report
    the test accuracy of the same pair."""
    return validation.mean(0).max()


@grade_reported.mistake
def every_pair(validation, test):
    """That is the mean of all pairs. Only the chosen one is asked."""
    return test.mean()


@grade_reported.mistake
def worst_by_validation(validation, test):
    """That is the worst pair by validation. Choose the best."""
    return test[:, validation.mean(0).argmin()].mean()


@grade_reported.mistake
def best_single_seed(validation, test):
    """You take the pair of the single best accuracy. One lucky seed should not choose; average first."""
    return test[:, validation.max(0).values.argmax()].mean()
