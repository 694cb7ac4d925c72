/** Receives the body of a response block by block. */

/** An error after which the request is repeated; `retryAfter` is the pause that the server requests, in ms. */
export class TransientError extends Error {
  constructor(reason, retryAfter = 0) {
    super(reason);
    this.retryAfter = retryAfter;
  }
}

/**
 * Call `take(block)` with each block of a body. `beat` is called before each wait. TransientError when the connection
 * is lost.
 */
export async function receive(response, beat, take) {
  const reader = response.body.getReader();
  try {
    for (;;) {
      beat();
      const { done, value } = await reader.read();
      if (done) return;
      take(value);
    }
  } finally {
    reader.cancel().catch(() => {}); // of a body that was not read to its end
  }
}

/**
 * A signal for one request: aborted by the caller's signal, or when `beat` was not called for `stallMs`. `release`
 * frees the timer and the listener.
 */
export class RequestSignal {
  constructor(signal, stallMs) {
    Object.assign(this, { outer: signal, stallMs, controller: new AbortController(), timer: undefined });
    this.stop = () => this.controller.abort(signal.reason);
    if (signal?.aborted) this.stop();
    signal?.addEventListener("abort", this.stop, { once: true });
    this.beat = () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.controller.abort(new TransientError("the server does not respond in time")), stallMs);
    };
  }

  get signal() {
    return this.controller.signal;
  }

  release() {
    clearTimeout(this.timer);
    this.outer?.removeEventListener("abort", this.stop);
  }
}

/** Wait, unless the signal is aborted first. */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
