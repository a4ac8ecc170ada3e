"""From a source to commits: origins, discovery, readers, tasks that write parts, commits in order."""
