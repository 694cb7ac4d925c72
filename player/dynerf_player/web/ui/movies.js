/** Movies of camera paths: the server renders, this reports how far it is and where the movie then lies. */
import { addressOf } from "../net/address.js";

/**
 * Have a nerfstudio path rendered; `onprogress(done, total)` follows it, `signal` gives it up. Returns the address of
 * the MP4. Throws an Error whose message the page shows.
 */
export async function renderMovie(name, path, onprogress, signal) {
  const answer = await fetch(addressOf("movies", name), {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/x-ndjson" },
    body: JSON.stringify(path),
    signal,
  });
  if (!answer.ok) throw new Error(await plainText(answer));
  let movie = null;
  for await (const line of lines(answer.body)) {
    const news = JSON.parse(line);
    if (news.error) throw new Error(news.error);
    if (news.movie) movie = news.movie;
    else onprogress(news.done, news.total);
  }
  if (!movie) throw new Error("The server stopped before the movie was finished.");
  return new URL(movie, answer.url).href;
}

/** The sentence of a refusal. */
async function plainText(answer) {
  const text = (await answer.text()).trim();
  return text && text.length < 300 ? text : `The server refused (${answer.status}).`;
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const parts = (rest + (value ?? "")).split("\n");
    rest = done ? "" : parts.pop();
    yield* parts.filter((part) => part.trim());
    if (done) return;
  }
}
