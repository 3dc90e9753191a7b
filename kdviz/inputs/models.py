"""Whatever answers as a torch module: estimators, exported files, functions, and tables of answers."""

from pathlib import Path

import numpy as np
import torch

from kdviz.inputs.tables import Columns
from kdviz.tracing import call, device_of, logits_of, shapes_of, size_of, to_device


class Answers(torch.nn.Module):
    """A function of inputs as a model: it is only asked, and nothing in it can learn.

    Parameters
    ----------
    function : of the inputs of a batch, as a model gets them; it returns logits, a tensor or an array

    >>> model = Answers(lambda x: x.numpy() * 2)
    >>> model(torch.ones(1, 2))
    tensor([[2., 2.]])
    """

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs, **named):
        found = self.function(*inputs, **named)
        return torch.from_numpy(found) if isinstance(found, np.ndarray) else found

    def train(self, mode=True):
        # An exported program has one mode, and says so with an error.
        self.training = mode
        return self


class Program(Answers):
    """An exported program, which wants its inputs just as it was exported with them."""

    def forward(self, *inputs, **named):
        positional, keyword = self.function._in_spec.children_specs
        if not named:
            # Several tensors in order may be one argument.
            single = len(positional.children_specs) == 1 and len(inputs) > 1
            return self.function(inputs) if single else self.function(*inputs)
        if keyword.children_specs:
            return self.function(**{name: named[name] for name in keyword.context})
        return self.function({name: named[name] for name in positional.children_specs[0].context})


class StoredAnswers(Answers):
    """Answers that are there already: logits (N, ...), a row for each sample of the data, in its order."""

    def __init__(self, logits):
        super().__init__(None)
        self.logits = torch.as_tensor(logits).detach()

    def of_rows(self, rows):
        if rows is None:
            raise ValueError(
                "stored answers belong to the samples in the order of the data, and this loader shuffles: "
                "hand in the data set itself, or a loader with shuffle=False"
            )
        if int(rows.max()) >= len(self.logits):
            raise ValueError(
                f"there are {len(self.logits)} stored answers; the data has row {int(rows.max())}"
            )
        return self.logits[rows.to(self.logits.device)]


class SklearnTeacher(Answers):
    r"""A fitted scikit-learn classifier or regressor as a teacher.

    The logits of a classifier are the logarithms of its probabilities, whose softmax gives the probabilities
    back. A probability of 0, as forests give it, has no logarithm: each is mixed with a fraction ``floor`` of
    even ones, :math:`(1 - \varepsilon)\, p + \varepsilon / C`. A regressor answers with its numbers.

    Parameters
    ----------
    estimator : has ``predict_proba`` and ``classes_`` 0, 1, ... C - 1, or is a regressor
        Where it was fitted on a table with named columns, it gets one with the same names.
    floor : the fraction :math:`\varepsilon`
    columns : names of the columns, or None for those that it was fitted on

    >>> from sklearn.naive_bayes import GaussianNB
    >>> teacher = SklearnTeacher(GaussianNB().fit(np.array([[0.0], [1.0], [4.0], [5.0]]), [0, 0, 1, 1]))
    >>> teacher(torch.tensor([[0.5], [4.5]])).argmax(1)
    tensor([0, 1])
    """

    def __init__(self, estimator, floor=1e-3, columns=None):
        super().__init__(None)
        from sklearn.base import is_regressor

        self.estimator, self.floor, self.regresses = estimator, floor, is_regressor(estimator)
        names = getattr(estimator, "feature_names_in_", None)
        if names is not None:
            columns = columns or Columns([str(name) for name in names], {})
        self.columns = columns if names is not None else None
        if not self.regresses:
            _check_classifier(estimator)

    def forward(self, inputs):
        table = inputs.detach().cpu().flatten(1)
        table = table.numpy() if self.columns is None else self.columns.frame(table)
        if self.regresses:
            found = torch.from_numpy(np.asarray(self.estimator.predict(table), np.float64))
            return found.reshape(len(inputs), -1).to(inputs.device, torch.get_default_dtype())
        p = torch.from_numpy(np.asarray(self.estimator.predict_proba(table), np.float64))
        mixed = (1 - self.floor) * p + self.floor / p.shape[1]
        return mixed.log().to(inputs.device, torch.get_default_dtype())

    def extra_repr(self):
        return type(self.estimator).__name__


class OnnxModel(Answers):
    """A model in onnxruntime: a session, or the file that it is made from."""

    def __init__(self, session):
        super().__init__(None)
        if isinstance(session, (str, Path)):
            import onnxruntime

            session = onnxruntime.InferenceSession(str(session), providers=["CPUExecutionProvider"])
        self.session, self.slots = session, session.get_inputs()

    def forward(self, *inputs, **named):
        given = {slot.name: named.get(slot.name) for slot in self.slots}
        if not named:
            given = dict(zip(given, inputs, strict=False))
        kinds = {slot.name: _NUMPY.get(slot.type) for slot in self.slots}
        given = {
            name: np.asarray(part.cpu(), kinds[name]) for name, part in given.items() if part is not None
        }
        outputs = [output.name for output in self.session.get_outputs()]
        wanted = "logits" if "logits" in outputs else outputs[0]
        return torch.from_numpy(self.session.run([wanted], given)[0])


_NUMPY = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


def as_model(model, who: str, columns: Columns | None = None) -> torch.nn.Module:
    """A torch module of whatever answers: see the kinds in the error."""
    # An Exported, as export_student gives it, stands for its file.
    model = getattr(model, "path", model) if hasattr(model, "difference") else model
    if isinstance(model, torch.fx.GraphModule):
        return Program(model) if hasattr(model, "_in_spec") else Answers(model)
    if isinstance(model, torch.nn.Module):
        if columns is not None and columns.texts and not isinstance(model, Answers):
            raise TypeError(
                f"{who} is a torch module, which takes numbers, and the table has columns of texts: "
                f"{', '.join(columns.texts)}. Encode them before, or hand in a pipeline that does"
            )
        return model
    if isinstance(model, Path) or (isinstance(model, str) and Path(model).suffix):
        return _from_file(Path(model), who)
    if isinstance(model, torch.export.ExportedProgram):
        return Program(model.module())
    if isinstance(model, (torch.Tensor, np.ndarray)):
        return StoredAnswers(model)
    if hasattr(model, "get_inputs") and hasattr(model, "run"):
        return OnnxModel(model)
    if hasattr(model, "fit") and hasattr(model, "predict"):
        return SklearnTeacher(model, columns=columns)
    if callable(model) and not isinstance(model, type):
        return Answers(model)
    raise TypeError(
        f"{who} must be a torch.nn.Module, a fitted scikit-learn model, an exported file (.onnx, .pt2, "
        f"TorchScript), an onnxruntime session, a function of inputs, or logits; got {type(model).__name__}"
    )


def _from_file(path, who):
    if not path.is_file():
        raise FileNotFoundError(f"{who}: there is no file {path}")
    if path.suffix == ".onnx":
        return OnnxModel(path)
    if path.suffix == ".pt2":
        return Program(torch.export.load(path).module())
    if path.suffix in (".pt", ".ts", ".pth"):
        # TorchScript alone: a pickle of a module could run anything.
        return torch.jit.load(path).eval()
    raise ValueError(f"{who}: a file must end in .onnx, .pt2, .pt or .ts; got {path.name}")


def _check_classifier(estimator):
    name, classes = type(estimator).__name__, getattr(estimator, "classes_", None)
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"{name} has no predict_proba, so it has no logits. Fit "
            f"CalibratedClassifierCV({name}(), ensemble=False) of sklearn.calibration in its place"
        )
    if classes is None:
        raise ValueError(f"{name} is not fitted; call its fit first")
    if isinstance(classes, list):
        raise ValueError(f"{name} answers {len(classes)} questions at once; hand in one estimator for each")
    if not np.array_equal(classes, np.arange(len(classes))):
        raise ValueError(
            f"the classes must be numbered 0 to {len(classes) - 1}, as the student's logits are; the "
            f"estimator has {list(classes)[:5]}. Fit it on labels from LabelEncoder"
        )


def outputs_of(model, batch, who="the model", pick=None) -> torch.Tensor:
    """What a model gives for a batch: its logits or numbers, samples first, as its mode and gradients are.

    ``batch`` is a :class:`~kdviz.inputs.batches.Batch`, or the inputs of one.
    """
    inputs = getattr(batch, "inputs", batch)
    if isinstance(model, StoredAnswers):
        found = model.of_rows(getattr(batch, "rows", None))
    else:
        found = logits_in(call(model, to_device(inputs, device_of(model))), pick, who)
    count = size_of(inputs)
    if not found.ndim or len(found) != count:
        raise ValueError(
            f"{who} must give one answer for each of the {count} samples, samples first; it gave "
            f"{tuple(found.shape)}. A model that flattens pixels or tokens into rows is asked without that"
        )
    return found


def logits_in(output, pick=None, who="the model") -> torch.Tensor:
    """The logits in what a model returned: the part that ``pick`` names, or the one that can be meant.

    TypeError where a tuple holds several tensors that look alike, which says what they are.
    """
    if pick is None and isinstance(output, (tuple, list)) and not hasattr(output, "logits"):
        axes = [part.ndim for part in output if isinstance(part, torch.Tensor) and part.ndim]
        if axes.count(axes[0] if axes else 0) > 1:
            raise TypeError(
                f"{who} returns several tensors that may be logits: {shapes_of(output)}. Say which of them "
                "are, for example logits=0 for the first, or logits= a function of the output"
            )
    return logits_of(output, pick)
