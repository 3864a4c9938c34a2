"""Pages end to end: real Kafka, the real worker, Prometheus and Alertmanager, and somebody who is paged."""
