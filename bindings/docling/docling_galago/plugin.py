"""The entry point of docling's plug-ins: what docling's factories ask for."""


def picture_description() -> dict[str, list[type]]:
    from ._pictures import GalagoPictureDescriptionModel

    return {"picture_description": [GalagoPictureDescriptionModel]}
