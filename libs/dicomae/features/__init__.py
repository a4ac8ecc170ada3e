"""Tags to features: statistics, the funnel, the frozen specification."""
