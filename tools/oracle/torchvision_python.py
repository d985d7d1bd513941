# Makes `import torchvision` work where only its Python half can be used. To be imported before transformers.
# In: nothing. Out: nothing; resizing needs none of torchvision's compiled operators, and the wheel that a package
# index offers may have them built for another device, in which case importing it fails.
import sys

import torch

try:
    import torchvision
except RuntimeError:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

if torchvision.__version__.split("+")[0] != "0.28.0":
    raise SystemExit(f"goldens of videos are made with torchvision 0.28.0, found {torchvision.__version__}")
