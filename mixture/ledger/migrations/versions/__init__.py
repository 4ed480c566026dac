"""One step each, in the order of their `down_revision`."""
