"""Telling partners what happened: signed, retried, in order of the log, and never at another's expense."""
