/**
 * Calls over a port (a Worker, or one end of a MessageChannel): methods may send parts before they return, and can be
 * aborted. Errors keep their name and message.
 *
 * Messages: {call, method, args}, {abort: call}; back {call, part}, {call, result}, {call, error: {name, message}}.
 */

/** The caller's side. */
export class Caller {
  /** `end()` ends the other side. */
  constructor(port, end = () => {}) {
    this.port = port;
    this.end = end;
    this.next = 0;
    this.open = new Map();
    this.failed = null;
    port.onmessage = ({ data }) => this.receive(data);
  }

  /**
   * Call a method. `onPart(part)` is awaited for each part in order; an error in it aborts the call. `signal` aborts
   * it, too.
   */
  call(method, args, { onPart = () => {}, signal } = {}) {
    const call = (this.next += 1);
    return new Promise((resolve, reject) => {
      const abort = (reason) => {
        if (!this.open.delete(call)) return;
        this.port.postMessage({ abort: call });
        reject(reason);
      };
      const refused = this.failed ?? (signal?.aborted ? signal.reason : null);
      if (refused !== null) {
        reject(refused);
        return;
      }
      const onAbort = () => abort(signal.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      const settled = (settle) => (value) => {
        signal?.removeEventListener("abort", onAbort);
        settle(value);
      };
      this.open.set(call, {
        resolve: settled(resolve),
        reject: settled(reject),
        abort,
        onPart,
        parts: Promise.resolve(),
      });
      this.port.postMessage({ call, method, args });
    });
  }

  receive({ call, part, result, error }) {
    const waiting = this.open.get(call);
    if (!waiting) return;
    if (part !== undefined) {
      waiting.parts = waiting.parts.then(() => this.open.has(call) && waiting.onPart(part)).catch(waiting.abort);
      return;
    }
    waiting.parts.then(() => {
      if (!this.open.delete(call)) return;
      if (error) waiting.reject(Object.assign(new Error(error.message), { name: error.name }));
      else waiting.resolve(result);
    });
  }

  /** Reject all calls, also later ones: the other side has failed. */
  fail(reason) {
    this.failed = reason;
    for (const [call, { reject }] of this.open) {
      this.open.delete(call);
      reject(reason);
    }
  }
}

/**
 * The answering side: `methods[name](args, {signal, part})`, where `part(value, transfer)` sends a part. What they
 * return is the result.
 */
export function serve(port, methods) {
  const running = new Map();
  port.onmessage = async ({ data: { call, method, args, abort } }) => {
    if (abort !== undefined) {
      running.get(abort)?.abort();
      return;
    }
    const controller = new AbortController();
    running.set(call, controller);
    try {
      const part = (value, transfer = []) => port.postMessage({ call, part: value }, transfer);
      port.postMessage({ call, result: await methods[method](args, { signal: controller.signal, part }) });
    } catch (error) {
      port.postMessage({ call, error: { name: error.name, message: error.message } });
    } finally {
      running.delete(call);
    }
  };
}
