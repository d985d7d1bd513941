"""Descriptions of a document's pictures, by docling's plug-in interface."""

from collections.abc import Iterable
from pathlib import Path

import galago
from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.pipeline_options import PictureDescriptionBaseOptions
from docling.models.picture_description_base_model import PictureDescriptionBaseModel
from PIL.Image import Image

from ._engine import open_model
from ._options import GalagoPictureDescriptionOptions


class GalagoPictureDescriptionModel(PictureDescriptionBaseModel):
    """Asks about a batch of pictures side by side. An error ends the document's conversion."""

    options: GalagoPictureDescriptionOptions

    def __init__(
        self,
        *,
        enabled: bool,
        enable_remote_services: bool,
        artifacts_path: Path | str | None,
        options: GalagoPictureDescriptionOptions,
        accelerator_options: AcceleratorOptions,
    ) -> None:
        super().__init__(
            enabled=enabled,
            enable_remote_services=enable_remote_services,
            artifacts_path=artifacts_path,
            options=options,
            accelerator_options=accelerator_options,
        )
        if enabled:
            self.model = open_model(options.model, options.load, artifacts_path)
            named = "a loaded model" if isinstance(options.model, galago.Model) else options.model
            self.provenance = f"{named} (galago)"

    @classmethod
    def get_options_type(cls) -> type[PictureDescriptionBaseOptions]:
        return GalagoPictureDescriptionOptions

    def _annotate_images(self, images: Iterable[Image]) -> Iterable[str]:
        requests = [galago.Request(self.options.prompt, [image]) for image in images]
        answers = self.model.generate(requests, progress=False, **self.options.params)
        return [answer.text.strip() for answer in answers]
