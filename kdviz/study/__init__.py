"""A reader's own models: is anything transferred, and what?"""

from kdviz.study.diagnose import diagnose
from kdviz.study.findings import Diagnosis, Finding
from kdviz.study.scikit import Scikit

__all__ = ["Diagnosis", "Finding", "Scikit", "diagnose"]
