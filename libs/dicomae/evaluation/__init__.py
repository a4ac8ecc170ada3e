"""Scores and their significance."""
