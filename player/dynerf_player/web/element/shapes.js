/** Icons of the element's own buttons, on a 24 x 24 grid. */
const SVG = "http://www.w3.org/2000/svg";
const SHAPES = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M6 4.5h4v15H6zM14 4.5h4v15h-4z",
  fullscreen: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
  sound: "M4 9v6h4l5 4V5L8 9zM15 8.5v7a4 4 0 0 0 0-7zM15 4.5v2a6 6 0 0 1 0 11v2a8 8 0 0 0 0-15z",
  muted: "M4 9v6h4l5 4V5L8 9zM15 9.4l1.4-1.4 2.1 2.1L20.6 8 22 9.4 19.9 11.5 22 13.6 20.6 15l-2.1-2.1L16.4 15 15 13.6l2.1-2.1z",
};

/** Replace the content of an element by a shape. */
export function drawShape(element, shape) {
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[shape]);
  icon.append(path);
  element.replaceChildren(icon);
}
