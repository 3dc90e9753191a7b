"""The exported file answers as the student does, or there is no file."""

import pytest
import torch
from setups import Named, conv, made, mlp, pictures, points
from torch import nn

from kdviz.study import export, export_student
from kdviz.tracing import logits_of


class TwoInputs(nn.Module):
    """Tokens and which of them count; logits among other things."""

    def __init__(self):
        super().__init__()
        self.vectors, self.head = nn.Embedding(20, 8), nn.Linear(8, 3)

    def forward(self, tokens, mask):
        held = self.vectors(tokens) * mask[..., None]
        return {"hidden": held, "logits": self.head(held.sum(1))}


class Noisy(nn.Module):
    def forward(self, inputs):
        return inputs + torch.rand_like(inputs)


class Undecided(nn.Module):
    def forward(self, inputs):
        return inputs if inputs.sum() > 0 else -inputs


def read(path, format):
    """The file as a function of inputs that kdviz has no part in."""
    if format == "torch":
        return torch.export.load(path).module()
    session = pytest.importorskip("onnxruntime").InferenceSession(path)

    def run(inputs):
        if not isinstance(inputs, dict):
            inputs = {session.get_inputs()[0].name: inputs}
        given = {name: part.numpy() for name, part in inputs.items()}
        return torch.from_numpy(session.run(["logits"], given)[0])

    return run


@pytest.fixture(params=["torch", "onnx"])
def format(request):
    if request.param == "onnx":
        for package in export.NEEDED["onnx"]:
            pytest.importorskip(package)
    return request.param


def file_in(folder, format):
    return folder / f"student{export.SUFFIXES[format]}"


@pytest.mark.parametrize("build, widths, data", [(mlp, (8, 12, 0.3), points), (conv, (4,), pictures)])
def test_a_file_answers_as_the_student_for_any_batch_size(build, widths, data, format, tmp_path):
    student, (inputs, _) = made(build, *widths).train(), data()
    before = {name: value.clone() for name, value in student.state_dict().items()}
    exported = export_student(student, file_in(tmp_path, format), inputs[:16], format)
    assert exported.difference < 1e-5 and "on the 16 samples given" in repr(exported)
    # Nothing of the student's is changed, and nothing else lies beside the file.
    assert student.training
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())
    assert list(tmp_path.iterdir()) == [exported.path]

    run = read(exported.path, format)
    with torch.no_grad():
        for count in (1, 37):
            wanted = student.eval()(inputs[:count])
            torch.testing.assert_close(run(inputs[:count]), wanted, atol=1e-5, rtol=1e-5)


def test_whatever_the_student_returns_the_file_gives_logits(format, tmp_path):
    student, tokens = made(Named, 8).eval(), torch.randint(20, (6, 12))
    exported = export_student(student, file_in(tmp_path, format), tokens, format)
    run = read(exported.path, format)
    torch.testing.assert_close(run(tokens), logits_of(student(tokens)), atol=1e-5, rtol=1e-5)


def test_inputs_keep_their_names(format, tmp_path):
    student = made(TwoInputs).eval()
    # In another order than that of the student's arguments.
    inputs = {"mask": torch.rand(6, 12), "tokens": torch.randint(20, (6, 12))}
    exported = export_student(student, file_in(tmp_path, format), inputs, format)
    run = read(exported.path, format)
    with torch.no_grad():
        torch.testing.assert_close(run(inputs), student(**inputs)["logits"], atol=1e-5, rtol=1e-5)


def test_a_file_that_answers_differently_does_not_appear(format, tmp_path):
    path = file_in(tmp_path, format)
    path.write_bytes(b"the file of yesterday")
    with pytest.raises(ValueError, match="other logits than the student.*random numbers in eval mode"):
        export_student(Noisy(), path, torch.zeros(5, 3), format)
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == b"the file of yesterday"


def test_logits_that_are_not_finite_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not finite"):
        export_student(nn.Identity(), tmp_path / "student.pt2", torch.full((5, 3), float("nan")), "torch")
    assert list(tmp_path.iterdir()) == []


def test_a_student_that_cannot_be_followed_says_why(tmp_path):
    with pytest.raises(ValueError, match="Does its forward branch on the values of its inputs"):
        export_student(Undecided(), tmp_path / "student.pt2", torch.rand(5, 3), "torch")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(export, "find_spec", lambda package: None if package == "onnxruntime" else True)
    with pytest.raises(ImportError, match=r"needs onnxruntime: pip install 'kdviz\[export\]'"):
        export_student(nn.Linear(3, 2), tmp_path / "student.onnx", torch.rand(5, 3))


@pytest.mark.parametrize(
    "changed, problem, message",
    [
        ({"format": "keras"}, ValueError, "'onnx' or 'torch'; got 'keras'"),
        ({"path": "student.onnx"}, ValueError, "ends in .pt2; got 'student.onnx'"),
        ({"student": lambda inputs: inputs}, TypeError, "torch.nn.Module; got function"),
        ({"inputs": torch.rand(1, 3)}, ValueError, "two samples or more"),
        ({"inputs": "pictures"}, TypeError, "must be a tensor"),
    ],
)
def test_what_cannot_be_exported_says_so(changed, problem, message, tmp_path):
    settings = {"student": nn.Linear(3, 2), "inputs": torch.rand(5, 3), "format": "torch"} | changed
    path = tmp_path / settings.pop("path", "student.pt2")
    with pytest.raises(problem, match=message):
        export_student(path=path, **settings)
