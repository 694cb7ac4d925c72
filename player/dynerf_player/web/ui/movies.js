/** Movies of camera paths: requests one from the server, and reports progress and the address of the result. */

/**
 * Have the server at `root` render a nerfstudio path of a clip; `onprogress(done, total)` reports progress, `signal`
 * aborts. Returns the address of the MP4. Throws an Error whose message the page shows.
 */
export async function renderMovie(root, name, path, onprogress, signal) {
  const response = await fetch(new URL(`movies/${encodeURIComponent(name)}`, root), {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/x-ndjson" },
    body: JSON.stringify(path),
    signal,
  });
  if (!response.ok) throw new Error(await refusalText(response));
  let movie = null;
  for await (const line of lines(response.body)) {
    const message = JSON.parse(line);
    if (message.error) throw new Error(message.error);
    if (message.movie) movie = message.movie;
    else onprogress(message.done, message.total);
  }
  if (!movie) throw new Error("The server stopped before the movie was finished.");
  return new URL(movie, response.url).href;
}

async function refusalText(response) {
  const text = (await response.text()).trim();
  return text && text.length < 300 ? text : `The server refused the request (status ${response.status}).`;
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
