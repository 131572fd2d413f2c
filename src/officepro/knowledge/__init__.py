"""Knowledge base: full-text search of articles, with their revisions."""
