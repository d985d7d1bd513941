"""docling's VLM pipeline with galago where it would create an engine of its own."""

from pathlib import Path

from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.pipeline_options import VlmConvertOptions, VlmPipelineOptions
from docling.datamodel.pipeline_options_vlm_model import ResponseFormat
from docling.datamodel.vlm_engine_options import AutoInlineVlmEngineOptions
from docling.models.stages.vlm_convert.vlm_convert_model import VlmConvertModel
from docling.pipeline.vlm_pipeline import VlmPipeline

from ._engine import GalagoVlmEngine
from ._options import GalagoEngineOptions


class GalagoVlmConvertModel(VlmConvertModel):
    """The stage that reads pages: docling's, with another engine."""

    def __init__(self, options: VlmConvertOptions, artifacts_path: Path | str | None, accelerator_options: AcceleratorOptions) -> None:
        super().__init__(
            enabled=False,  # so that it creates no engine
            enable_remote_services=False,
            artifacts_path=artifacts_path,
            options=options,
            accelerator_options=accelerator_options,
        )
        self.enabled = True
        engine = options.engine_options
        if isinstance(engine, AutoInlineVlmEngineOptions):
            engine = GalagoEngineOptions()
        if not isinstance(engine, GalagoEngineOptions):
            raise ValueError(f"engine_options: got {type(engine).__name__}, expected GalagoEngineOptions")
        self.engine = GalagoVlmEngine(engine, options.model_spec.default_repo_id, artifacts_path)


class GalagoVlmPipeline(VlmPipeline):
    """PdfFormatOption(pipeline_cls=GalagoVlmPipeline), with or without VlmPipelineOptions.

    Raises:
        ValueError: options of another engine, or of docling's older kind. What galago.Model raises.
    """

    def __init__(self, pipeline_options: VlmPipelineOptions) -> None:
        options = pipeline_options.vlm_options
        if not isinstance(options, VlmConvertOptions):
            raise ValueError(f"vlm_options: got {type(options).__name__}, expected VlmConvertOptions")
        super(VlmPipeline, self).__init__(pipeline_options)  # VlmPipeline's own would load docling's engine
        self.force_backend_text = options.force_backend_text and options.model_spec.response_format == ResponseFormat.DOCTAGS
        self.keep_images = pipeline_options.generate_page_images
        self.build_pipe = [GalagoVlmConvertModel(options, self.artifacts_path, pipeline_options.accelerator_options)]
