"""Run by Alembic: the steps are taken on the connection that `mixture.ledger.database` hands over."""

from __future__ import annotations

from alembic import context

from mixture.ledger.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
