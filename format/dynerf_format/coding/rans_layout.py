"""The numbers of the entropy coder that its tables, its loops and its states share."""

PRECISION = 14
TOTAL = 1 << PRECISION
LOWEST = 1 << 16
