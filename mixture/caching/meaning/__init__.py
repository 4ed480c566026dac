"""What two questions mean: taken apart, and compared by a guard that refuses what must not differ."""
