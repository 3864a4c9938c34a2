"""The pure core: folds, windows and KPIs. No Kafka, Faust, Prometheus, file or wall clock."""
