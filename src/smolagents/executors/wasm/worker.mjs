// Runs Python: loads Pyodide, then answers the frames of the host one by one, reading and writing synchronously, so
// that Python code can wait for the host in the middle of a call.
//
// A frame is: length of the body (4 bytes, little end first), kind (1 byte), body; one of the host has between kind
// and body the number of interruptions it has sent so far (4 bytes).

const START = 0; // host: settings as JSON
const MESSAGE = 1; // both: a message of the session
const WHEEL = 2; // host: a package: length of its name (4 bytes), name, bytes
const LOAD = 3; // host: names of packages of the Pyodide directory as JSON
const READY = 4; // worker: what was asked for is done; the body is text, empty or what went wrong
const SNAPSHOT = 5; // worker: the memory of the interpreter

const INTERRUPT = 0;
const INTERRUPTS_SEEN = 1;
const MOST_WAIT_FOR_SIGNAL = 1000; // milliseconds
const MOST_BYTES = 2 ** 30;

const { stdin, stdout } = Deno;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

class HostGone extends Error {}

function end(reason, code) {
  self.postMessage({ reason, code });
  self.close();
}

function read(length) {
  const data = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const count = stdin.readSync(done ? data.subarray(done) : data);
    if (count === null) throw new HostGone("");
    done += count;
  }
  return data;
}

function receive() {
  const header = new DataView(read(9).buffer);
  const length = header.getUint32(0, true);
  // The host sends nothing of that size: somebody else has read from the stream.
  if (length > MOST_BYTES) throw new HostGone("the messages of the host were taken away");
  return { kind: header.getUint8(4), interrupts: header.getUint32(5, true), body: read(length) };
}

function write(data) {
  for (let done = 0; done < data.length; ) done += stdout.writeSync(done ? data.subarray(done) : data);
}

function send(kind, body) {
  const header = new Uint8Array(5);
  new DataView(header.buffer).setUint32(0, body.length, true);
  header[4] = kind;
  if (body.length > 65536) {
    write(header);
    write(body);
  } else {
    const frame = new Uint8Array(5 + body.length);
    frame.set(header);
    frame.set(body, 5);
    write(frame);
  }
}

const sendText = (kind, text) => send(kind, encoder.encode(text));

function exchange(text) {
  sendText(MESSAGE, text);
  try {
    return decoder.decode(receive().body);
  } catch (error) {
    end(error.message, 72); // the code may catch the error, and nothing can be said to it any more
    throw error;
  }
}

const cells = await new Promise((resolve) => {
  self.onmessage = ({ data }) => resolve(data);
});

// Sleeps until the time is over or an interruption comes.
const doze = (milliseconds) => Atomics.wait(cells, INTERRUPT, 0, milliseconds);

// Interruptions that were meant for code that has ended since must not hit the next one. They travel as signals,
// beside the frames: wait for those that the host has sent.
let interrupts = 0;
function dropInterruptions(sent) {
  if (sent !== interrupts) {
    const seen = Atomics.load(cells, INTERRUPTS_SEEN);
    if (seen < sent) Atomics.wait(cells, INTERRUPTS_SEEN, seen, MOST_WAIT_FOR_SIGNAL);
    interrupts = sent;
  }
  Atomics.store(cells, INTERRUPT, 0);
}

// Whoever calls these means the whole process; alone they would end this thread and leave the host waiting.
const exit = (code) => {
  end(`the code ended its process with Deno.exit(${code ?? 0})`, 71);
  throw new Error("the process ends");
};
Deno.exit = exit;
globalThis.process.exit = globalThis.process.reallyExit = exit;

// What is printed past Python's own streams: by JavaScript, or to the descriptors 1 and 2. The session fetches it.
const MOST_PRINTED = 200_000;
let printed = "";
function print(text) {
  if (printed.length < MOST_PRINTED) printed += text;
}
function takePrinted() {
  const text = printed;
  printed = "";
  return text;
}
for (const name of ["log", "info", "debug", "warn", "error", "trace", "dir", "table"]) {
  console[name] = (...values) => {
    print(values.map((value) => (typeof value === "string" ? value : Deno.inspect(value))).join(" ") + "\n");
  };
}

async function load(settings) {
  if (settings.needs_require) { // releases before 314
    const { createRequire } = await import("node:module");
    globalThis.require = createRequire(import.meta.url);
    globalThis.__dirname = settings.pyodide;
  }
  const { loadPyodide } = await import(settings.pyodide_url + "pyodide.mjs");
  const options = {
    indexURL: settings.pyodide, // ends with the separator of the system
    checkAPIVersion: false,
    stdin: () => null,
    _makeSnapshot: settings.make_snapshot,
  };
  if (settings.snapshot) options._loadSnapshot = Deno.readFileSync(settings.snapshot);
  const pyodide = await loadPyodide(options);
  if (!settings.snapshot) pyodide.runPython(settings.source);
  return pyodide;
}

async function serve() {
  const settings = JSON.parse(decoder.decode(receive().body));
  const pyodide = await load(settings);
  if (settings.make_snapshot) {
    send(SNAPSHOT, pyodide.makeMemorySnapshot());
    return;
  }
  // What has been read is needed no more; the main thread has permissions of its own.
  for (const path of settings.forget) Deno.permissions.revokeSync({ name: "read", path });
  self.postMessage(settings.forget);
  pyodide.setInterruptBuffer(new Uint8Array(cells.buffer, 0, 4));
  const far = pyodide.runPython("import smolagents_interpreter; smolagents_interpreter");
  const session = far.start(exchange, doze, takePrinted, settings.network);
  const stream = { write: (data) => (print(decoder.decode(data)), data.length), isatty: false };
  pyodide.setStdout(stream);
  pyodide.setStderr(stream);
  // With a network there are promises to wait for. Python's stack is then set aside while JavaScript goes on.
  const handle = settings.network ? (text) => session.handle.callPromising(text) : session.handle;
  const install = session.install;
  send(READY, new Uint8Array(0));
  for (;;) {
    const frame = receive();
    dropInterruptions(frame.interrupts);
    if (frame.kind === MESSAGE) {
      const reply = handle(decoder.decode(frame.body));
      sendText(MESSAGE, typeof reply === "string" ? reply : await reply);
      continue;
    }
    let failure = "";
    try {
      if (frame.kind === WHEEL) install(frame.body);
      else if (frame.kind === LOAD) {
        await pyodide.loadPackage(JSON.parse(decoder.decode(frame.body)), { messageCallback: () => {} });
      }
    } catch (error) {
      failure = String(error.message ?? error) || "failed";
    }
    sendText(READY, failure);
  }
}

try {
  await serve();
  end("", 0);
} catch (error) {
  if (error instanceof HostGone) end(error.message, error.message ? 72 : 0);
  else end(`the interpreter failed: ${error?.message ?? error}`, 70);
}
