/** Runs long computations in slices, so that the thread stays responsive and the caller can stop them. */
const SLICE_MS = 8;

/**
 * Run a generator to its end and return its result. After each slice other tasks of the thread get a turn; an aborted
 * signal then ends it, with the signal's reason.
 */
export async function finish(generator, { signal } = {}) {
  signal?.throwIfAborted();
  let deadline = performance.now() + SLICE_MS;
  for (;;) {
    const { done, value } = generator.next();
    if (done) return value;
    if (performance.now() < deadline) continue;
    await nextTask();
    signal?.throwIfAborted();
    deadline = performance.now() + SLICE_MS;
  }
}

/** Resolves after the tasks that are waiting; timers would wait 4 ms. */
export function nextTask() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** The result of a promise that others wait for as well, unless the signal is aborted first. */
export function abortable(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    const settled = () => signal.removeEventListener("abort", abort);
    promise.then(resolve, reject).finally(settled);
  });
}
