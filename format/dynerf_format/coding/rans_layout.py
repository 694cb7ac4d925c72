"""Constants of the rANS coder: table precision, table total and the smallest state."""

PRECISION = 14
TOTAL = 1 << PRECISION
STATE_MIN = 1 << 16
