"""The report of an evaluation: everything that its page, its pictures and its JSON say, computed once."""
