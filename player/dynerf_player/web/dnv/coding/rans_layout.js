/** Constants of the rANS coder: table precision, table total and the smallest state. */
export const PRECISION = 14;
export const TOTAL = 1 << PRECISION;
export const STATE_MIN = 1 << 16;
