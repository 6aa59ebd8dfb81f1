"""What was used and what it cost: journal, recorder, reports."""
