"""Which file is new, again, gone, or the holder of a UID: SQL over the lake; no Spark, no JVM."""
