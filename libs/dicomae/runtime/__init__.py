"""One process of a job: command line, session, progress, signals, one sentence for a failure, exit code."""
