/** The help: keys, or on touch screens gestures and what the buttons are, whose titles no finger can show. */
import { setIcon } from "./icons.js";
import { SHORTCUTS } from "./keys.js";

const LABELS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", "Shift+Arrow": "Shift + arrows" };

const GESTURES = [
  ["One finger", "Orbit (fly: look around)"],
  ["Two fingers", "Move sideways; apart: closer, together: further away"],
  ["Tap", "Play or pause"],
  ["Double tap", "Full screen"],
];

/** Open the dialog; it lists the buttons that are visible then. `find(id)` returns an element of the page. */
export function showHelp(find) {
  find("shortcuts").replaceChildren(
    ...SHORTCUTS.flatMap(({ keys, description }) => entry(keys.flatMap((key) => [keyCap(key), " "]), description)),
  );
  const gestures = GESTURES.filter(([name]) => name !== "Double tap" || document.fullscreenEnabled);
  const buttons = [...find("player").querySelectorAll(":is(button, summary)[data-icon]")];
  find("gestures").replaceChildren(
    ...gestures.flatMap(([name, description]) => entry([name], description)),
    ...buttons
      .filter((button) => button.checkVisibility() && !button.closest("aside"))
      .flatMap((button) => entry([iconOf(button)], button.ariaLabel)),
  );
  find("help-dialog").showModal();
}

function entry(term, description) {
  const [name, detail] = [document.createElement("dt"), document.createElement("dd")];
  name.append(...term);
  detail.textContent = description;
  return [name, detail];
}

function keyCap(key) {
  return Object.assign(document.createElement("kbd"), { textContent: LABELS[key] ?? key });
}

function iconOf({ dataset }) {
  const icon = document.createElement("span");
  setIcon(icon, dataset.drawn);
  return icon;
}
