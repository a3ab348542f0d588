// The page: its head, its rows, search and filters, and the live connection.

const page = {
  trace: newTrace(), rows: [], roots: [], first: 0, last: 1, now: 0, live: false, query: "", group: "", following: true,
};
const $ = (id) => document.getElementById(id);

function receive(pairs) {
  for (const [file, record] of pairs) addRecord(page.trace, file, record);
}

function draw() {
  const { rows, roots } = rowsOf(page.trace);
  page.rows = rows;
  page.roots = roots;
  page.first = Math.min(...rows.map((span) => span.start));
  page.last = rows.reduce((latest, span) => Math.max(latest, span.end ?? span.start), page.live && roots.some(busy) ? page.now : 0);
  const timeline = $("timeline");
  let at = timeline.firstChild;
  for (const span of rows) {
    if (!span.row) newRow(page, span);
    drawLine(page, span);
    redrawDetail(page, span);
    if (span.row === at) at = at.nextSibling;
    else timeline.insertBefore(span.row, at);
  }
  if (!rows.length && !timeline.firstChild) timeline.append(el("p", "empty", "Nothing is recorded yet."));
  else if (rows.length) timeline.querySelector(".empty")?.remove();
  drawHead();
  drawFilters();
  select();
}

function busy(root) {
  return root.end === null;
}

function drawHead() {
  const head = $("head");
  const main = page.roots[0];
  if (!main) return head.replaceChildren(el("h1", "", "Waiting for the run to begin…"));
  const running = page.roots.some(busy);
  const agent = page.rows.find((span) => span.kind === "invoke_agent") || main;
  const outcome = agent.attributes.outcome;
  const [word, tone] = running
    ? page.live ? ["running", "busy"] : ["no end recorded", ""]
    : agent.error || outcome === "error" ? ["failed", "bad"]
    : outcome === "max_steps_error" ? ["out of steps", "bad"]
    : outcome === "interrupted" ? ["interrupted", "bad"]
    : ["finished", "good"];
  const task = kindOf(main)[0] === "message" ? messageBody(main.attributes.message) : textOf(agent.attributes.task);
  const answer = textOf(agent.attributes.output);
  const cost = total(page.rows, "cost");
  const cached = total(page.rows, "cached_input_tokens");
  const into = total(page.rows, "input_tokens");
  const howMany = (kind) => page.rows.reduce((sum, span) => sum + (span.kind === kind), 0);
  const facts = [
    ["took", duration(page.last - page.first)],
    ["steps", count(howMany("step"))],
    ["model calls", count(howMany("chat"))],
    ["tokens in", into === null ? "" : count(into) + (cached ? " (" + count(cached) + " cached)" : "")],
    ["tokens out", into === null ? "" : count(total(page.rows, "output_tokens"))],
    ["cost", cost === null ? "" : money(cost)],
    ["tool calls", howMany("execute_tool") ? count(howMany("execute_tool")) : ""],
    ["processes", page.trace.files.size > 1 ? count(page.trace.files.size) : ""],
    ["started", new Date(main.start * 1000).toLocaleString()],
  ].filter(([, value]) => value);
  const boxes = [];
  if (task) boxes.push(el("div", "", el("h2", "", "Task"), ...folded(task)));
  if (answer) boxes.push(el("div", "", el("h2", "", "Answer"), ...folded(answer)));
  else if (agent.error) boxes.push(el("div", "", el("h2", "", "Error"), ...folded(agent.error)));
  head.replaceChildren(
    el("h1", "", el("span", "", agent.name), el("span", "state " + tone, word)),
    el("div", "lead", boxes),
    el("dl", "facts", facts.map(([key, value]) => el("div", "", el("dt", "", key), el("dd", "", value)))),
    ...agentsTable(),
  );
  document.title = agent.name + " – " + word;
}

function folded(text) {
  const parts = block(text, el("div", "text", text));
  parts[0].classList.remove("block");
  return parts;
}

// Agents that are processes of a team are known by the id of their mailbox.
function nameInTeam(span) {
  const above = page.trace.spans.get(span.parentId);
  return above && above.kind === "process_message" ? "agent " + above.name + " (" + span.name + ")" : span.name;
}

// Who did how much, where there is more than one agent.
function agentsTable() {
  const agents = new Map();
  const owner = new Map();
  for (const span of page.rows) {
    const above = owner.get(span.parentId);
    const mine = span.kind === "invoke_agent" ? nameInTeam(span) : above;
    owner.set(span.id, mine);
    if (mine === undefined) continue;
    if (!agents.has(mine)) agents.set(mine, []);
    agents.get(mine).push(span);
  }
  if (agents.size < 2) return [];
  const rows = [...agents].map(([name, spans]) => {
    const runs = spans.filter((span) => span.kind === "invoke_agent");
    const time = runs.reduce((sum, span) => sum + Math.max(0, (span.end ?? page.last) - span.start), 0);
    const cost = total(spans, "cost");
    const cells = [
      count(runs.length), count(spans.filter((span) => span.kind === "step").length),
      count(total(spans, "input_tokens")), count(total(spans, "output_tokens")), cost === null ? "–" : money(cost), duration(time),
    ];
    return el("tr", "", el("td", "", name), cells.map((cell) => el("td", "", cell)));
  });
  const heads = ["agent", "runs", "steps", "tokens in", "tokens out", "cost", "time"].map((head) => el("th", "", head));
  return [el("table", "agents", el("thead", "", el("tr", "", heads)), el("tbody", "", rows))];
}

function drawFilters() {
  const groups = new Set(page.rows.map((span) => kindOf(span)[0]));
  const failed = page.rows.some((span) => span.error);
  const wanted = [["", "All"], ...GROUPS.filter(([group]) => groups.has(group)), ...(failed ? [["failed", "Errors"]] : [])];
  const key = wanted.map(([group]) => group).join();
  if ($("kinds").dataset.key !== key) {
    $("kinds").dataset.key = key;
    $("kinds").replaceChildren(
      ...wanted.map(([group, label]) => {
        const button = el("button", "", label);
        button.type = "button";
        button.dataset.group = group;
        button.addEventListener("click", () => {
          page.group = group;
          select();
        });
        return button;
      }),
    );
  }
}

// Hide the rows that were not asked for; those above one that was stay, paler.
function select() {
  for (const button of $("kinds").children) button.setAttribute("aria-pressed", String(button.dataset.group === page.group));
  const query = page.query.toLowerCase();
  const everything = !query && !page.group;
  const context = new Set();
  let found = 0;
  for (let index = page.rows.length - 1; index >= 0; index -= 1) {
    const span = page.rows[index];
    const inGroup = !page.group || (page.group === "failed" ? Boolean(span.error) : kindOf(span)[0] === page.group);
    const match = everything || (inGroup && (!query || searchText(page.trace, span).includes(query)));
    if (match) found += 1;
    if (match && !everything) context.add(span.parentId);
    const above = context.has(span.id);
    if (above) context.add(span.parentId);
    span.row.hidden = !match && !above;
    span.row.classList.toggle("context", !match && above);
    span.matches = match;
  }
  $("found").textContent = everything ? "" : found === 0 ? "nothing found" : count(found) + " of " + count(page.rows.length);
  markFound(page);
}

// Colour what was searched for in the text that is shown, without touching the text.
function markFound({ query }) {
  if (!globalThis.CSS || !CSS.highlights) return;
  CSS.highlights.delete("found");
  if (query.length < 2) return;
  const ranges = [];
  const lower = query.toLowerCase();
  const walker = document.createTreeWalker($("timeline"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node && ranges.length < 2000; node = walker.nextNode()) {
    const text = node.data.toLowerCase();
    if (text.length !== node.data.length) continue; // a letter whose lower case is longer would shift the places
    for (let at = text.indexOf(lower); at >= 0; at = text.indexOf(lower, at + lower.length)) {
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + lower.length);
      ranges.push(range);
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
}

function openAll() {
  const shown = page.rows.filter((span) => span.matches);
  const open = shown.some((span) => !span.detail);
  $("open-all").textContent = open ? "Close all" : "Open all";
  const query = page.query;
  page.query = ""; // mark once, at the end
  for (const span of shown) toggle(page, span, open);
  page.query = query;
  markFound(page);
}

let waiting = 0;
$("search").addEventListener("input", (event) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    page.query = event.target.value.trim();
    select();
  }, 120);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== $("search")) {
    event.preventDefault();
    $("search").focus();
  }
});
$("open-all").addEventListener("click", openAll);

function follow() {
  if (page.following) window.scrollTo({ top: document.documentElement.scrollHeight });
}

// The server sends what is written as it is written; a connection that is cut is made again from where it was.
function connect() {
  const source = new EventSource("events");
  let drawing = false;
  const later = () => {
    if (drawing) return;
    drawing = true;
    setTimeout(() => {
      drawing = false;
      draw();
      follow();
    }, 100);
  };
  source.addEventListener("records", (event) => {
    const { now, records } = JSON.parse(event.data);
    page.now = Math.max(page.now, now);
    page.clock = now - performance.now() / 1000;
    receive(records);
    later();
  });
  source.addEventListener("open", () => document.body.classList.remove("cut"));
  source.addEventListener("error", () => document.body.classList.add("cut"));
  setInterval(() => {
    if (page.clock === undefined || !page.roots.some(busy)) return;
    page.now = page.clock + performance.now() / 1000;
    for (const span of page.rows) if (span.end === null) drawLine(page, span);
  }, 1000);
  $("follow").hidden = false;
  const setFollowing = (following) => {
    page.following = following;
    $("follow").setAttribute("aria-pressed", String(following));
    follow();
  };
  $("follow").addEventListener("click", () => setFollowing(!page.following));
  // Who scrolls back, or reads on a phone, is not to be carried off.
  window.addEventListener("wheel", (event) => event.deltaY < 0 && setFollowing(false), { passive: true });
  window.addEventListener("touchmove", () => setFollowing(false), { passive: true });
}

function hasImages(span) {
  return span.kind === "step" && imagesIn(span.attributes.images).length > 0;
}

const given = JSON.parse($("data").textContent);
page.live = given.live;
receive(given.records);
draw();
if (page.live) connect();
// A short run is read from top to bottom: its code and its results stand open.
else if (page.rows.length <= 40) for (const span of page.rows) if (span.kind === "run_code" || (span.error && !failedWithin(span)) || hasImages(span)) toggle(page, span, true);
