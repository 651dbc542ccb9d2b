"""Peers that are driven step by step: raftproof decides what happens, and judges what they make of it."""
