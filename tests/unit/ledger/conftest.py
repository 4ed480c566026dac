"""What the ledger's tests share: a book in a file of its own."""

import pytest

from mixture.config import LedgerConfig
from mixture.ledger import Book, Recorder
from mixture.ledger.database import connect


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def engine(url):
    engine = connect(url)
    yield engine
    engine.dispose()


@pytest.fixture
def book(url):
    book = Book(url)
    yield book
    book.close()


@pytest.fixture
def recorder(book, tmp_path):
    return Recorder(book, tmp_path / "journal", LedgerConfig(patience=5))
