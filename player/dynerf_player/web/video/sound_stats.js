/** The statistics of a clip's sound as rows of text. */
import { formatFetched } from "./stats.js";

/** [[name, value]]; none for a clip without sound, whose record is null. */
export function soundRows(sound) {
  if (!sound) return [];
  return [["Sound", stateOf(sound)], ["Sound fetched", formatFetched(sound)]];
}

function stateOf({ codec, channels, decoder, state, why, silentChunks, driftMs }) {
  if (state === "failed") return why;
  const kind = { 1: " mono", 2: " stereo" }[channels] ?? "";
  const parts = [`${codec}${kind}`, decoder, state === "playing" ? "" : state];
  if (silentChunks) parts.push(`${silentChunks} ${silentChunks === 1 ? "part" : "parts"} damaged or missing`);
  if (driftMs !== null) parts.push(`pictures ${Math.abs(driftMs).toFixed(0)} ms ${driftMs < 0 ? "late" : "early"}`);
  return parts.filter((part) => part).join(", ");
}
