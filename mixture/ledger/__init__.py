"""What every call cost, whose it was, and what each key may still spend."""

from mixture.ledger.admission import Ticket, admit, remaining
from mixture.ledger.book import Book
from mixture.ledger.places import folder_of, url_of
from mixture.ledger.recorder import Recorder
from mixture.ledger.reports import NO_LIMITS, Key, LedgerHost, Limits

__all__ = [
    "NO_LIMITS",
    "Book",
    "Key",
    "LedgerHost",
    "Limits",
    "Recorder",
    "Ticket",
    "admit",
    "folder_of",
    "remaining",
    "url_of",
]
