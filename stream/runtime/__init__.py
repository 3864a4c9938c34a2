"""The only package that imports Faust and aiokafka."""
