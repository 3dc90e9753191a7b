"""Notebook 09: what a generation keeps, the average of oneself, the cost of exits, and an ensemble."""

import torch

from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import normal

# --- 9.1 what a generation keeps


def _kept(eigenvalue, ridge, generation):
    """The fraction of the targets that a generation keeps along a direction; generation 0 saw the points."""
    return (eigenvalue / (eigenvalue + ridge)) ** (generation + 1)


grade_kept = NumberGrader(
    _kept,
    calls=[
        {"eigenvalue": 2.0, "ridge": 0.5, "generation": 3},
        {"eigenvalue": 0.3, "ridge": 0.2, "generation": 0},
        {"eigenvalue": 1.5, "ridge": 0.1, "generation": 7},
    ],
)


@grade_kept.mistake
def one_too_few(eigenvalue, ridge, generation):
    """Generation 0 is a fit already, so it has the factor once. How often has generation g?"""
    return _kept(eigenvalue, ridge, generation - 1)


@grade_kept.mistake
def lost(eigenvalue, ridge, generation):
    """That is the share that is lost. What is kept is asked."""
    return 1 - _kept(eigenvalue, ridge, generation)


@grade_kept.mistake
def ridge_in_front(eigenvalue, ridge, generation):
    """Your factor is large where the ridge is large. A strong ridge keeps little."""
    return (ridge / (eigenvalue + ridge)) ** (generation + 1)


@grade_kept.mistake
def times_the_fits(eigenvalue, ridge, generation):
    """You multiply the factor by the number of fits. Each fit is made to the one before: it is a power."""
    return (generation + 1) * eigenvalue / (eigenvalue + ridge)


@grade_kept.mistake
def ridge_grows(eigenvalue, ridge, generation):
    """That is one fit with a ridge as large as all of them together. Several fits are sharper than that."""
    return eigenvalue / (eigenvalue + (generation + 1) * ridge)


# --- 9.2 the average of oneself


def _averaged(before, now, step, decay):
    """The mean teacher's weight after a step: its decay grows at first."""
    return _mixed(before, now, min(1 - 1 / (step + 1), decay))


def _mixed(before, now, decay):
    return decay * before + (1 - decay) * now


grade_averaged = NumberGrader(
    _averaged,
    calls=[
        {"before": 0.2, "now": 1.0, "step": 500, "decay": 0.99},
        {"before": -0.4, "now": 0.6, "step": 3, "decay": 0.99},
        {"before": 1.0, "now": 0.0, "step": 1, "decay": 0.9},
    ],
)


@grade_averaged.mistake
def constant_decay(before, now, step, decay):
    """In the first steps your average hardly leaves where it began: its decay is the full one at once.
    Which of the two numbers in the question is smaller then?"""
    return _mixed(before, now, decay)


@grade_averaged.mistake
def other_way_round(before, now, step, decay):
    """Your average follows the student at once: the decay is the share of the *old* average."""
    return _averaged(now, before, step, decay)


@grade_averaged.mistake
def larger_of_the_two(before, now, step, decay):
    """You take the larger of the two shares. The smaller one lets the average keep up early."""
    return _mixed(before, now, max(1 - 1 / (step + 1), decay))


@grade_averaged.mistake
def off_by_one(before, now, step, decay):
    """Your share after step t is 1 - 1/t. With 1 - 1/(t + 1) the first step already counts two networks."""
    return _averaged(before, now, step - 1, decay)


@grade_averaged.mistake
def never_forgets(before, now, step, decay):
    """That is the plain mean of all steps. After a while the decay has to take over, so that it forgets."""
    return (step * before + now) / (step + 1)


# --- 9.3 what leaving early costs


def _exit_call(images, threshold, seed):
    """Confidences, of which a few are just at the threshold."""
    confidences = torch.rand(3, images, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    confidences[0, :2] = confidences[1, 2:4] = threshold
    costs = torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64)
    return {"confidences": confidences, "costs": costs, "threshold": threshold}


def _first_sure(confidences, threshold):
    """For each image the first exit that is sure, or the last."""
    sure = confidences >= threshold
    sure[-1] = True
    return sure.int().argmax(0)


def _mean_cost(confidences, costs, threshold):
    """The mean cost of an image that leaves at the first exit that is sure, or at the last."""
    return costs[_first_sure(confidences, threshold)].mean()


# The thresholds are the same in single precision.
grade_mean_cost = NumberGrader(
    _mean_cost,
    calls=[_exit_call(40, 0.625, seed=0), _exit_call(25, 0.875, seed=1)],
    samples_and_classes=False,
)


@grade_mean_cost.mistake
def above_the_threshold(confidences, costs, threshold):
    """An image leaves where the confidence is *at least* the threshold. Yours must be above it."""
    return _mean_cost(confidences, costs, threshold + 1e-9)


@grade_mean_cost.mistake
def nobody_is_sure(confidences, costs, threshold):
    """Images of which no exit is sure leave at the first one in your answer. They have to go to the end."""
    return costs[(confidences >= threshold).int().argmax(0)].mean()


@grade_mean_cost.mistake
def last_sure_exit(confidences, costs, threshold):
    """Your images stay as long as exits are sure. They leave at the *first* that is."""
    sure = confidences >= threshold
    sure[-1] = True
    return costs[len(sure) - 1 - sure.flip(0).int().argmax(0)].mean()


@grade_mean_cost.mistake
def surest_exit(confidences, costs, threshold):
    """You take the exit that is surest. By then the image has been through all of them."""
    return costs[confidences.argmax(0)].mean()


@grade_mean_cost.mistake
def costs_added_up(confidences, costs, threshold):
    """You add up the costs of the exits passed. `costs` already says what it takes to come to each exit."""
    return _mean_cost(confidences, costs.cumsum(0), threshold)


@grade_mean_cost.mistake
def mean_of_exits(confidences, costs, threshold):
    """That is the mean over the exits. Take it over the images: most may leave at one exit."""
    return costs.mean()


# --- 9.4 an ensemble and its members


def _right(answers, labels):
    return (answers == labels).double().mean()


def _ensemble_gain(members, labels):
    """How much more often the mean of the probabilities is right than a member on average."""
    return _right(members.softmax(-1).mean(0).argmax(-1), labels) - _right(members.argmax(-1), labels)


def _members(networks, samples, classes, seed):
    """Networks of which some are far surer than others, and right by and large."""
    labels = torch.arange(samples) % classes
    truth = torch.nn.functional.one_hot(labels, classes)
    noise = normal(networks, samples, classes, seed=seed)
    sureness = torch.arange(1, networks + 1)[:, None, None]
    return {"members": sureness * (1.5 * truth + 1.5 * noise), "labels": labels}


grade_ensemble_gain = NumberGrader(
    _ensemble_gain,
    calls=[_members(3, 200, 4, seed=90), _members(5, 150, 3, seed=91)],
    samples_and_classes=False,
)


@grade_ensemble_gain.mistake
def mean_of_the_logits(members, labels):
    """You average the logits, so a network that shouts is heard more. Average the probabilities."""
    return _right(members.mean(0).argmax(-1), labels) - _right(members.argmax(-1), labels)


@grade_ensemble_gain.mistake
def vote(members, labels):
    """Your members vote. Here the ensemble answers with the mean of their probabilities, so that a member in
    doubt counts less."""
    votes = torch.nn.functional.one_hot(members.argmax(-1), members.shape[-1]).sum(0)
    return _right(votes.argmax(-1), labels) - _right(members.argmax(-1), labels)


@grade_ensemble_gain.mistake
def over_the_best(members, labels):
    """You compare with the best member. Compare with their mean: nobody knows beforehand who is best."""
    alone = max(_right(member.argmax(-1), labels) for member in members)
    return _right(members.softmax(-1).mean(0).argmax(-1), labels) - alone


@grade_ensemble_gain.mistake
def over_the_first(members, labels):
    """You compare with the first member alone. Compare with the mean over all members."""
    together = members.softmax(-1).mean(0).argmax(-1)
    return _right(together, labels) - _right(members[0].argmax(-1), labels)


@grade_ensemble_gain.mistake
def ensemble_alone(members, labels):
    """That is the accuracy of the ensemble. Subtract what its members reach on average."""
    return _right(members.softmax(-1).mean(0).argmax(-1), labels)


@grade_ensemble_gain.mistake
def members_alone(members, labels):
    """That is the mean accuracy of the members. How much better is the ensemble?"""
    return _right(members.argmax(-1), labels)


@grade_ensemble_gain.mistake
def softmax_over_the_members(members, labels):
    """Your softmax runs over the networks. It runs over the classes, the last dimension."""
    return _right(members.softmax(0).mean(0).argmax(-1), labels) - _right(members.argmax(-1), labels)


grade_ensemble_gain.slip(-1, "The sign is the wrong way round: ensemble minus members.")
grade_ensemble_gain.slip(100, "That is in points; a difference of shares is asked.")
