"""Frozen encoders run once per distinct content: their features are kept on disk."""

from __future__ import annotations

from qmf.feature_cache.content import content_key
from qmf.feature_cache.encoding import encode_cached
from qmf.feature_cache.housekeeping import CacheInfo, EncoderEntries, cache_info, clear_cache
from qmf.feature_cache.location import cache_limit, feature_folder

__all__ = [
    "CacheInfo",
    "EncoderEntries",
    "cache_info",
    "cache_limit",
    "clear_cache",
    "content_key",
    "encode_cached",
    "feature_folder",
]
