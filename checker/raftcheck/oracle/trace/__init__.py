"""Traces of whole clusters, judged against the specification."""
