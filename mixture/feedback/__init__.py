"""What users say of answers: joined with what is remembered of them, logged, and learned from within bounds."""

from mixture.feedback.desk import Desk, FeedbackError, UnknownRequest
from mixture.feedback.notes import FeedbackHost, Note, Receipt, Remembered

__all__ = ["Desk", "FeedbackError", "FeedbackHost", "Note", "Receipt", "Remembered", "UnknownRequest"]
