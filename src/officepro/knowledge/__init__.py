"""The knowledge base: articles, found by what they say, with everything they said before."""
