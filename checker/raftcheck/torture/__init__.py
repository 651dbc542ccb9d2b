"""Clusters of whole servers under faults: do clients ever see what they must not?"""
