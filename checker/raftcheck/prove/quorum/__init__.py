"""Theorems about quorums, for every number of servers, and quorum rules of your own."""
