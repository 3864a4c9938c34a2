"""A real Apache Kafka for the tests: jars from Maven Central, brokers on free ports, pytest fixtures."""
