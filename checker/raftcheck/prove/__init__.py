"""Proofs for every cluster size, with Z3."""
