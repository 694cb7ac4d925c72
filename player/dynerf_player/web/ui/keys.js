/**
 * Keyboard shortcuts. Focused elements that use a key themselves take precedence: fields and menus for all keys,
 * buttons for Space and Enter, sliders for the arrows. `actions` maps names to functions; `help.js` lists SHORTCUTS.
 */
export const SHORTCUTS = [
  { keys: ["Space"], action: "toggle", description: "Play or pause" },
  { keys: ["ArrowLeft", "ArrowRight"], action: "arrows", description: "Back, forward (fly: sideways)" },
  { keys: ["ArrowUp", "ArrowDown"], action: "arrows", description: "Closer, further away (fly: forward, back)" },
  { keys: ["Shift+Arrow"], action: "arrows", description: "Rotate the camera" },
  { keys: ["M"], action: "mute", description: "Mute" },
  { keys: ["-", "+"], action: "volume", description: "Quieter, louder" },
  { keys: [",", "."], action: "step", description: "One frame back, forward" },
  { keys: ["[", "]"], action: "speed", description: "Slower, faster" },
  { keys: ["L"], action: "loop", description: "Loop" },
  { keys: ["Z"], action: "freeze", description: "Freeze time" },
  { keys: ["O"], action: "fly", description: "Orbit or fly" },
  { keys: ["R"], action: "reset", description: "Back to the capture camera" },
  { keys: ["D"], action: "depth", description: "Depth" },
  { keys: ["K"], action: "keyframe", description: "Add a keyframe" },
  { keys: ["P"], action: "path", description: "Camera path" },
  { keys: ["S"], action: "screenshot", description: "Save a picture" },
  { keys: ["C"], action: "share", description: "Copy the link" },
  { keys: ["I"], action: "stats", description: "Statistics" },
  { keys: ["F"], action: "fullscreen", description: "Full screen" },
  { keys: ["H"], action: "help", description: "This help" },
];

const USES_ALL_KEYS =
  'select, textarea, [contenteditable], input:not([type="range"], [type="checkbox"], [type="file"])';
const USES_SPACE = 'button, summary, a[href], input, [role="button"]';

/** Listen to the keyboard for the lifetime of the page. */
export function listenToKeys(actions) {
  addEventListener("keydown", (event) => {
    // AltGr, which types brackets on many keyboards, is reported as Ctrl and Alt on some systems.
    const modified = (event.ctrlKey || event.altKey) && !event.getModifierState("AltGraph");
    if (modified || event.metaKey || event.isComposing || document.querySelector("dialog[open]")) return;
    if (isUsedByTarget(event)) return;
    const action = actionOf(event.key);
    if (!action || (event.repeat && !["arrows", "step", "volume"].includes(action))) return;
    event.preventDefault();
    actions[action](event);
  });
}

function isUsedByTarget({ target, key }) {
  if (!(target instanceof Element)) return false;
  if (target.closest(USES_ALL_KEYS)) return true;
  if ([" ", "Enter"].includes(key)) return target.closest(USES_SPACE) !== null;
  return key.startsWith("Arrow") && target.closest('input[type="range"]') !== null;
}

function actionOf(key) {
  if (key === " ") return "toggle";
  if (key === "?") return "help";
  if (key === "=" || key === "_") return "volume"; // the keys of + and - on many keyboards
  const name = key.length === 1 ? key.toUpperCase() : key;
  return SHORTCUTS.find(({ keys }) => keys.includes(name))?.action;
}
