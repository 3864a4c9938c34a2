"""Numbers out: the table of metric names, the snapshot and the collector."""
