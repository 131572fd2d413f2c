"""officepro: the self-hosted partner API of a medical practice's record system."""

__version__ = "0.1.0"
