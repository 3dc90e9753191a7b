"""A reader's own models: is anything transferred, and what?"""

from kdviz.inputs.models import Answers, SklearnTeacher, StoredAnswers
from kdviz.study._compare import compare
from kdviz.study._diagnose import diagnose
from kdviz.study.comparison import Comparison
from kdviz.study.export import Exported, export_student
from kdviz.study.findings import Diagnosis, Finding, Question

# The older name.
Scikit = SklearnTeacher

__all__ = [
    "Answers",
    "Comparison",
    "Diagnosis",
    "Exported",
    "Finding",
    "Question",
    "SklearnTeacher",
    "StoredAnswers",
    "compare",
    "diagnose",
    "export_student",
]
