"""Tables as they lie: location, Parquet parts, Delta commits, SQL over parts, the log of runs; no JVM."""
