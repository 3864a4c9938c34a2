"""A first run without anything outside: broker, sample data, simulator."""
