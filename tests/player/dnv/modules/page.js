/** The page of the browser's test: passes jobs to a module worker, and keeps what violates the policy. */
globalThis.violations = [];
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
  globalThis.violations.push(`${violatedDirective} ${blockedURI}`);
});

const worker = new Worker("worker.js", { type: "module" });

/** Run a job of the worker; resolves to its result. */
globalThis.run = (job, ...values) =>
  new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage({ job, values });
  });
