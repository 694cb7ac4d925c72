/**
 * Keyboard shortcuts. They yield to whatever has the focus and uses the key itself: fields and menus all keys, buttons
 * Space and Enter, sliders the arrows. `actions` maps names to functions; SHORTCUTS is also what the help shows.
 */
export const SHORTCUTS = [
  { keys: ["Space"], action: "toggle", says: "Play or pause" },
  { keys: ["ArrowLeft", "ArrowRight"], action: "arrows", says: "Back, forward (fly: sideways)" },
  { keys: ["ArrowUp", "ArrowDown"], action: "arrows", says: "Closer, further away (fly: ahead, back)" },
  { keys: ["Shift+Arrow"], action: "arrows", says: "Turn the camera" },
  { keys: [",", "."], action: "step", says: "One frame back, forward" },
  { keys: ["[", "]"], action: "pace", says: "Slower, faster" },
  { keys: ["L"], action: "loop", says: "Loop" },
  { keys: ["Z"], action: "freeze", says: "Freeze time" },
  { keys: ["O"], action: "fly", says: "Orbit or fly" },
  { keys: ["R"], action: "reset", says: "Back to the filming camera" },
  { keys: ["D"], action: "depth", says: "Depth" },
  { keys: ["K"], action: "keyframe", says: "Add a keyframe" },
  { keys: ["P"], action: "path", says: "Camera path" },
  { keys: ["S"], action: "screenshot", says: "Save a picture" },
  { keys: ["C"], action: "share", says: "Copy the link" },
  { keys: ["I"], action: "stats", says: "Statistics" },
  { keys: ["F"], action: "fullscreen", says: "Full screen" },
  { keys: ["H"], action: "help", says: "This help" },
];

const TAKES_ALL = 'select, textarea, [contenteditable], input:not([type="range"], [type="checkbox"], [type="file"])';
const TAKES_PRESSES = 'button, summary, a[href], input, [role="button"]';

/** Listen to the keyboard until the page ends. */
export function listenToKeys(actions) {
  addEventListener("keydown", (event) => {
    // AltGr, which types brackets on many keyboards, counts as Ctrl and Alt on some systems.
    const commands = (event.ctrlKey || event.altKey) && !event.getModifierState("AltGraph");
    if (commands || event.metaKey || event.isComposing || document.querySelector("dialog[open]")) return;
    if (isTaken(event)) return;
    const found = actionOf(event.key);
    if (!found || (event.repeat && !["arrows", "step"].includes(found))) return;
    event.preventDefault();
    actions[found](event);
  });
}

function isTaken({ target, key }) {
  if (!(target instanceof Element)) return false;
  if (target.closest(TAKES_ALL)) return true;
  if ([" ", "Enter"].includes(key)) return target.closest(TAKES_PRESSES) !== null;
  return key.startsWith("Arrow") && target.closest('input[type="range"]') !== null;
}

function actionOf(key) {
  if (key === " ") return "toggle";
  if (key === "?") return "help";
  const wanted = key.length === 1 ? key.toUpperCase() : key;
  return SHORTCUTS.find(({ keys }) => keys.includes(wanted))?.action;
}
