"""The gauges of a real worker on a real Kafka against the oracle, and what a crash leaves against no crash."""
