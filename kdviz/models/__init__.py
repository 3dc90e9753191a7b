"""WHO: small teachers and students with named layers, and what a model costs."""

from kdviz.models.convnet import convnet
from kdviz.models.cost import Cost, cost
from kdviz.models.mlp import mlp

__all__ = ["Cost", "convnet", "cost", "mlp"]
