/** The statistics of a player as rows of text. */

/** [[name, value]] of what the element's `getStats()` returns. */
export function statsRows(stats) {
  const side = { browser: "this browser", server: "the server" }[stats.renderer] ?? "nothing yet";
  const rows = [["Rendered by", stats.why ? `${side}: ${stats.why}` : side]];
  if (!stats.width) return [...rows, ["Pictures", "none yet"]];
  rows.push(["Pictures per second", stats.picturesPerSecond.toFixed(1)]);
  rows.push(["Picture", `${stats.width} × ${stats.height}${stats.final ? "" : ", coarse"}`]);
  rows.push(...(stats.renderer === "server" ? serverRows(stats) : browserRows(stats)));
  rows.push(["Frame", stats.frame.toFixed(2)], ["Layers", String(stats.layers)], ["File fetched", formatFetched(stats)]);
  return rows;
}

function serverRows({ latencyMs, drawMs, codingMs, codec, kbitPerSecond }) {
  return [
    ["Latency", latencyMs === null ? "idle" : `${Math.round(latencyMs)} ms`],
    ["Render, encode", `${drawMs.toFixed(0)} ms, ${codingMs.toFixed(1)} ms`],
    ["Stream", `${codec}, ${kbitPerSecond.toFixed(0)} kbit/s`],
  ];
}

function browserRows({ drawMs, foldMs, fold, foldWhy, memory, device }) {
  const side = { gpu: "on the GPU", cpu: "on the CPU" }[fold] ?? "";
  return [
    ["Draw, fold", `${drawMs.toFixed(0)} ms, ${(foldMs ?? 0).toFixed(1)} ms ${side}`.trim()],
    ...(foldWhy ? [["Folded there because", foldWhy]] : []),
    ["Graphics memory", memory === null ? "unknown" : formatBytes(memory)],
    ["Device", device || "unknown"],
  ];
}

/** Bytes fetched, of how many in all where that is known, and by how many requests. */
export function formatFetched({ fetched: bytes, total, requests }) {
  if (bytes === null || bytes === undefined) return "unknown";
  const text = total ? `${formatBytes(bytes)} of ${formatBytes(total)}` : formatBytes(bytes);
  return requests ? `${text}, ${requests} ${requests === 1 ? "request" : "requests"}` : text;
}

/** Bytes in decimal units. */
export function formatBytes(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}
