"""Bytes to events: decoding, dead letters, partitioning and foreign mappings."""
