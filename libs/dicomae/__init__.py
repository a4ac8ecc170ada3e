"""Turns a whole PACS into something one can group, search and check."""
