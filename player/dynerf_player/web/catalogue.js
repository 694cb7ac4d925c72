/** The catalogue: one card per clip, with its first picture, length and size. */
import { addressOf } from "./net/address.js";
import { timeText } from "./net/clock.js";
import { sizeText } from "./video/stats.js";

const summary = document.getElementById("summary");

function card({ name, seconds, bytes, width, height }) {
  const [item, link, image, words] = ["li", "a", "img", "div"].map((tag) => document.createElement(tag));
  const [title, facts] = ["strong", "span"].map((tag) => document.createElement(tag));
  link.className = "card";
  link.href = addressOf("watch", name);
  image.src = addressOf("clips", `${name}.jpg`);
  image.alt = "";
  image.loading = "lazy";
  image.onerror = () => image.replaceWith(Object.assign(document.createElement("div"), { className: "blank" }));
  title.textContent = name;
  facts.className = "faint";
  facts.textContent = `${timeText(seconds)} · ${width} × ${height} · ${sizeText(bytes)}`;
  words.append(title, facts);
  link.append(image, words);
  item.append(link);
  return item;
}

try {
  const answer = await fetch(addressOf("clips.json"));
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const { clips } = await answer.json();
  document.getElementById("cards").append(...clips.map(card));
  summary.textContent = clips.length ? `${clips.length} to watch from any side` : "There are no clips here yet.";
} catch {
  summary.textContent = "The server does not answer. Reload the page to try again.";
  summary.className = "wrong";
}
