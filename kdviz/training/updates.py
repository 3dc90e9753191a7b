"""How a run moves its student: optimizer, schedule, clipping, accumulation and precision."""

import math
import numbers
from contextlib import nullcontext
from dataclasses import replace

import torch

from kdviz.tracing import check_model, device_of

STEPS = 600


class Updates:
    """The optimizer of a run and what is around it, one update at a time.

    By default it is Adam, whose rate falls along half a cosine. Whatever is learned besides the student, such
    as a loss's regressor, becomes a group of the same optimizer, so the schedule is made at the first step.
    """

    def __init__(self, run, parameters):
        self.run, self.schedule, self._rates = run, None, None
        if run.optimizer is None:
            self.optimizer = torch.optim.Adam(parameters, lr=run.learning_rate, fused=True)
        else:
            self.optimizer = run.optimizer(parameters)
        if not isinstance(self.optimizer, torch.optim.Optimizer):
            raise TypeError(
                "optimizer= must be a function of the student's parameters that makes a torch optimizer; it "
                f"made {type(self.optimizer).__name__}"
            )
        self._device = device_of(run.student).type
        half = run.precision is torch.float16
        self.scaler = torch.amp.GradScaler(self._device, enabled=half)

    def learn_too(self, parts):
        self.optimizer.add_param_group({"params": parts})

    def autocast(self):
        """The precision in which the networks answer."""
        if self.run.precision is None:
            return nullcontext()
        return torch.autocast(self._device, self.run.precision)

    def begin(self):
        self.optimizer.zero_grad()

    def backward(self, loss):
        self.scaler.scale(loss).backward()

    def step(self):
        """Move all that learns by the gradients that are there."""
        self.begin_schedule()
        if self.run.clip is not None:
            self.scaler.unscale_(self.optimizer)
            every = [part for group in self.optimizer.param_groups for part in group["params"]]
            torch.nn.utils.clip_grad_norm_(every, self.run.clip)
        if self.schedule is None:
            for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * cosine(self.run.step, self.run.steps)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.schedule is not None:
            self.schedule.step()

    def begin_schedule(self):
        """Make the schedule, now that all that learns is in the optimizer."""
        if self._rates is not None:
            return
        self._rates = [group["lr"] for group in self.optimizer.param_groups]
        if self.run.schedule is not None:
            self.schedule = _checked(self.run.schedule(self.optimizer))

    def state(self):
        """All that an update leaves for the next one."""
        schedule = None if self.schedule is None else self.schedule.state_dict()
        kept = {"optimizer": self.optimizer.state_dict(), "schedule": schedule, "rates": self._rates}
        return kept | {"scaler": self.scaler.state_dict()}

    def go_on_from(self, state):
        """Be as the updates were that gave this state; all that learns is in the optimizer by now."""
        self.begin_schedule()
        self.optimizer.load_state_dict(state["optimizer"])
        self._rates = state["rates"]
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])


def _checked(schedule):
    if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
        raise TypeError(
            "ReduceLROnPlateau waits for a measure, and a schedule here is moved after each step. Take one "
            "that counts steps, such as torch.optim.lr_scheduler.StepLR"
        )
    if not all(hasattr(schedule, name) for name in ("step", "state_dict", "load_state_dict")):
        raise TypeError(
            "schedule= must be a function of the optimizer that makes a schedule of "
            f"torch.optim.lr_scheduler; it made {type(schedule).__name__}"
        )
    return schedule


def cosine(step, steps):
    """The fraction of the learning rate at a step: from 1 along half a cosine to 2 % after the last."""
    return 0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2


def count_steps(run):
    """How many steps a run takes: as many as were asked for, or those of so many epochs."""
    if run.epochs is None:
        return STEPS if run.steps is None else int(run.steps)
    if run.steps is not None:
        raise ValueError(f"pass steps= or epochs=, not both; got {run.steps} and {run.epochs}")
    length = getattr(run.lesson, "epoch_length", lambda size: None)(run.batch_size)
    if length is None:
        raise ValueError("these data do not say how long an epoch is; pass steps= in place of epochs=")
    return max(1, math.ceil(run.epochs * length / run.accumulate))


def check_settings(run):
    """The settings of a run, with errors that say what each has to be."""
    check_model("the student", run.student)
    for name in ("steps", "record_every", "batch_size", "accumulate", "threads", "seed"):
        value, least = getattr(run, name), 0 if name == "seed" else 1
        if value is None and name in ("steps", "record_every", "seed"):
            continue
        if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be a whole number from {least} up; got {value!r}")
        setattr(run, name, int(value))
    for name in ("epochs", "clip"):
        value = getattr(run, name)
        if value is not None and not (isinstance(value, numbers.Real) and 0 < value < math.inf):
            raise ValueError(f"{name} must be a finite number above 0; got {value!r}")
        setattr(run, name, None if value is None else float(value))
    for name, what, example in (
        ("optimizer", "the parameters", "lambda parameters: torch.optim.SGD(parameters, lr=0.1)"),
        ("schedule", "the optimizer", "lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 100)"),
    ):
        value = getattr(run, name)
        if value is not None and (not callable(value) or isinstance(value, torch.optim.Optimizer)):
            raise TypeError(
                f"{name}= must be a function of {what}, since a run trains a copy of your student: "
                f"{name}={example}; got {type(value).__name__}"
            )
    if run.precision not in (None, torch.float16, torch.bfloat16):
        raise ValueError(
            f"precision must be torch.bfloat16 or torch.float16, or None for full; got {run.precision!r}"
        )


def in_single(trace):
    """A trace in single precision at least: a softmax in half of it loses too much."""
    if trace is None or not any(map(_is_half, (trace.logits, *trace.features.values()))):
        return trace
    features = {path: _single(feature) for path, feature in trace.features.items()}
    return replace(trace, logits=_single(trace.logits), features=features)


def _is_half(values):
    return values.dtype in (torch.float16, torch.bfloat16)


def _single(values):
    return values.float() if _is_half(values) else values
