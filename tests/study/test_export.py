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


# ONNX takes seconds a file; a newcomer's run writes one.
@pytest.fixture(params=["torch", pytest.param("onnx", marks=pytest.mark.complete)])
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


class Words(nn.Module):
    """Texts of any length."""

    def __init__(self):
        super().__init__()
        self.vectors, self.head = nn.Embedding(20, 8), nn.Linear(8, 3)

    def forward(self, tokens):
        return self.head(self.vectors(tokens).mean(1))


class OfOneLength(Words):
    """A table of positions of just so many tokens."""

    def __init__(self):
        super().__init__()
        self.positions = nn.Parameter(torch.randn(12, 8))

    def forward(self, tokens):
        return self.head((self.vectors(tokens) + self.positions).mean(1))


def test_texts_may_have_any_length_where_the_student_allows_it(format, tmp_path):
    tokens = torch.randint(20, (6, 12))
    free = export_student(made(Words), file_in(tmp_path, format), tokens, format)
    assert free.free == {"inputs": [0, 1]}
    assert "of any length are inputs [0, 1]" in " ".join(repr(free).split())
    assert max(map(len, repr(free).splitlines()[1:])) <= 96
    other = torch.randint(20, (3, 30))
    torch.testing.assert_close(
        read(free.path, format)(other), made(Words).eval()(other), atol=1e-5, rtol=1e-5
    )
    fixed = export_student(made(OfOneLength), file_in(tmp_path, format), tokens, format)
    assert fixed.free == {"inputs": [0]}


def test_axes_are_free_that_the_reader_names(tmp_path):
    class Anywhere(nn.Module):
        def __init__(self):
            super().__init__()
            self.c = nn.Conv2d(1, 3, 3)

        def forward(self, x):
            return self.c(x).mean((2, 3))

    student, images = made(Anywhere).eval(), torch.rand(4, 1, 8, 8)
    exported = export_student(student, tmp_path / "a.pt2", images, "torch", dynamic=[2, 3])
    assert exported.free == {"inputs": [0, 2, 3]}
    run, other = read(exported.path, "torch"), torch.rand(3, 1, 10, 14)
    torch.testing.assert_close(run(other), student(other))
    with pytest.raises(ValueError, match="dynamic names 'image'; the inputs are 'inputs'"):
        export_student(student, tmp_path / "b.pt2", images, "torch", dynamic={"image": [2]})
    with pytest.raises(ValueError, match="fix the size of a batch or of an axis"):
        export_student(made(OfOneLength), tmp_path / "c.pt2", torch.zeros(4, 12).long(), "torch", dynamic=[1])


def test_half_precision_is_judged_by_its_own_rounding(format, tmp_path):
    student = made(mlp, 8).half().eval()
    exported = export_student(student, file_in(tmp_path, format), points(20)[0], format)
    assert exported.difference < 16 * torch.finfo(torch.half).eps * 30
    # Too far is too far, in half precision too.
    with pytest.raises(ValueError, match="other logits than the student"):
        export_student(Noisy(), file_in(tmp_path, format), torch.zeros(5, 3).half(), format)
    if format == "torch":
        # There not a bit is another.
        return
    with pytest.raises(ValueError, match="more than 1e-12 of the largest"):
        export_student(made(conv, 4), file_in(tmp_path, format), pictures(20)[0], format, tolerance=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_quantised_modules_say_that_they_cannot_be_exported(format, tmp_path):
    small = torch.ao.quantization.quantize_dynamic(made(mlp, 8).eval(), {nn.Linear})
    with pytest.raises(ValueError, match="quantised modules cannot be exported: the student has .*Linear"):
        export_student(small, file_in(tmp_path, format), points(20)[0], format)
    assert list(tmp_path.iterdir()) == []


def test_the_part_that_holds_the_logits_is_exported(tmp_path):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = made(mlp, 8)

        def forward(self, x):
            return x[:, :4], self.inner(x)

    student, (inputs, _) = Both().eval(), points(20)
    exported = export_student(student, tmp_path / "both.pt2", inputs, "torch", logits=1)
    torch.testing.assert_close(read(exported.path, "torch")(inputs), student(inputs)[1])
    with pytest.raises(TypeError, match="logits=0 for the first"):
        export_student(student, tmp_path / "asked.pt2", inputs, "torch")


def test_what_was_exported_to_onnx_is_compared_again(tmp_path):
    for package in export.NEEDED["onnx"]:
        pytest.importorskip(package)
    import onnxruntime

    import kdviz as kd

    student, (inputs, labels) = made(mlp, 8).eval(), points(60)
    exported = export_student(student, tmp_path / "student.onnx", inputs[:8])
    session = onnxruntime.InferenceSession(exported.path, providers=["CPUExecutionProvider"])
    for form in (exported, exported.path, str(exported.path), session):
        found = kd.compare(student, form, (inputs, labels), progress=False)
        assert found.table.agreement["student"] == 1 and "it runs in onnxruntime" in found.numbers
