"""Statistics of paired results: intervals, tests, effect sizes, corrections, power, and what may be said in words."""
