"""A customer-support agent for a small outdoor shop."""

__version__ = "1.4.0"
