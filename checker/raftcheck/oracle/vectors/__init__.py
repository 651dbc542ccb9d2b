"""Conformance vectors: few steps of one server that take every branch of the core that exploration ever takes."""
