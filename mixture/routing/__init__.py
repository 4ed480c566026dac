"""Routers: which experts suit a query, and why."""
