"""What docling's users set."""

from pathlib import Path
from typing import Any, ClassVar, Literal

import galago
from docling.datamodel.pipeline_options import PictureDescriptionBaseOptions
from docling.models.inference_engines.vlm import BaseVlmEngineOptions, VlmEngineType
from pydantic import ConfigDict, Field


class GalagoEngineOptions(BaseVlmEngineOptions):
    """Where docling's VLM stage has an engine's options: VlmConvertOptions.from_preset(NAME, engine_options=this)."""

    # docling's list of engines is closed. A default would put this class in the place of docling's own for that engine.
    engine_type: VlmEngineType = Field(default_factory=lambda: VlmEngineType.AUTO_INLINE, description="an engine in this process")
    model: str | Path | galago.Model | None = Field(
        default=None,
        description="A folder, a GGUF file, ORG/NAME on the hub, or a model that is loaded; None: the one that the preset names.",
    )
    load: dict[str, Any] = Field(default_factory=dict, description="galago.LoadOptions of a model that is not loaded yet.")
    params: dict[str, Any] = Field(default_factory=dict, description="galago.Options of every request; they come before the preset's.")


class GalagoPictureDescriptionOptions(PictureDescriptionBaseOptions):
    """PipelineOptions.picture_description_options; wants allow_external_plugins=True beside it."""

    kind: ClassVar[Literal["galago"]] = "galago"
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    model: str | Path | galago.Model = Field(
        default="HuggingFaceTB/SmolVLM-256M-Instruct", description="As GalagoEngineOptions.model."
    )
    load: dict[str, Any] = Field(default_factory=dict, description="galago.LoadOptions of a model that is not loaded yet.")
    prompt: str = Field(default="Describe this image in a few sentences.", description="What is asked about each picture.")
    params: dict[str, Any] = Field(default_factory=lambda: {"max_tokens": 200}, description="galago.Options of every request.")
