"""Adapters alone: each iterates batches, calls a kernel and declares its schema; no arithmetic."""
