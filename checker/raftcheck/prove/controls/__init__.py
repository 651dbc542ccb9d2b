"""What shows that the proof can fail, and is not empty: mutants of the specification, and executions."""
