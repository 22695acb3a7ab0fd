"""Events out: what happened to runs and deliveries, told to subscribers after the commit and never inside."""
