"""The exported student answers as the student does, or there is no file."""

import pytest
import torch
from setups import Named, conv, made, mlp, pictures, points
from torch import nn

from kdviz.study import export
from kdviz.tracing import logits_of


@pytest.mark.parametrize("build, widths, data", [(mlp, (8, 12, 0.3), points), (conv, (4,), pictures)])
def test_a_file_answers_as_the_student_for_any_batch_size(build, widths, data, tmp_path):
    student, (inputs, _) = made(build, *widths).train(), data()
    assert export(student, inputs[:16], tmp_path / "student.pt2") < 1e-5
    assert student.training
    loaded = torch.export.load(tmp_path / "student.pt2").module()
    with torch.no_grad():
        torch.testing.assert_close(loaded(inputs[:37]), student.eval()(inputs[:37]))


def test_a_dictionary_stays_one(tmp_path):
    student, tokens = made(Named, 8).eval(), torch.randint(20, (6, 12))
    export(student, tokens, tmp_path / "student.pt2")
    loaded = torch.export.load(tmp_path / "student.pt2").module()
    torch.testing.assert_close(logits_of(loaded(tokens)), logits_of(student(tokens)), atol=1e-5, rtol=1e-5)


class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)


def test_a_file_that_answers_differently_is_removed(tmp_path):
    with pytest.raises(ValueError, match="answers differently"):
        export(Noisy(), torch.zeros(5, 3), tmp_path / "student.pt2")
    assert not (tmp_path / "student.pt2").exists()
    with pytest.raises(ValueError, match="at least two"):
        export(Noisy(), torch.zeros(1, 3), tmp_path / "student.pt2")
