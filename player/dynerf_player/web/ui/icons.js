/** Icons: line drawings on a 24 x 24 grid, placed before the content of every element with `data-icon`. */
const SHAPES = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M8 5v14M16 5v14",
  back: "M19 6l-8 6 8 6zM6 6v12",
  forward: "M5 6l8 6-8 6zM18 6v12",
  loop: "M4 11V9a3 3 0 0 1 3-3h12m-3-3 3 3-3 3M20 13v2a3 3 0 0 1-3 3H5m3 3-3-3 3-3",
  freeze: "M12 3v18M4.2 7.5l15.6 9M19.8 7.5l-15.6 9M9.5 4.5 12 7l2.5-2.5M9.5 19.5 12 17l2.5 2.5",
  fly: "M21 3 3 10.5l7 3.5 3.5 7zM10 14l4-4",
  depth: "M12 3 3 8l9 5 9-5zM3 12.5l9 5 9-5M3 17l9 5 9-5",
  path: "M5 19a2 2 0 1 0 0-.01M19 5a2 2 0 1 0 0-.01M7 19h8a3.5 3.5 0 0 0 0-7H9a3.5 3.5 0 0 1 0-7h8",
  screenshot: "M4 8h3.5L9 5.5h6L16.5 8H20v11H4zM12 10.2a3.2 3.2 0 1 0 .01 0",
  stats: "M4 20V10M10 20V4M16 20v-8M22 20H2",
  settings: "M4 7h9M17 7h3M15 5v4M4 12h3M11 12h9M9 10v4M4 17h7M15 17h5M13 15v4",
  fullscreen: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  share: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7L12 7M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7L12 17",
  help: "M9 9a3 3 0 1 1 4.2 2.8c-.8.4-1.2 1-1.2 2.2M12 17.5v.1",
  reset: "M4 4v5h5M4.6 9A8 8 0 1 1 4 13",
  close: "M6 6l12 12M18 6 6 18",
  all: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h6v6h-6z",
  add: "M12 5v14M5 12h14",
  sound: "M4 9.5v5h3.5L12 18.5V5.5L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  muted: "M4 9.5v5h3.5L12 18.5V5.5L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5",
  go: "M5 12h14M13 6l6 6-6 6",
  camera: "M3 7h12v10H3zM15 11l6-3.5v9L15 13",
};
const SVG = "http://www.w3.org/2000/svg";

/** Draw the named icon in an element; it replaces an earlier one. */
export function setIcon(element, name) {
  if (element.dataset.drawn === name) return;
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  icon.append(document.createElementNS(SVG, "path"));
  icon.firstChild.setAttribute("d", SHAPES[name]);
  element.querySelector(":scope > svg")?.remove();
  element.prepend(icon);
  element.dataset.drawn = name;
}

/** Draw the icons of all descendants of an element. */
export function drawIcons(root) {
  for (const element of root.querySelectorAll("[data-icon]")) setIcon(element, element.dataset.icon);
}
