"""How experts are asked, whatever the strategy: one after another, several at once, in which order."""
