/** How much graphics memory a clip takes, and how much a class of device may spend on it. */
const PHONE_BYTES = 250e6;
const SMALL_BYTES = 500e6;
const DESKTOP_BYTES = 1.5e9;
const SMALL_MEMORY = 4; // GiB of main memory

/**
 * Bytes of a segment's symbols (8 bits each) and of the folded planes (half floats), padding included.
 */
export function footprint({ coarse, fine }) {
  const sum = (count) =>
    [coarse, fine].reduce(
      (total, { groups, scales }) =>
        total + scales.reduce((part, { size, basis }) => part + count(basis) * 3 * groups * 4 * size * size, 0),
      0,
    );
  return { symbols: sum((basis) => basis + 1), folded: sum(() => 2) };
}

/** The budget of a device in bytes, from what its browser says about it (`navigator`, also a worker's). */
export function memoryBudget({ userAgent = "", userAgentData, deviceMemory = 8 } = {}) {
  if (userAgentData?.mobile ?? /Mobi|Android|iPhone|iPad/.test(userAgent)) return PHONE_BYTES;
  return deviceMemory <= SMALL_MEMORY ? SMALL_BYTES : DESKTOP_BYTES;
}

/**
 * What fits a budget: `show` the first layer of a segment; `refine` it, for which both layers are held at once;
 * `ahead`: hold the next segment meanwhile.
 */
export function affordable({ symbols, folded }, budget) {
  return {
    show: symbols + folded <= budget,
    refine: 2 * symbols + folded <= budget,
    ahead: 3 * symbols + folded <= budget,
  };
}
