"""Attacks from inside: through Python, through JavaScript, through what Deno offers. Each gains nothing.

Every way to the language outside Python is taken as open: the code has all of JavaScript. What is tested is that it
leads nowhere, judged here as far as possible: files that are not written, connections that are not made.
"""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from smolagents.executors.errors import InterpreterError, SessionLostError
from smolagents.executors.wasm import WasmExecutor

SECRET = "the secret of the host"

# Runs JavaScript in another worker, which has an event loop, and waits for what becomes of it.
HARNESS = """
import js
from pyodide.code import run_js
attempt = run_js('''
const source = `
let cells;
function tell(text) {
  const bytes = new TextEncoder().encode(text.slice(0, 4000));
  new Uint8Array(cells.buffer).set(bytes, 8);
  Atomics.store(cells, 1, bytes.length);
  Atomics.store(cells, 0, 1);
  Atomics.notify(cells, 0);
}
onmessage = async ({ data }) => {
  cells = data[0];
  try {
    tell("REACHED " + String(await (0, eval)(data[1])));
  } catch (error) {
    tell("denied: " + (error?.message ?? error));
  }
}`;
const start = () => new Worker("data:text/javascript," + encodeURIComponent(source), { type: "module" });
let worker = start();
(code) => {
  const cells = new Int32Array(new SharedArrayBuffer(65536));
  worker.postMessage([cells, code]);
  if (Atomics.wait(cells, 0, 0, 10000) === "timed-out") {
    worker.terminate();
    worker = start();
    return "nothing came of it";
  }
  return new TextDecoder().decode(new Uint8Array(cells.buffer).slice(8, 8 + cells[1]));
}''')
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """What attacks reach for: a file, a folder, a variable, a server that counts its visitors."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret.txt").write_text(SECRET)
    (folder / "secret.json").write_text(f'{{"a": "{SECRET}"}}')
    (folder / "module.mjs").write_text(f"export default '{SECRET}'")
    server = socket.create_server(("127.0.0.1", 0))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(folder / "socket"))
    unix.listen()
    visitors = []

    def accept(listening):
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            visitors.append(connection)
            connection.close()

    threads = [threading.Thread(target=accept, args=(listening,), daemon=True) for listening in (server, unix)]
    for thread in threads:
        thread.start()
    os.environ["SMOLAGENTS_TEST_SECRET"] = SECRET
    yield {"folder": str(folder), "port": server.getsockname()[1], "visitors": visitors}
    del os.environ["SMOLAGENTS_TEST_SECRET"]
    for listening in (server, unix):
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


@pytest.fixture(scope="module")
def inside(installed, outside):
    with WasmExecutor([], timeout=30) as executor:
        executor(HARNESS)
        yield executor


@pytest.fixture(autouse=True)
def nothing_happened(outside):
    folder = Path(outside["folder"])
    before = sorted(folder.iterdir())
    yield
    assert sorted(folder.iterdir()) == before
    assert (folder / "secret.txt").read_text() == SECRET
    assert outside["visitors"] == []


def fill(template, outside):
    return template.replace("FOLDER", outside["folder"]).replace("PORT", str(outside["port"]))


JAVASCRIPT = {
    # files
    "read": "Deno.readTextFileSync('FOLDER/secret.txt')",
    "read passwd": "Deno.readTextFile('/etc/passwd')",
    "read environ": "Deno.readTextFileSync('/proc/self/environ')",
    "read memory": "Deno.openSync('/proc/self/mem')",
    "read the interpreter": "Deno.readDirSync('/proc/self/fd')",
    "node read": "import('node:fs').then((fs) => fs.readFileSync('FOLDER/secret.txt', 'utf8'))",
    "descriptor path": "import('node:fs').then((fs) => fs.openSync('/dev/fd/0'))",
    "fetch a file": "fetch('file://FOLDER/secret.txt').then((answer) => answer.text())",
    "import a module": "import('file://FOLDER/module.mjs').then((m) => m.default)",
    "import text": "import('file://FOLDER/secret.txt', { with: { type: 'text' } }).then((m) => m.default)",
    "import json": "import('file://FOLDER/secret.json', { with: { type: 'json' } }).then((m) => m.default.a)",
    "import through data": "import('data:text/javascript,' + encodeURIComponent(\"import x from 'file://FOLDER/secret.json' with { type: 'json' }; export default x.a\")).then((m) => m.default)",
    "import through a blob": "import(URL.createObjectURL(new Blob([\"import x from 'file://FOLDER/secret.txt' with { type: 'text' }; export default x\"], { type: 'text/javascript' }))).then((m) => m.default)",
    "require": "import('node:module').then((m) => m.createRequire('file://FOLDER/')('FOLDER/secret.json').a)",
    "worker from a file": "new Promise((ok, no) => { const w = new Worker('file://FOLDER/module.mjs', { type: 'module' }); w.onmessage = (e) => ok(e.data); w.onerror = (e) => { e.preventDefault(); no(new Error(e.message)) } })",
    "worker that imports": "new Promise((ok, no) => { const w = new Worker('data:text/javascript,' + encodeURIComponent(\"import x from 'file://FOLDER/secret.json' with { type: 'json' }; postMessage(x.a)\"), { type: 'module' }); w.onmessage = (e) => ok(e.data); w.onerror = (e) => { e.preventDefault(); no(new Error(e.message)) } })",
    "node worker": "import('node:worker_threads').then(({ Worker }) => new Promise((ok, no) => { const w = new Worker(\"const { parentPort } = require('node:worker_threads'); let r; try { r = require('fs').readFileSync('FOLDER/secret.txt', 'utf8'); parentPort.postMessage(r) } catch (e) { throw e }\", { eval: true }); w.on('message', ok); w.on('error', no) }))",
    "sqlite": "import('node:sqlite').then((m) => new m.DatabaseSync('FOLDER/new.db'))",
    "sqlite attach": "import('node:sqlite').then((m) => new m.DatabaseSync(':memory:').exec(\"attach 'FOLDER/new.db' as y; create table y.t (a)\"))",
    "sqlite vacuum": "import('node:sqlite').then((m) => new m.DatabaseSync(':memory:').exec(\"vacuum into 'FOLDER/new.db'\"))",
    "write": "Deno.writeTextFileSync('FOLDER/new', 'x')",
    "overwrite": "import('node:fs').then((fs) => fs.writeFileSync('FOLDER/secret.txt', 'x'))",
    "mkdir": "Deno.mkdirSync('FOLDER/new')",
    "remove": "Deno.removeSync('FOLDER/secret.txt')",
    "link": "Deno.symlinkSync('FOLDER/secret.txt', 'FOLDER/new')",
    "temporary": "Deno.makeTempFileSync()",
    "heap snapshot": "import('node:v8').then((v8) => v8.writeHeapSnapshot('FOLDER/new'))",
    "local storage": "localStorage.setItem('a', 'b')",
    "cache": "caches.open('v1').then((cache) => cache.put('http://a.b/c', new Response('x')))",
    # network
    "fetch": "fetch('http://127.0.0.1:PORT/')",
    "connect": "Deno.connect({ hostname: '127.0.0.1', port: PORT })",
    "node connect": "import('node:net').then((net) => new Promise((ok, no) => net.connect(PORT, '127.0.0.1', ok).on('error', no)))",
    "node http": "import('node:http').then((http) => new Promise((ok, no) => http.get('http://127.0.0.1:PORT', ok).on('error', no)))",
    "tls": "Deno.connectTls({ hostname: '127.0.0.1', port: PORT })",
    "web socket": "new Promise((ok, no) => { const s = new WebSocket('ws://127.0.0.1:PORT'); s.onopen = ok; s.onerror = (e) => no(new Error(e.message)) })",
    "unix socket": "Deno.connect({ transport: 'unix', path: 'FOLDER/socket' })",
    "node unix socket": "import('node:net').then((net) => new Promise((ok, no) => net.connect('FOLDER/socket', ok).on('error', no)))",
    "listen": "Deno.listen({ port: 0 })",
    "serve": "Deno.serve({ port: 0 }, () => new Response('x'))",
    "node listen": "import('node:net').then((net) => new Promise((ok, no) => net.createServer().listen(0, ok).on('error', no)))",
    "node datagram": "import('node:dgram').then((d) => new Promise((ok, no) => { process.once('uncaughtException', no); d.createSocket('udp4').on('error', no).bind(0, ok) }))",
    "names": "Deno.resolveDns('example.org', 'A')",
    "node names": "import('node:dns').then((dns) => dns.promises.lookup('localhost'))",
    "import https": "import('https://esm.sh/lodash')",
    "import http": "import('http://127.0.0.1:PORT/x.mjs')",
    "import npm": "import('npm:lodash')",
    "import jsr": "import('jsr:@std/path')",
    "inspector": "import('node:inspector').then((i) => i.open(0, '127.0.0.1'))",
    # processes
    "command": "new Deno.Command('id').outputSync()",
    "child process": "import('node:child_process').then((c) => c.execFileSync('/bin/id', { env: {} }))",
    "fork": "import('node:child_process').then((c) => c.fork('/bin/id', { env: {} }))",
    "kill": "Deno.kill(Deno.ppid, 'SIGTERM')",
    "node kill": "process.kill(Deno.ppid, 'SIGTERM')",
    "library": "Deno.dlopen('/lib/x86_64-linux-gnu/libc.so.6', { getpid: { parameters: [], result: 'i32' } })",
    "node library": "process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libc.so.6')",
    "pointer": "Deno.UnsafePointer.create(1n)",
    "extension of sqlite": "import('node:sqlite').then((m) => new m.DatabaseSync(':memory:', { allowExtension: true }).loadExtension('/x.so'))",
    # the system
    "environment": "JSON.stringify(Deno.env.toObject())",
    "node environment": "JSON.stringify({ ...process.env })",
    "a variable": "Deno.env.get('SMOLAGENTS_TEST_SECRET')",
    "host name": "Deno.hostname()",
    "user": "Deno.uid()",
    "interfaces": "Deno.networkInterfaces()",
    "memory of the system": "Deno.systemMemoryInfo()",
    "change directory": "Deno.chdir('/')",
    "umask": "Deno.umask(0)",
    "priority": "import('node:os').then((os) => os.setPriority(0, 10))",
}  # fmt: skip


@pytest.mark.parametrize("attack", JAVASCRIPT)
def test_javascript_reaches_nothing(inside, outside, attack):
    inside.send_variables({"code": fill(JAVASCRIPT[attack], outside)})
    said = inside("attempt(code)").output
    assert said.startswith("denied: "), said
    assert SECRET not in said


@pytest.mark.parametrize("attack", ["read", "node read", "import text", "worker that imports", "require"])
def test_the_same_attacks_work_where_they_are_permitted(make, outside, attack):
    executor = make(deno_permissions=[f"--allow-read={outside['folder']}"])
    executor(HARNESS)
    executor.send_variables({"code": fill(JAVASCRIPT[attack], outside)})
    assert executor("attempt(code)").output == f"REACHED {SECRET}"


def test_permissions_are_not_to_be_had(inside):
    source = "Deno.permissions.request({ name: 'NAME' }).then((answer) => answer.state)"
    for name in ("read", "write", "net", "env", "run", "ffi", "sys", "import"):
        inside.send_variables({"code": source.replace("NAME", name)})
        assert inside("attempt(code)").output == "REACHED denied"


def test_the_graphics_card_is_not_to_be_had(inside):
    assert inside("attempt('navigator.gpu?.requestAdapter().then((adapter) => adapter ?? null)')").output in (
        "REACHED null",
        "REACHED undefined",
    )


def test_no_descriptor_but_the_streams_is_open_to_it(inside):
    source = """import('node:fs').then((fs) => {
      const found = [];
      for (let fd = 3; fd < 200; fd++) {
        try { fs.writeSync(fd, 'x'); found.push('w' + fd) } catch {}
        try { fs.readSync(fd, new Uint8Array(1)); found.push('r' + fd) } catch {}
      }
      return found.join(' ');
    })"""
    inside.send_variables({"code": source})
    assert inside("attempt(code)").output == "REACHED "


PYTHON = {
    "open": "open('FOLDER/secret.txt').read()",
    "passwd": "open('/etc/passwd').read()",
    "environ": "open('/proc/self/environ').read()",
    "walk to os": "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0].__init__.__globals__['listdir']('FOLDER')",
    "walk through javascript": "js.Object.constructor('return Deno.readTextFileSync(\"FOLDER/secret.txt\")')()",
    "eval": "js.eval('Deno.readTextFileSync(\"FOLDER/secret.txt\")')",
    "mount": "import pyodide_js\npyodide_js.mountNodeFS('/mnt', 'FOLDER')\nopen('/mnt/secret.txt').read()",
    "node file system": "import pyodide_js\nfs = pyodide_js.FS\nfs.mkdir('/mnt2')\nfs.mount(fs.filesystems.NODEFS, js.JSON.parse('{\"root\": \"FOLDER\"}'), '/mnt2')\nopen('/mnt2/secret.txt').read()",
    "request": "r = js.XMLHttpRequest.new()\nr.open('GET', 'http://127.0.0.1:PORT/', False)\nr.send()",
    "open_url": "import pyodide.http\npyodide.http.open_url('http://127.0.0.1:PORT/').read()",
    "urllib": "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:PORT/', timeout=3).read()",
    "socket": "import socket\nsocket.create_connection(('127.0.0.1', PORT), timeout=3).send(b'x')",
    "subprocess": "import subprocess\nsubprocess.run(['id'])",
    "system": "import os\nassert os.system('touch FOLDER/new') == 0",
    "fork": "import os\nos.fork()",
    "exec": "import os\nos.execv('/bin/sh', ['sh', '-c', 'touch FOLDER/new'])",
    "library": "import ctypes\nctypes.CDLL('libc.so.6').system(b'touch FOLDER/new')",
    "variable": "import os\nos.environ['SMOLAGENTS_TEST_SECRET']",
    "kill": "import os\nos.kill(os.getppid() or 1, 15)\nassert False",
}  # fmt: skip


@pytest.mark.parametrize("attack", PYTHON)
def test_python_reaches_nothing(inside, outside, attack):
    inside("import js")
    with pytest.raises(InterpreterError) as caught:
        inside(fill(PYTHON[attack], outside))
    assert SECRET not in str(caught.value)


def test_what_python_writes_stays_in_its_memory(inside, outside):
    folder = outside["folder"]
    source = f"import os\nos.makedirs({folder!r}, exist_ok=True)\nopen({folder!r} + '/new', 'w').write('x')\nos.listdir({folder!r})"
    assert inside(source).output == ["new"]


@pytest.mark.parametrize("length", ["0xFFFFFFFF", "5", "0"])
@pytest.mark.parametrize("kind", [1, 4, 9])
def test_forged_frames_end_the_session_at_worst(make, length, kind):
    executor = make(timeout=5)
    executor("x = 1")
    with pytest.raises(SessionLostError, match="said"):
        executor(
            f"import js, struct\ndata = js.Uint8Array.new(struct.pack('<IB', {length}, {kind}) + b'{{}}   ')\n"
            "js.Deno.stdout.writeSync(data)\nwhile True: pass"
        )
    assert executor("1 + 1").output == 2


def test_forged_text_ends_the_session(make):
    executor = make(timeout=5)
    with pytest.raises(SessionLostError, match="no message"):
        executor(
            "import js\njs.Deno.stdout.writeSync(js.Uint8Array.new([2, 0, 0, 0, 1, 0xFF, 0xFE]))\nwhile True: pass"
        )


def test_taking_the_hosts_messages_away_only_hurts_the_session(make):
    executor = make(timeout=1)
    executor.send_tools({"help_me": lambda: "x" * 100_000})
    with pytest.raises(SessionLostError):
        executor(
            "from pyodide.code import run_js\n"
            "run_js('''const w = new Worker(\"data:text/javascript,for (;;) Deno.stdin.readSync(new Uint8Array(10))\", { type: 'module' })''')\n"
            "import time\ntime.sleep(0.5)\nwhile True: help_me()"
        )
    assert executor("1 + 1").output == 2


def test_options_of_deno_that_are_not_switched_on_end_the_session(make):
    executor = make()
    with pytest.raises(SessionLostError):
        executor(
            "from pyodide.code import run_js\n"
            "run_js('''new Worker(\"data:text/javascript,0\", { type: 'module', deno: { permissions: { read: true } } })''')\n"
            "while True: pass"
        )
    assert executor("1 + 1").output == 2
