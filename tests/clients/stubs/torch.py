"""What docling asks of torch when its models are elsewhere: which accelerators there are. None."""

from types import SimpleNamespace

__version__ = "0"
_none = SimpleNamespace(is_built=lambda: False, is_available=lambda: False, device_count=lambda: 0)
cuda = _none
backends = SimpleNamespace(cuda=_none, mps=_none)

# Names of types alone.
Tensor = object
nn = SimpleNamespace(Module=object)
