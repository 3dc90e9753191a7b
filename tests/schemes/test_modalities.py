"""Teacher and student that read different inputs of the same samples."""

from dataclasses import replace

import pytest
import torch
from networks import weights
from torch import nn

from kdviz import CrossEntropy, SoftTargets, distill, train
from kdviz.datasets import digits
from kdviz.datasets.dataset import PARTS, Samples
from kdviz.losses.feature import Hint
from kdviz.models import Reads, cost, mlp
from kdviz.schemes import mean_teacher, mutual, train_stack, two_views
from kdviz.training.stacked import StackedModel

OBJECTIVE = 0.5 * CrossEntropy() + 0.5 * SoftTargets(2)


@pytest.fixture(scope="module")
def plain():
    return digits(labels=50, transfer="labelled")


def sound_of(images):
    """Another view of an image: the sums of its rows and of its columns."""
    return torch.cat([images.sum((1, 2)), images.sum((1, 3))], 1)


def with_inputs(data, make):
    parts = {name: getattr(data, name) for name in PARTS}
    return replace(data, **{name: replace(part, inputs=make(part.inputs)) for name, part in parts.items()})


@pytest.fixture(scope="module")
def both(plain):
    return with_inputs(plain, lambda images: {"image": images, "sound": sound_of(images)})


def test_a_teacher_that_sees_teaches_a_student_that_hears(plain, both):
    teacher, student = mlp(64, 16, 10, seed=1), mlp(16, 8, 10)
    crossed = distill(Reads(teacher, "image"), Reads(student, "sound"), both, OBJECTIVE, steps=20).finish()
    # The same by hand: the teacher's cached answers, and data of sounds alone.
    sounds = with_inputs(plain, sound_of)
    answers = teacher(plain.transfer.inputs).detach()
    alone = distill(answers, student, sounds, OBJECTIVE, steps=20).finish()
    assert torch.equal(weights(crossed.student), weights(alone.student))
    assert crossed.records[-1].measures["accuracy"] == alone.records[-1].measures["accuracy"]
    assert "agreement" in crossed.records[-1].measures


def test_layers_are_found_inside_what_reads(both):
    objective = CrossEntropy() + Hint("network.hidden1", adapter="linear")
    teacher, student = Reads(mlp(64, 12, 10), "image"), Reads(mlp(16, 8, 10), "sound")
    run = distill(teacher, student, both, objective, steps=2).finish()
    assert run.records[-1].losses["hint"] > 0


def test_labels_and_peers_of_several_modalities(both):
    assert train(Reads(mlp(16, 8, 10), "sound"), both, steps=3).finish().step == 3
    peers = [Reads(mlp(16, 8, 10), "sound"), Reads(mlp(64, 8, 10), "image")]
    assert mutual(peers, both, steps=3).finish().step == 3


def test_a_network_may_read_several_by_name_or_a_tuple_by_index(plain):
    class Fused(nn.Module):
        def __init__(self):
            super().__init__()
            self.logits = nn.Linear(80, 10)

        def forward(self, sound, image):
            return self.logits(torch.cat([sound, image.flatten(1)], 1))

    pair = with_inputs(plain, lambda images: (images, sound_of(images)))
    assert train(Reads(Fused(), 1, 0), pair, steps=2).finish().step == 2
    assert cost(Reads(Fused(), 1, 0), pair.test.inputs).macs == 800
    with pytest.raises(ValueError, match="reads 'taste', but is offered image, sound"):
        Reads(mlp(16, 8, 10), "taste")(image=torch.zeros(1, 64), sound=torch.zeros(1, 16))
    with pytest.raises(ValueError, match="name the inputs"):
        Reads(mlp(16, 8, 10))


def test_samples_of_several_modalities_are_samples(both):
    part = both.test[torch.tensor([3, 1])]
    assert len(part) == 2 and part.inputs["sound"].shape == (2, 16)
    assert torch.equal(part.inputs["image"][0], both.test.inputs["image"][3])
    assert "image 1 × 8 × 8, sound 16" in repr(both.test)
    moved = both.to("meta")
    assert {value.device.type for value in moved.test.inputs.values()} == {"meta"}


def test_what_takes_one_tensor_says_so(both):
    with pytest.raises(TypeError, match="seed by seed"):
        train_stack(StackedModel([mlp(64, 8, 10)]), [both])
    for scheme in (mean_teacher, two_views):
        with pytest.raises(TypeError, match="augmented as one tensor"):
            scheme(Reads(mlp(16, 8, 10), "sound"), both, steps=1).finish()


def test_inputs_by_name_are_augmented_by_a_function_of_ones_own(both):
    def louder(inputs, generator):
        noise = 0.1 * torch.randn(inputs["sound"].shape, generator=generator)
        return {**inputs, "sound": inputs["sound"] + noise}

    run = mean_teacher(Reads(mlp(16, 8, 10), "sound"), both, augment=louder, steps=2).finish()
    assert run.step == 2


def test_pixels_are_the_images_again(plain):
    shown = plain.pixels(plain.test)
    assert torch.equal(shown, (plain.test.inputs + plain.mean).clamp(0, 1))
    assert torch.equal(plain.pixels(plain.test.inputs[:3]), shown[:3])
    assert isinstance(plain.test[:3], Samples) and torch.equal(plain.pixels(plain.test[:3]), shown[:3])
