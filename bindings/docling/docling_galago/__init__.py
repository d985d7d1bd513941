"""galago inside docling: pages through its VLM pipeline, descriptions of pictures through its plug-in interface."""

from ._engine import GalagoVlmEngine
from ._options import GalagoEngineOptions, GalagoPictureDescriptionOptions
from ._pictures import GalagoPictureDescriptionModel
from ._pipeline import GalagoVlmConvertModel, GalagoVlmPipeline

__all__ = [
    "GalagoEngineOptions",
    "GalagoPictureDescriptionModel",
    "GalagoPictureDescriptionOptions",
    "GalagoVlmConvertModel",
    "GalagoVlmEngine",
    "GalagoVlmPipeline",
]
