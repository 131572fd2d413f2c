"""Request log, usage figures, and the log of disclosures of patients' data."""
