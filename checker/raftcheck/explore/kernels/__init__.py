"""Compiled loops over arrays of numbers. What the numbers stand for is told where they are made."""
