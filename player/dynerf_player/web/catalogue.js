/** The catalogue page: one card per clip, with thumbnail, duration and size. */
import { addressOf } from "./net/address.js";
import { formatTime } from "./net/time_text.js";
import { formatBytes } from "./video/stats.js";

const summary = document.getElementById("summary");

function card({ name, page, poster, seconds, bytes, width, height }) {
  const [item, link, image, text] = ["li", "a", "img", "div"].map((tag) => document.createElement(tag));
  const [title, details] = ["strong", "span"].map((tag) => document.createElement(tag));
  link.className = "card";
  link.href = new URL(page, addressOf());
  image.src = new URL(poster, addressOf());
  image.alt = "";
  image.loading = "lazy";
  image.onerror = () => image.replaceWith(Object.assign(document.createElement("div"), { className: "placeholder" }));
  title.textContent = name;
  details.className = "muted";
  details.textContent = `${formatTime(seconds)} · ${width} × ${height} · ${formatBytes(bytes)}`;
  text.append(title, details);
  link.append(image, text);
  item.append(link);
  return item;
}

try {
  const response = await fetch(addressOf("clips.json"));
  if (!response.ok) throw new Error(`status ${response.status}`);
  const { clips } = await response.json();
  document.getElementById("cards").append(...clips.map(card));
  summary.textContent = clips.length ? `Free-viewpoint videos: ${clips.length}` : "There are no clips here yet.";
} catch {
  summary.textContent = "The server does not respond. Reload the page to try again.";
  summary.className = "error";
}
