import pytest
import torch
from torch.nn.functional import cross_entropy

from kdviz import CrossEntropy
from kdviz.losses.feature import RocketHint
from kdviz.models import mlp
from kdviz.schemes import rocket
from kdviz.tracing import answer


def light():
    return mlp(64, 8, 4, 10, seed=0)


def booster():
    return mlp(64, 8, 16, 10, seed=1)


def gradients(layers):
    return torch.cat([weight.grad.flatten() for layer in layers for weight in layer.parameters()])


def test_one_step_is_the_gradient_of_the_papers_loss(data):
    """Equation 3 written out, the hint blocked on the booster's side."""
    run = rocket(light(), booster(), data, steps=1, batch_size=50).finish()
    small, large = light(), booster()
    shared = small[:3](data.transfer.inputs)
    ours, theirs = small[3:](shared), large[3:](shared)
    hint = (ours - theirs.detach()).square().sum(1).mean()
    labels = data.transfer.labels
    (cross_entropy(ours, labels) + cross_entropy(theirs, labels) + 0.1 * hint).backward()
    torch.testing.assert_close(gradients([run.student.trunk]), gradients([small[:3]]))
    torch.testing.assert_close(gradients([run.student.light]), gradients([small[3:]]))
    torch.testing.assert_close(gradients([run.student.booster]), gradients([large[3:]]))


def test_the_hint_alone_leaves_the_boosters_own_layers_where_they_are(data):
    before = booster()
    run = rocket(light(), booster(), data, 1.0 * RocketHint(), steps=20).finish()
    after = list(run.student.booster.parameters())
    for was, now in zip(before[3:].parameters(), after, strict=True):
        assert torch.equal(was, now)
    assert not torch.equal(run.student.trunk.hidden1.weight, light().hidden1.weight)


def test_the_light_net_comes_nearer_to_its_booster_than_without_the_hint(data):
    def apart(objective):
        student = rocket(light(), booster(), data, objective, steps=200).finish().student
        one, other = (answer(student.subnetwork(h), data.transfer.inputs).logits for h in student.heads)
        # The booster's logits grow with the hint, so the distance is counted in their length.
        return float((one - other).square().sum() / other.square().sum())

    assert apart(CrossEntropy() + RocketHint()) < apart(1.0 * CrossEntropy()) / 2


def test_deploys_the_light_net_alone(data):
    run = rocket(light(), booster(), data, steps=20).finish()
    student = run.student.subnetwork("light")
    count = sum(weight.numel() for weight in student.parameters())
    assert count == sum(weight.numel() for weight in light().parameters())
    assert torch.equal(student(data.test.inputs), run.student(data.test.inputs))
    record = run.records[-1].measures
    assert record["accuracy"] == record["light"] and "booster" in record


def test_the_networks_handed_over_stay_as_they_were(data):
    one, other = light(), booster()
    rocket(one, other, data, steps=5).finish()
    for given, fresh in ((one, light()), (other, booster())):
        assert all(map(torch.equal, given.parameters(), fresh.parameters()))


def test_networks_without_a_common_first_layer_are_refused(data):
    with pytest.raises(ValueError, match="must share their first layers, by name and shape"):
        rocket(mlp(64, 8, 10), mlp(64, 9, 10), data)
