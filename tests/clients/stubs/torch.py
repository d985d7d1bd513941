"""What docling imports of torch when its models are elsewhere: a name. Whatever is asked of it fails."""

__version__ = "0"
