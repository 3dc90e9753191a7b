"""A reader's own models: is anything transferred, and what?"""

from kdviz.study._compare import compare
from kdviz.study._diagnose import diagnose
from kdviz.study.comparison import Comparison
from kdviz.study.export import Exported, export_student
from kdviz.study.findings import Diagnosis, Finding
from kdviz.study.sklearn_teacher import SklearnTeacher

# The older name.
Scikit = SklearnTeacher

__all__ = [
    "Comparison",
    "Diagnosis",
    "Exported",
    "Finding",
    "SklearnTeacher",
    "compare",
    "diagnose",
    "export_student",
]
