from dataclasses import fields, replace

import pytest
import torch
from loss_examples import EXAMPLES, made

from kdviz import losses as rooms
from kdviz.course.formulas import mathml
from kdviz.course.loss_card import loss_card, losses
from kdviz.losses.objective import as_objective
from kdviz.tracing import Trace

every_loss = pytest.mark.parametrize("loss", EXAMPLES, ids=lambda loss: loss.name)
LABELS = torch.arange(8) % 5


def test_holds_every_loss_that_can_be_imported_from_knowledge():
    offered = {
        value
        for room in (rooms, rooms.response, rooms.feature, rooms.relation)
        for value in vars(room).values()
        if isinstance(value, type) and issubclass(value, rooms.Loss) and value is not rooms.Loss
    }
    assert offered and offered == set(losses())
    by_kind = [losses(kind) for kind in ("response", "feature", "relation")]
    assert all(by_kind) and sum(by_kind, []) == losses()


def test_every_loss_is_at_hand_at_the_top():
    import kdviz

    assert {loss for loss in losses() if getattr(kdviz, loss.__name__, None) is not loss} == set()


def test_every_row_is_filled():
    table = loss_card().table
    assert len(table) == len(losses()) and table.index.is_unique
    assert (table != "").all(axis=None) and table.notna().all(axis=None)


def test_is_a_table_with_every_formula_drawn():
    page = loss_card()._repr_html_()
    assert page.count("<math") == page.count("<tr") - 1 == len(losses())
    assert "\\" not in page
    assert "SoftTargets" in repr(loss_card("response")) and "SoftTargets" not in repr(loss_card("feature"))


def test_an_unknown_kind_names_the_kinds():
    with pytest.raises(ValueError, match="'response', 'feature', 'relation'.*'responses'"):
        loss_card("responses")


@every_loss
def test_the_formula_of_a_term_can_be_drawn(loss):
    assert "<math" in mathml(as_objective(loss).latex(), display=True)


@every_loss
def test_labels_are_needed_where_the_card_says_so(loss):
    student, teacher = made("student", 8, 5, 0, torch.float64), made("teacher", 8, 5, 1, torch.float64)
    learned = loss.initial(student, teacher)
    known, other = (loss(student, teacher, labels, learned).item() for labels in (LABELS, LABELS.roll(1)))
    assert (known != other) == loss.needs_labels


@every_loss
def test_teachers_are_needed_where_the_card_says_so(loss):
    student = made("student", 8, 5, 0, torch.float64)
    learned = loss.initial(student, made("teacher", 8, 5, 1, torch.float64))
    known, other = (
        loss(student, made("teacher", 8, 5, seed, torch.float64), LABELS, learned).item() for seed in (1, 2)
    )
    assert (known != other) == loss.needs_teacher


def on(loss, layer):
    """The loss with its layers replaced, between features of one shape."""
    names = {field.name for field in fields(loss)}
    if "student_layers" in names:
        return replace(loss, student_layers=(layer, layer), teacher_layers=(layer, layer))
    layers = {"student_layer": layer, "student_first": layer, "student_second": layer}
    return replace(loss, **{name: value for name, value in layers.items() if name in names})


@pytest.mark.parametrize("layer, word", [("flatten", "embeddings"), ("activation2", "maps")])
@every_loss
def test_layers_are_read_as_the_card_says(loss, layer, word):
    if not loss.student_layers:
        assert loss.reads == "logits"
        return
    loss = on(replace(loss, adapter=None) if hasattr(loss, "adapter") else loss, layer)
    student, teacher = made("student", 8, 5, 0, torch.float64), made("student", 8, 5, 1, torch.float64)
    try:
        loss(student, teacher, LABELS, loss.initial(student, teacher))
    except ValueError:
        assert word not in loss.reads
    else:
        assert word in loss.reads


@pytest.mark.parametrize("loss", losses("response"), ids=lambda loss: loss.name)
@pytest.mark.parametrize("change", ["shift", "scale"])
def test_responses_see_what_the_card_says(loss, change):
    generator = torch.Generator().manual_seed(0)
    z_student, z_teacher = torch.randn(2, 6, 5, generator=generator, dtype=torch.float64)
    by_sample = 0.5 + torch.rand(6, 1, generator=generator, dtype=torch.float64)
    changed = z_student + by_sample if change == "shift" else z_student * by_sample
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    objective = as_objective(loss())
    learned = objective.initial(Trace(z_student), Trace(z_teacher))
    before, after = (
        float(objective(Trace(z), Trace(z_teacher), labels, learned)[0]) for z in (z_student, changed)
    )
    assert (before == pytest.approx(after, rel=1e-9)) == (change in loss.invariant_to)
