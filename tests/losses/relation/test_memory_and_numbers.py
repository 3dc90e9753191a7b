"""What the relation losses keep in memory, and how they stay accurate."""

import math

import pytest
import torch
from torch.func import vmap
from torch.utils._python_dispatch import TorchDispatchMode

from kdviz.losses import relation
from kdviz.losses.relation import _relational as relational


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


class LargestTensor(TorchDispatchMode):
    """How many numbers the largest tensor holds that any operation gives."""

    numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, torch.Tensor):
                LargestTensor.numbers = max(LargestTensor.numbers, tensor.untyped_storage().nbytes() // 4)
        return result


@pytest.mark.parametrize(
    "loss, most",
    [
        (relation.angle_relation, max(256**2, relational.CHUNK["cpu"])),
        (relation.distance_relation, 256**2),
        (relation.similarity_preserving, 256**2),
        (relation.correlation_congruence, 256**2),
        (relation.probabilistic_transfer, 256**2),
        (relation.dark_rank, 256**2),
        (relation.locality_preserving, 256**2),
        (relation.info_nce, 256**2),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_tensor_grows_with_the_third_power_of_the_batch_or_with_its_square_times_the_width(loss, most):
    student = random(256, 64, dtype=torch.float32).requires_grad_()
    taught = random(256, 64, seed=1, dtype=torch.float32)
    LargestTensor.numbers = 0
    with LargestTensor():
        loss(student, taught).backward()
    # Places of neighbours are whole numbers of twice the size.
    assert 256**2 <= LargestTensor.numbers <= 2 * most < 256**2 * 64


def test_no_tensor_of_all_students_angles_is_kept():
    students, taught = (
        random(20, 64, 16, dtype=torch.float32).requires_grad_(),
        random(64, 16, dtype=torch.float32),
    )
    LargestTensor.numbers = 0
    with LargestTensor():
        vmap(relation.angle_relation, (0, None))(students, taught).sum().backward()
    assert 20 * 64**2 <= LargestTensor.numbers <= relational.CHUNK["cpu"] < 20 * 64**3 / 10


@pytest.mark.parametrize("chunk", [1, 100, 10**6])
def test_angles_do_not_depend_on_how_many_vertices_are_taken_at_a_time(chunk, monkeypatch):
    stack, taught = random(2, 3, 9, 4).requires_grad_(), random(2, 9, 5, seed=1)
    angles = vmap(vmap(relation.angle_relation, (0, None)))
    expected = angles(stack, taught)
    (gradient,) = torch.autograd.grad(expected.sum(), stack)
    monkeypatch.setitem(relational.CHUNK, "cpu", chunk)
    value = angles(stack, taught)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(torch.autograd.grad(value.sum(), stack)[0], gradient, rtol=1e-10, atol=1e-14)


def test_angles_pass_on_the_weight_of_each_student():
    stack, taught = random(3, 7, 4).requires_grad_(), random(7, 5, seed=1)
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    values = vmap(relation.angle_relation, (0, None))(stack, taught)
    (gradient,) = torch.autograd.grad((weights * values).sum(), stack)
    for weight, student, found in zip(weights, stack.detach(), gradient, strict=True):
        student.requires_grad_()
        (expected,) = torch.autograd.grad(weight * relation.angle_relation(student, taught), student)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-14)


def test_one_student_may_be_held_against_several_teachers():
    student, teachers = random(7, 4).requires_grad_(), random(3, 7, 5, seed=1)
    values = vmap(relation.angle_relation, (None, 0))(student, teachers)
    alone = torch.stack([relation.angle_relation(student, taught) for taught in teachers])
    torch.testing.assert_close(values, alone)
    found, expected = (torch.autograd.grad(part.sum(), student)[0] for part in (values, alone))
    torch.testing.assert_close(found, expected)


def test_angles_without_a_gradient():
    student, taught = random(7, 4).requires_grad_(), random(7, 5, seed=1)
    with torch.no_grad():
        assert relation.angle_relation(student, taught) == relation.angle_relation(student.detach(), taught)


@pytest.mark.parametrize("offset, spread", [(0.0, 1.0), (100.0, 1.0), (0.0, 0.05)])
@pytest.mark.parametrize("loss", [relation.distance_relation, relation.angle_relation])
def test_single_precision_holds_for_shifted_and_clustered_embeddings(loss, offset, spread):
    # Four clusters, much narrower than they are apart, and far from the origin.
    centres = random(4, 16, seed=2).repeat_interleave(8, 0)
    student, taught = (offset + centres + spread * random(32, 16, seed=seed) for seed in (3, 4))
    exact = student.clone().requires_grad_()
    (expected,) = torch.autograd.grad(loss(exact, taught), exact)
    rounded = student.float().requires_grad_()
    (found,) = torch.autograd.grad(loss(rounded, taught.float()), rounded)
    tolerance = 2e-3 * expected.abs().max().item()
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("form", ["hard", "soft"])
@pytest.mark.parametrize("alpha", [1e-3, 1e4])
def test_dark_rank_stays_finite_for_any_size_of_its_scores(form, alpha):
    student = random(8, 4, dtype=torch.float32).requires_grad_()
    value = relation.dark_rank(student, random(8, 4, seed=1).float(), alpha=alpha, form=form)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(student.grad).all()


def test_dark_rank_of_equal_scores_is_the_logarithm_of_the_number_of_orders():
    corners = torch.eye(5, dtype=torch.float64)
    assert relation.dark_rank(corners, random(5, 3)).item() == pytest.approx(math.log(24), rel=1e-12)
    assert relation.dark_rank(corners, random(5, 3), length=9).item() == pytest.approx(
        math.log(24), rel=1e-12
    )


def test_info_nce_of_equal_embeddings_is_twice_log_of_the_batch():
    student, taught = torch.ones(7, 3, dtype=torch.float64), random(7, 3)
    same = torch.ones(7, 3, dtype=torch.float64)
    assert relation.info_nce(student, same).item() == pytest.approx(2 * math.log(7))
    assert relation.info_nce(taught, taught, temperature=0.01).item() < 0.01


def test_samples_that_point_opposite_ways_have_finite_transfers():
    # With one number each, every cosine is 1 or -1.
    student, taught = random(6, 1).requires_grad_(), random(6, 1, seed=1)
    for form in ("paper", "authors"):
        value = relation.probabilistic_transfer(student, taught, form)
        assert torch.isfinite(value) and torch.isfinite(torch.autograd.grad(value, student)[0]).all()


def test_congruence_of_high_order_tends_to_the_gaussian_kernel():
    student, taught = random(6, 4), random(6, 5, seed=1)
    limit = relation.correlation_congruence(student, taught, gamma=1.0, form="gaussian").item()
    errors = [
        abs(relation.correlation_congruence(student, taught, gamma=1.0, order=order).item() - limit)
        for order in (1, 4, 12)
    ]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-6 * limit


def test_locality_has_its_least_value_at_one_point():
    taught = random(8, 3)
    assert relation.locality_preserving(torch.ones(8, 2, dtype=torch.float64), taught).item() == 0
    assert relation.locality_preserving(taught, taught).item() > 0.1
