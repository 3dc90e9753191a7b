# What kdviz offers: the one list, read by kdviz/__init__.py and by editors.

from . import algorithms as algorithms
from . import course as course
from . import datasets as datasets
from . import explain as explain
from . import explorers as explorers
from . import figures as figures
from . import losses as losses
from . import measure as measure
from . import models as models
from . import schemes as schemes
from . import study as study
from . import training as training
from .losses import AttentionTransfer as AttentionTransfer
from .losses import CrossEntropy as CrossEntropy
from .losses import Decoupled as Decoupled
from .losses import Hint as Hint
from .losses import Objective as Objective
from .losses import SoftTargets as SoftTargets
from .schemes._sweep import sweep as sweep
from .schemes.offline import distill as distill
from .schemes.supervised import teacher as teacher
from .schemes.supervised import train as train
from .study._compare import compare as compare
from .study._diagnose import diagnose as diagnose
from .study._layers import layers as layers
from .tracing import Trace as Trace
from .tracing import trace as trace
from .training.saving import load_run as load_run

__version__: str
