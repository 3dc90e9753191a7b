"""A reader's own models: is anything transferred, and what?"""

from kdviz.study._compare import compare
from kdviz.study._diagnose import diagnose
from kdviz.study.comparison import Comparison
from kdviz.study.export import Exported, export_student
from kdviz.study.findings import Diagnosis, Finding
from kdviz.study.scikit import Scikit

__all__ = [
    "Comparison",
    "Diagnosis",
    "Exported",
    "Finding",
    "Scikit",
    "compare",
    "diagnose",
    "export_student",
]
