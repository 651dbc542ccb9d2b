"""What must be true: the specification that the implementation calls and the checker checks."""
