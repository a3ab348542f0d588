// What each kind of span looks like: one line, and what opens under it.

const KINDS = {
  invoke_agent: ["agent", "Agent"], step: ["step", ""], plan: ["step", "Plan"], chat: ["model", "Model"], run_code: ["code", "Code"],
  execute_tool: ["tool", "Tool"], send_message: ["message", "Sent"], process_message: ["message", "Got"],
};
const GROUPS = [["model", "Model"], ["code", "Code"], ["tool", "Tools"], ["agent", "Agents"], ["message", "Messages"]];

function kindOf(span) {
  return KINDS[span.kind] || ["step", span.kind];
}

function duration(seconds) {
  if (seconds < 0.0995) return (seconds * 1000).toFixed(seconds < 0.00995 ? 1 : 0) + " ms";
  if (seconds < 59.95) return seconds.toFixed(seconds < 9.995 ? 2 : 1) + " s";
  const whole = Math.round(seconds);
  if (whole < 3600) return Math.floor(whole / 60) + " m " + String(whole % 60).padStart(2, "0") + " s";
  return Math.floor(whole / 3600) + " h " + String(Math.floor((whole % 3600) / 60)).padStart(2, "0") + " m";
}

function count(value) {
  return value === null ? "unknown" : value.toLocaleString("en");
}

function money(value) {
  return "$" + (value >= 1 ? value.toFixed(2) : value.toFixed(4));
}

function oneLine(text, most = 240) {
  const line = text.slice(0, most * 3).replace(/\s+/g, " ").trim();
  return line.length > most ? line.slice(0, most - 1) + "…" : line;
}

function argumentsText(value) {
  if (value && typeof value === "object" && !Array.isArray(value)) {
    return Object.entries(value).map(([key, item]) => key + "=" + (typeof item === "string" ? JSON.stringify(item) : textOf(item))).join(", ");
  }
  return textOf(value);
}

function reply(span) {
  const message = span.attributes.reply;
  if (message && typeof message === "object") return messageText(message);
  return textOf(message) || span.texts.text || "";
}

function gist(span) {
  const a = span.attributes;
  if (span.error) return span.error;
  switch (span.kind) {
    case "invoke_agent": return textOf(a.task);
    case "step": {
      const call = span.children.find((child) => child.kind === "chat");
      return call ? reply(call).replace(/<code>[\s\S]*/, "").replace(/^\s*Thought:\s*/, "") || reply(call) : textOf(a.error);
    }
    case "plan": return textOf(a.plan);
    case "chat": return reply(span) || span.texts.reasoning || (span.end === null ? "…" : "");
    case "run_code": return textOf(a.code);
    case "execute_tool": return "(" + argumentsText(a.arguments) + ")" + (a.result !== undefined ? " → " + textOf(a.result) : span.end === null && span.progress ? " … " + textOf(span.progress.value) : "");
    default: return messageBody(a.message);
  }
}

// What fails in a step fails the step: it is told where it happened.
function failedWithin(span) {
  return span.children.some((child) => child.error);
}

function messageBody(message) {
  return textOf(message && typeof message === "object" && "content" in message && !("role" in message) ? message.content : message);
}

function title(span) {
  const a = span.attributes;
  if (span.kind === "step") return a.number === undefined ? span.name : "Step " + a.number;
  if (span.kind === "plan") return "";
  if (span.kind === "send_message") return "to " + (a.recipient ?? span.name);
  if (span.kind === "process_message") return "from " + (a.sender ?? span.name);
  if (span.kind === "run_code") return "";
  return span.name;
}

function newRow(page, span) {
  const [group, label] = kindOf(span);
  const line = el("button", "line");
  line.type = "button";
  line.setAttribute("aria-expanded", "false");
  span.parts = {
    title: el("span", "title"), gist: el("span", "gist" + (span.kind === "run_code" || span.kind === "execute_tool" ? " mono" : "")),
    tokens: el("span", "tokens"), time: el("span", "time"), bar: el("i"), line,
  };
  line.append(
    el("span", "what", el("span", "kind", label), span.parts.title, span.parts.gist),
    el("span", "numbers", span.parts.tokens, span.parts.time),
    el("span", "track", span.parts.bar),
  );
  line.addEventListener("click", () => toggle(page, span));
  span.row = el("div", "row " + group, line);
  span.row.dataset.span = span.id;
}

function drawLine(page, span) {
  const { title: name, gist: about, tokens, time, bar } = span.parts;
  const end = span.end ?? (page.live ? Math.max(page.now, span.start) : null);
  name.textContent = title(span);
  name.hidden = !name.textContent;
  about.textContent = oneLine(gist(span));
  const into = span.kind === "chat" ? number(span, "input_tokens") : null;
  const out = span.kind === "chat" ? number(span, "output_tokens") : null;
  tokens.textContent = into === null ? "" : count(into) + " → " + count(out);
  tokens.title = "tokens in → out";
  time.textContent = end === null ? "no end" : duration(Math.max(0, end - span.start));
  const width = Math.max(page.last - page.first, 1e-6);
  bar.style.left = Math.min(99, (100 * (span.start - page.first)) / width) + "%";
  bar.style.width = Math.min(100, Math.max(0, (100 * ((end ?? page.last) - span.start)) / width)) + "%";
  span.row.style.setProperty("--depth", Math.min(span.depth, 12));
  span.row.classList.toggle("failed", Boolean(span.error || span.attributes.error));
  span.row.classList.toggle("busy", span.end === null && page.live);
}

function toggle(page, span, open = !span.detail) {
  if (open === Boolean(span.detail)) return;
  span.parts.line.setAttribute("aria-expanded", String(open));
  if (open) {
    span.detail = el("div", "detail", details(page.trace, span));
    span.drawn = span.version;
    span.row.append(span.detail);
  } else {
    span.detail.remove();
    span.detail = null;
  }
  markFound(page);
}

function redrawDetail(page, span) {
  if (!span.detail || span.drawn === span.version) return;
  const fresh = el("div", "detail", details(page.trace, span));
  span.detail.replaceWith(fresh);
  span.detail = fresh;
  span.drawn = span.version;
}

// Attributes that have a place of their own; what else there is comes at the end, as it is.
const PLACED = {
  invoke_agent: ["task", "output", "images"], step: ["number", "observations", "images", "observations_images", "output"], plan: ["plan", "number"],
  chat: ["messages", "reply", "input_tokens", "output_tokens"], run_code: ["code", "logs", "output"], execute_tool: ["arguments", "result", "tool"],
  send_message: ["message"], process_message: ["message"],
};

function details(trace, span) {
  const a = span.attributes;
  const parts = [];
  const shown = (value) => value !== undefined && value !== null && value !== "";
  if (span.error && !failedWithin(span)) parts.push(section("Error", span.error, el("pre", "", span.error), { classes: "bad" }));
  if (span.kind === "invoke_agent") {
    if (shown(a.task)) parts.push(textSection("Task", textOf(a.task)));
    if (shown(a.output)) parts.push(valueSection("Answer", a.output));
  } else if (span.kind === "plan") {
    if (shown(a.plan)) parts.push(section("Plan", textOf(a.plan), prose(textOf(a.plan))));
  } else if (span.kind === "step") {
    if (shown(a.observations)) parts.push(section("Observation", textOf(a.observations), el("pre", "", textOf(a.observations))));
    if (shown(a.output)) parts.push(valueSection("Output", a.output));
  } else if (span.kind === "chat") {
    parts.push(...chatSections(trace, span));
  } else if (span.kind === "run_code") {
    if (shown(a.code)) parts.push(codeSection("Code", textOf(a.code)));
    if (shown(a.logs)) parts.push(section("Printed", textOf(a.logs), el("pre", "", textOf(a.logs))));
    if (shown(a.output)) parts.push(valueSection("Value", a.output));
  } else if (span.kind === "execute_tool") {
    if (shown(a.arguments)) parts.push(valueSection("Arguments", a.arguments));
    if (shown(a.result)) parts.push(valueSection("Result", a.result));
    if (span.end === null && span.progress) parts.push(valueSection("Progress", span.progress));
  } else if (shown(a.message)) {
    parts.push(textSection("Message", messageBody(a.message)));
  }
  const images = imagesIn({ ...a, messages: null, reply: null });
  if (images.length) parts.push(el("section", "", el("h3", "", images.length === 1 ? "Image" : "Images"), pictures(trace, images)));
  const placed = PLACED[span.kind] || [];
  const facts = [["started", new Date(span.start * 1000).toLocaleString()]];
  if (number(span, "input_tokens") !== null) {
    facts.push(["tokens", count(number(span, "input_tokens")) + " in, " + count(number(span, "output_tokens")) + " out"]);
  }
  for (const [key, value] of Object.entries(a)) {
    if (placed.includes(key) || !shown(value) || value === false || value.length === 0) continue;
    const text = Array.isArray(value) ? value.map(textOf).join(", ") : textOf(value);
    facts.push([key.replaceAll("_", " "), key === "cost" && typeof value === "number" ? money(value) : oneLine(text, 2000)]);
  }
  parts.push(el("dl", "more-facts", facts.map(([key, value]) => el("div", "", el("dt", "", key), el("dd", "", value)))));
  return parts;
}

function chatSections(trace, span) {
  const a = span.attributes;
  const parts = [];
  const { fresh, older } = messagesOf(trace, span);
  const message = a.reply && typeof a.reply === "object" ? a.reply : null;
  const thought = (message && message.reasoning) || span.texts.reasoning;
  if (thought) parts.push(textSection("Reasoning", textOf(thought)));
  const words = message ? messageText({ content: message.content }) : reply(span);
  if (words) parts.push(section(span.end === null ? "Reply so far" : "Reply", words, prose(words), { copy: true }));
  for (const call of (message && message.tool_calls) || []) parts.push(codeSection("Calls", call.name + "(" + textOf(call.arguments) + ")"));
  if (fresh.length || older.length) {
    const inputs = el("div", "");
    const text = fresh.map(messageText).join("\n");
    inputs.append(...section(older.length ? "New in the prompt" : "Prompt", text, fresh.map((one) => said(trace, one))).childNodes);
    if (older.length) {
      const more = el("button", "more", "Show the " + older.length + " message" + (older.length === 1 ? "" : "s") + " before");
      more.type = "button";
      more.addEventListener("click", () => more.replaceWith(el("div", "block", older.map((one) => said(trace, one)))));
      inputs.append(more);
    }
    parts.push(el("section", "", inputs));
  }
  return parts;
}
