"""K-medoids under the Manhattan distance."""
