"""The training theatre: watch a run while it trains, stop it at any step, and turn its knobs."""

import threading
import time
import weakref

import torch
import traitlets

from kdviz.explorers.base import ImageExplorer
from kdviz.explorers.theatre_explorer.frames import (
    MOST_FRAMES,
    Watched,
    first_frame,
    frame_of,
    knobs_of,
    marks_of,
    settings_before,
    terms_of,
    thinned,
    tunable,
    united,
)
from kdviz.explorers.validation import check_data
from kdviz.training.stages import Stages

REDRAW = 0.2
LOOKS = 100
MOST_MARKS = 200
_PLAYING = weakref.WeakSet()


class Theatre(ImageExplorer):
    """A run on a stage: who teaches whom, the loss terms, the student as it learns. Made by :func:`theatre`.

    What a reader can press, Python can call: :meth:`play`, :meth:`pause`, :meth:`step`, :meth:`stop`,
    :meth:`reset`. ``run`` is the run, so ``run.student`` is the student as trained so far and
    ``run.records`` is what was recorded.
    """

    # One for each record, thinned to a number that a page can hold. Python appends to it without a
    # message and sends only what is new, as `latest`; the page does the same.
    frames = traitlets.List().tag(sync=True)
    latest = traitlets.List().tag(sync=True)
    marks = traitlets.List().tag(sync=True)
    terms = traitlets.List().tag(sync=True)
    knobs = traitlets.List().tag(sync=True)
    # By address: what the next step uses. Set by the sliders, and by Python.
    settings = traitlets.Dict().tag(sync=True)
    steps = traitlets.Int().tag(sync=True)
    # Runs of as many steps, one after another.
    stages = traitlets.Int(1).tag(sync=True)
    state = traitlets.Enum(["ready", "playing", "paused", "stopped", "done"], "ready").tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    seconds = traitlets.Float(20.0, min=0).tag(sync=True)
    # What the page asks for, as [what, its number, how often it was repeated], and the number last heard.
    command = traitlets.List().tag(sync=True)
    acknowledged = traitlets.Int(0).tag(sync=True)
    can_reset = traitlets.Bool().tag(sync=True)
    live = traitlets.Bool(True).tag(sync=True)

    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    teacher_logits = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    chosen = traitlets.Int(0).tag(sync=True)

    def __init__(self, run, make=None, watched=None, **state):
        # Held by the thread that trains while it draws, and by whoever gives a command.
        self._turn, self._wake = threading.RLock(), threading.Event()
        self._make, self._watched = make, watched
        self._thread, self._wanted, self._once = None, "ready", False
        self._unsent, self._sent = [], 0.0
        super().__init__(**state)
        self.can_reset = make is not None
        if watched is not None:
            self.classes, self.labels, self.images = watched.classes, watched.labels, watched.images
            self.teacher_logits = watched.teacher_logits
            self.chosen = state.get("chosen", watched.best)
        self._attach(run)
        self.observe(self._on_command, "command")
        self.observe(self._on_settings, "settings")

    def play(self):
        """Train in the background, from where the run stands to its end."""
        self._begin(once=False)

    def step(self):
        """Take one step of training, and pause."""
        self._begin(once=True)

    def pause(self):
        """Rest after the step in hand, and wait for it; :meth:`play` goes on from there."""
        self._end("paused")
        self.wait(5)

    def stop(self):
        """End the training after the step in hand, and wait for it. ``run.student`` is kept as it is."""
        self._end("stopped")
        self.wait(5)

    def reset(self):
        """Begin again with a fresh run, under the settings of the beginning."""
        if self._make is None:
            raise ValueError(
                "to begin again, the theatre needs to know how: pass it a function that makes the run, "
                "such as theatre(lambda: kd.distill(teacher, student, data, objective), ...)"
            )
        with self._turn:
            fresh = self._make()
            if fresh is self.run:
                raise ValueError("the function given to the theatre must make a new run at each call")
            _current_part(self.run).hurry()
            self._wake.set()
            self._thread, self._wanted = None, "ready"
            self._attach(fresh)

    def wait(self, seconds=None):
        """Wait until the training rests or has ended. Interrupting the kernel pauses it."""
        thread = self._thread
        if thread is None:
            return
        try:
            thread.join(seconds)
        except KeyboardInterrupt:
            self._end("paused")
            thread.join(5)
            raise

    def finish(self):
        """Train to the end as fast as it goes, and return the theatre itself."""
        pace, self.seconds = self.seconds, 0
        try:
            self.play()
            self.wait()
        finally:
            self.seconds = pace
        return self

    def set(self, address, value):
        """Change a setting of the objective, as ``run.set`` does: the next step uses it."""
        with self._turn:
            self.run.set(address, value)
            self.settings = tunable(self.run.objective)

    def close(self):
        if self._thread is not None:
            self._end("stopped")
        super().close()

    def set_state(self, sync_data):
        # What the page says arrives in a thread of its own, while the one that trains draws.
        with self._turn:
            super().set_state(sync_data)

    def static_state(self):
        if self._make is not None and not self.run.records:
            return self._performance()
        state = {**super().static_state(), "live": False, "state": "done", "latest": [], "command": []}
        return {**state, "acknowledged": 0, "message": "", "can_reset": True}

    def _performance(self):
        """The state after a run of its own, so that a page without a kernel has something to play."""
        given = {name: getattr(self, name) for name in ("names", "chosen", "seconds")}
        twin = Theatre(self._make(), self._make, self._watched, **given)
        try:
            state = twin.finish().static_state()
            if twin.state != "done":
                raise RuntimeError(f"the run for the static page did not end: {twin.message}")
            return state
        finally:
            twin.close()

    def _attach(self, run):
        """Show a run as far as it has come."""
        with self._turn, self.hold_sync():
            self.run = run
            self._shown_part = None
            self._show_terms()
            self.settings, self.stages = tunable(run.objective), getattr(run, "count", 1)
            self.steps = _current_part(run).steps * self.stages
            self.frames, self.marks, self.latest = [], [], []
            if not run.records:
                self.frames = [first_frame(self.settings, self._look())]
            self._catch_up()
            if self.frames[-1]["step"] and self._watched:
                self.frames = [*self.frames[:-1], {**self.frames[-1], **self._seen_last()}]
            self._rest("done" if run.step >= self.steps else "paused" if run.step else "ready")

    def _show_terms(self):
        """Show the terms and knobs of all stages that have begun."""
        _look_often(self.run)
        self._met = len(_parts(self.run))
        objectives = [part.objective for part in _parts(self.run)]
        self.terms = united([terms_of(each) for each in objectives], "name")
        self.knobs = united([knobs_of(each) for each in objectives], "address")

    def _seen_last(self):
        seen = self._look()
        return {**seen, "measures": {**self.frames[-1]["measures"], **seen.get("measures", {})}}

    def _look(self):
        return self._watched(self.run.student) if self._watched else {}

    def _begin(self, once):
        with self._turn:
            self._once = once
            if self._thread is not None:
                # To step through a run that plays is to rest after the step in hand.
                self._end("paused" if once else "playing")
                return
            for other in list(_PLAYING):
                if other is not self and other.run is self.run:
                    other.pause()
            self._catch_up()
            self._wanted = "playing"
            self._wake.clear()
            if once:
                _current_part(self.run).hurry()
            self._thread = threading.Thread(target=self._train, args=(self.run,), daemon=True)
            _PLAYING.add(self)
            self._tell("playing", "" if once else "Training.")
            self._thread.start()

    def _end(self, wanted):
        """Say how the training is to go on; what trains answers after its step in hand."""
        with self._turn:
            self._wanted = wanted
            if self._thread is None:
                if self.state in ("ready", "paused") and wanted == "stopped":
                    self._rest("stopped")
            elif wanted != "playing":
                _current_part(self.run).hurry()
                self._wake.set()

    def _train(self, run):
        problem = None
        try:
            while self._may_go_on(run):
                began = time.monotonic()
                self._begin_stage(run)
                record = next(run, None)
                self._receive(run, record)
                if record is not None:
                    self._wake.wait(max(0.0, began + self._rest_after(record) - time.monotonic()))
        except Exception as found:  # noqa: BLE001 - whatever it is, the reader must see it
            problem = found
        with self._turn:
            if self.run is run and problem is not None:
                self._thread = None
                self._rest("paused", f"{type(problem).__name__}: {problem}")

    def _begin_stage(self, run):
        """Where a stage has ended, begin the next: watched as closely, and a step in it is one step."""
        if not isinstance(run, Stages) or not run.go_on():
            return
        with self._turn:
            if self.run is run:
                self._show_terms()
                if self._once or self._wanted != "playing":
                    _current_part(run).hurry()

    def _may_go_on(self, run):
        """Whether to take another step. The answer no and what follows are one: no command is lost."""
        with self._turn:
            if self.run is not run:
                return False
            if self._wanted == "playing":
                return True
            self._thread = None
            self._rest(self._wanted)
            return False

    def _rest_after(self, record):
        """Seconds from a record to the next, so that there is time to watch and to turn a knob."""
        before = self.run.records[-2].step if len(self.run.records) > 1 else 0
        return self.seconds * (record.step - before) / self.steps

    def _receive(self, run, record):
        seen = self._watched(run.student) if self._watched and record else None
        with self._turn:
            if self.run is not run:
                return
            if record is None:
                self._wanted = "done"
                return
            self._add(record, seen)
            if self._once:
                self._wanted = "paused"
            if time.monotonic() - self._sent >= REDRAW:
                self._show_news()

    def _catch_up(self):
        """Take in the records of steps taken elsewhere, such as in a loop of the reader's own."""
        last = self.frames[-1]["step"] if self.frames else -1
        for record in self.run.records:
            if record.step > last:
                self._add(record, None)
        self._show_news()

    def _add(self, record, seen):
        part = _part_at(self.run, record.step)
        if part is not self._shown_part:
            # A later stage of a run may have other terms.
            self._shown_settings = settings_before(tunable(part.objective), part.records)
            self._shown_part = part
        self._shown_settings = self._shown_settings | {
            address: new for _, address, _, new in record.changes if isinstance(new, (int, float))
        }
        self.frames.append(frame_of(record, self._shown_settings, seen))
        self._unsent.append(self.frames[-1])
        if marks := marks_of(record):
            self.marks = [*self.marks, *marks][-MOST_MARKS:]
        if len(self.frames) > MOST_FRAMES:
            self.frames = thinned(self.frames)

    def _show_news(self):
        """Show what has come since the last time."""
        with self.hold_sync():
            self.latest = self._unsent[-MOST_FRAMES:]
            self._unsent.clear()
            if len(_parts(self.run)) > self._met:
                self._show_terms()
            self.settings = tunable(self.run.objective)
        self._sent = time.monotonic()

    def _rest(self, state, problem=None):
        self._show_news()
        at = f"step {self.run.step} of {self.steps}"
        told = {
            "ready": "Press Play: the student begins to learn.",
            "paused": f"Paused after {at}.",
            "stopped": f"Stopped after {at}. The student is kept as it is: run.student.",
            "done": f"Done: {at}. Replay it, or drag through it; the bars are each step's settings.",
        }
        self._tell(state, problem or told[state])

    def _tell(self, state, message):
        # Together, so that the buttons and the words beside them change at once.
        with self.hold_sync():
            self.state, self.message = state, message

    def _on_command(self, change):
        what, number = change.new[:2]
        if number == self.acknowledged:
            return
        self.acknowledged = number
        ways = {
            "play": self.play,
            "step": self.step,
            "pause": lambda: self._end("paused"),
            "stop": lambda: self._end("stopped"),
            "reset": self.reset,
        }
        try:
            ways[what]()
        except Exception as problem:  # noqa: BLE001 - whatever it is, the reader must see it
            self.message = f"{type(problem).__name__}: {problem}"

    def _on_settings(self, change):
        with self._turn:
            now = tunable(self.run.objective)
            try:
                for address, value in change.new.items():
                    if address in now and value != now[address]:
                        self.run.set(address, float(value))
            except Exception as problem:  # noqa: BLE001 - whatever it is, the reader must see it
                self.message = f"{type(problem).__name__}: {problem}"
            self.settings = tunable(self.run.objective)

    def __repr__(self):
        return f"Theatre({self.state}; {self.run!r})"


def theatre(
    run, data=None, teacher=None, *, layers=None, count=10, seconds=20.0, names=("teacher", "student")
):
    """Watch a run while it trains, and steer it: its temperature, and the weight of each term.

    Press *Play*: the arrows show how much each term asks of the student, the curves what it learns. A
    setting that you change acts on the next step and is marked on the time axis. Pause, step and stop
    whenever you like: ``show.run.student`` is the student as trained so far. Nothing trains before you
    press. The student is the one that the run gives without a theatre, bit for bit.

    >>> show = theatre(lambda: distill(teacher, student, data, objective), data, teacher)
    >>> show

    Parameters
    ----------
    run : Run, or a function without arguments that makes one
        Any iterator of records. With a function, *Reset* begins again, and a static page can show a whole
        run. A run that has ended is replayed. A run that would give fewer than 100 records is made to
        give that many; its ``record_every`` is lowered.
    data : Dataset, optional
        With it, the theatre shows what the student says of ``count`` validation images; of several
        students, what the first says.
    teacher : torch.nn.Module, optional
        With it and the data, also what the teacher says, and the CKA of their features. Of a run in
        stages that have different teachers leave it out.
    layers : (student layer, teacher layer), optional
        Whose features CKA compares; by default the layers before the logits, in networks that are
        ``nn.Sequential``.
    seconds : float
        How long a whole run takes at least, so that there is time to watch; 0 is as fast as it goes.
    names : (str, str)
        What to call who teaches and who learns.
    """
    make = run if callable(run) else None
    run = make() if make else run
    _check_run(run)
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"seconds must be a finite number from 0 up; got {seconds!r}")
    watched = None
    if data is not None:
        check_data(data)
        if not isinstance(count, int) or not 1 <= count <= len(data.validation):
            raise ValueError(
                f"count must be a whole number from 1 to {len(data.validation)}, the number of validation "
                f"images; got {count!r}"
            )
        if teacher is not None and not isinstance(teacher, torch.nn.Module):
            raise TypeError(
                f"teacher must be a torch.nn.Module, to answer for validation images; got "
                f"{type(teacher).__name__}. Leave it out where only logits are left"
            )
        watched = Watched(data, teacher, layers, count)
    elif teacher is not None:
        raise ValueError("a teacher is asked about validation images: pass the data, too")
    return Theatre(run, make, watched, seconds=float(seconds), names=list(names))


def _check_run(run):
    needed = ("__next__", "student", "objective", "records", "step", "set")
    missing = [name for name in needed if not hasattr(run, name)]
    if missing:
        raise TypeError(
            f"a theatre shows a run, such as kdviz.distill(...), or a function that makes one; got "
            f"{type(run).__name__}, which has no {missing[0]}"
        )


def _parts(run):
    """The stages that have begun; a run without stages is its own only one."""
    return getattr(run, "runs", [run])


def _current_part(run):
    """The run that trains now: of several stages the last that has begun."""
    return _parts(run)[-1]


def _part_at(run, step):
    """The stage that took a step."""
    for part in _parts(run):
        step -= part.steps
        if step <= 0:
            break
    return part


def _look_often(run):
    """Enough records to watch; how often a run records changes nothing of what it learns."""
    part = _current_part(run)
    whole = part.steps * getattr(run, "count", 1)
    part.record_every = min(part.record_every, max(1, whole // LOOKS))
