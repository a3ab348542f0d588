// The main thread of the process: starts the worker that runs Python, and stays free to interrupt it and to end the
// process when the host is gone. It grants nothing and trusts nothing that the worker says.

const INTERRUPT = 0; // 2 asks Pyodide for a KeyboardInterrupt
const INTERRUPTS_SEEN = 1;
const SIGINT = 2;

const cells = new Int32Array(new SharedArrayBuffer(8));
Deno.addSignalListener(Deno.build.os === "windows" ? "SIGBREAK" : "SIGINT", () => {
  Atomics.add(cells, INTERRUPTS_SEEN, 1);
  Atomics.store(cells, INTERRUPT, SIGINT);
  Atomics.notify(cells, INTERRUPT);
  Atomics.notify(cells, INTERRUPTS_SEEN);
});

function end(reason, code) {
  if (reason) console.error(reason);
  Deno.exit(code);
}

const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
worker.onmessage = ({ data }) => {
  if (Array.isArray(data)) for (const path of data) Deno.permissions.revokeSync({ name: "read", path });
  else end(data?.reason, data?.code ?? 1);
};
worker.onerror = (event) => {
  event.preventDefault();
  end(event.message, 70);
};
worker.postMessage(cells);

// The end of its input tells the worker that the host is gone, but not while code runs that reads nothing.
const host = Deno.ppid;
setInterval(() => {
  if (Deno.ppid !== host) Deno.exit(1);
}, 500);
