"""Quality-aware multimodal fusion: a classifier that trusts each modality per sample."""

__version__ = "0.1.0"
