/** `?bench`: measures a clip on the viewer's device: frame time, fetches and memory, as text to copy. */
import { formatBytes } from "../video/stats.js";
import { copyText } from "./clipboard.js";

const MOVING_MS = 4000;
const STILL_PICTURES = 5;
const PICTURE_MS = 30_000; // after which a picture counts as missing
const STEP = 0.003; // radians per picture

/** Measure `player`, the element, and show the result in the page's dialog. */
export async function bench(player, find) {
  const dialog = find("bench-dialog");
  const text = find("bench-text");
  find("bench-copy").addEventListener("click", async () => {
    player.notify((await copyText(text.textContent)) ? "Result copied" : "Select the text to copy it");
  });
  dialog.show();
  text.textContent = "Measuring...";
  text.textContent = await measure(player).then(
    (measured) => report(measured).map(([name, value]) => `${name}: ${value}`).join("\n"),
    ({ message }) => `Nothing was measured: ${message}`,
  );
}

/** Pictures of a moving and of a still camera, and the statistics at the end. */
export async function measure(player, movingMs = MOVING_MS) {
  player.pause();
  await nextPicture(player, ({ final }) => final);
  const moving = [];
  const end = performance.now() + movingMs;
  for (let count = 0; performance.now() < end; count += 1) {
    player.cameras.orbit(count % 20 < 10 ? STEP : -STEP, 0);
    moving.push(await nextPicture(player));
  }
  const still = [];
  for (let count = 0; count < STILL_PICTURES; count += 1) {
    player.cameras.orbit(count % 2 ? -STEP : STEP, 0);
    still.push(await nextPicture(player, ({ final }) => final));
  }
  return { moving, still, movingMs, stats: await player.getStats(), heap: performance.memory?.usedJSHeapSize ?? null };
}

/** The next picture that fits; rejects when none is shown for long, and when the clip cannot be shown. */
function nextPicture(player, fits = () => true) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(() => reject(new Error("no picture was shown"))), PICTURE_MS);
    const receive = ({ detail }) => fits(detail) && finish(() => resolve(detail));
    const fail = () => finish(() => reject(player.error));
    const finish = (settle) => {
      clearTimeout(timer);
      player.removeEventListener("error", fail);
      player.removeEventListener("picture", receive);
      settle();
    };
    player.addEventListener("picture", receive);
    player.addEventListener("error", fail);
    if (player.error) fail();
  });
}

/** [[name, value]] of what was measured. */
export function report({ moving, still, movingMs, stats, heap }) {
  const times = (pictures) => median(pictures.map(({ drawMs }) => drawMs)).toFixed(1);
  const size = ({ width, height }) => `${width} × ${height}`;
  return [
    ["Rendered by", stats.why ? `${stats.renderer} (${stats.why})` : stats.renderer],
    ["Device", stats.device || "unknown"],
    ["Browser", navigator.userAgent],
    ["Moving", `${(moving.length / (movingMs / 1000)).toFixed(1)} pictures per second, ${times(moving)} ms each, ${size(moving.at(-1))}`],
    ["Still", `${times(still)} ms, ${size(still.at(-1))}`],
    ["Fetched", `${formatBytes(stats.fetched ?? 0)} of ${formatBytes(stats.total ?? 0)}, requests: ${stats.requests ?? "unknown"}`],
    ["Graphics memory", stats.memory ? formatBytes(stats.memory) : "unknown"],
    ["JavaScript heap", heap === null ? "unknown" : formatBytes(heap)],
  ];
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}
