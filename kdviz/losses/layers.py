"""Which layers a loss compares."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerPair:
    """A layer of the student and the one of the teacher it is compared with: by default that of its path."""

    student_layer: str
    teacher_layer: str | None = None

    @property
    def student_layers(self):
        return (self.student_layer,)

    @property
    def teacher_layers(self):
        return (self.teacher_layer or self.student_layer,)

    def features(self, student, teacher):
        """The student's features and the teacher's."""
        return student.features[self.student_layer], teacher.features[self.teacher_layers[0]]
