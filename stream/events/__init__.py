"""The contract of deskpulse: what upstream systems may say, as typed structs.

Nothing here knows Kafka, Faust, Prometheus, a file or the wall clock.
"""
