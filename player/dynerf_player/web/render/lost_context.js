/**
 * Lost contexts: a driver's reset or a page in the background takes everything from the device. The browser restores
 * the context some time later, without any of its objects.
 */
const GIVE_UP_MS = 15_000;

/** Watch a canvas; returns a function that ends it. `onGivenUp`: the context was not restored in time. */
export function watchContext(canvas, { onLost, onRestored, onGivenUp }) {
  let timer = null;
  const lost = (event) => {
    event.preventDefault(); // else it is never restored
    timer = setTimeout(onGivenUp, GIVE_UP_MS);
    onLost();
  };
  const restored = () => {
    clearTimeout(timer);
    onRestored();
  };
  canvas.addEventListener("webglcontextlost", lost);
  canvas.addEventListener("webglcontextrestored", restored);
  return () => {
    clearTimeout(timer);
    canvas.removeEventListener("webglcontextlost", lost);
    canvas.removeEventListener("webglcontextrestored", restored);
  };
}
