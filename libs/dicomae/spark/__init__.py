"""The adapters: all that knows Spark or Delta."""
