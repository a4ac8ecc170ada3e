"""Tags become features: statistics count them, the funnel decides, a frozen specification encodes them."""
