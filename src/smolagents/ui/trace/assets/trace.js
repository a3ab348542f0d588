// Records as they stand in the files, made into spans.

function newTrace() {
  return { spans: new Map(), messages: new Map(), images: new Map(), files: new Set() };
}

function addRecord(trace, file, record) {
  trace.files.add(file);
  if (record.type === "message") {
    trace.messages.set(file + ":" + record.id, record.message);
  } else if (record.type === "image") {
    trace.images.set(record.id, record);
  } else if (record.type === "start") {
    if (!trace.spans.has(record.span_id)) {
      trace.spans.set(record.span_id, {
        id: record.span_id, parentId: record.parent_id, kind: String(record.kind), name: String(record.name), file,
        start: Number(record.started_at) || 0, end: null, error: null, attributes: record.attributes || {}, texts: {}, version: 0,
      });
    }
  } else {
    const span = trace.spans.get(record.span_id);
    if (!span) return;
    span.version += 1;
    if (record.type === "end") {
      span.end = Number(record.ended_at) || span.start;
      span.error = record.error || null;
      span.attributes = { ...span.attributes, ...record.attributes };
    } else if (record.type === "event") {
      const attributes = record.attributes || {};
      if (typeof attributes.text === "string") span.texts[record.name] = (span.texts[record.name] || "") + attributes.text;
      else span.progress = attributes;
    }
  }
}

// Rows in the order in which they are read: each span followed by those within it, by time.
function rowsOf(trace) {
  const children = new Map();
  const roots = [];
  for (const span of trace.spans.values()) {
    const parent = span.parentId !== span.id && trace.spans.get(span.parentId);
    if (!parent) roots.push(span);
    else if (children.has(parent.id)) children.get(parent.id).push(span);
    else children.set(parent.id, [span]);
  }
  const rows = [];
  const byTime = (a, b) => a.start - b.start;
  const stack = roots.sort(byTime).reverse().map((span) => [span, 0]);
  while (stack.length) {
    const [span, depth] = stack.pop();
    span.depth = depth;
    span.children = (children.get(span.id) || []).sort(byTime);
    rows.push(span);
    for (const child of [...span.children].reverse()) stack.push([child, depth + 1]);
  }
  return { rows, roots };
}

// The messages of a model's call, the new ones apart: a call names those it shares with an earlier one.
function messagesOf(trace, span) {
  const parts = [];
  let count = null;
  const seen = new Set();
  for (let at = span; at && !seen.has(at.id); ) {
    seen.add(at.id);
    const given = at.attributes.messages || {};
    const first = given.first || 0;
    const then = Array.isArray(given.then) ? given.then : [];
    parts.push(count === null ? then : then.slice(0, Math.max(0, count - first)));
    count = count === null ? first : Math.min(count, first);
    at = given.like && trace.spans.get(given.like);
  }
  const get = (number) => trace.messages.get(span.file + ":" + number);
  const [fresh, ...older] = parts;
  return { fresh: fresh.map(get).filter(Boolean), older: older.reverse().flat().map(get).filter(Boolean) };
}

function number(span, name) {
  const value = span.attributes[name];
  return typeof value === "number" ? value : null;
}

// Sum over the model's calls in `spans`; null where none says.
function total(spans, name) {
  let sum = null;
  for (const span of spans) {
    const value = span.kind === "chat" ? number(span, name) : null;
    if (value !== null) sum = (sum || 0) + value;
  }
  return sum;
}

function textOf(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (typeof value === "object" && "role" in value && "content" in value) return messageText(value);
  if (typeof value === "object" && "$image" in value) return imageNote(value);
  return JSON.stringify(value, (key, item) => (item && typeof item === "object" && "$image" in item ? imageNote(item) : item), 2);
}

function imageNote(reference) {
  return "[" + (reference.note || "image" + (reference.width ? " " + reference.width + " × " + reference.height : "")) + "]";
}

function messageText(message) {
  const parts = Array.isArray(message.content) ? message.content : [{ type: "text", text: message.content }];
  const lines = parts.map((part) => (part && part.type === "text" ? textOf(part.text) : "[" + ((part && part.type) || "part") + "]"));
  for (const call of message.tool_calls || []) lines.push(call.name + "(" + textOf(call.arguments) + ")");
  return lines.filter(Boolean).join("\n");
}

// Everything in a span that can be searched.
function searchText(trace, span) {
  if (span.searched !== span.version || span.search === undefined) {
    const texts = [span.kind, span.name, span.error || "", ...Object.values(span.texts)];
    for (const [key, value] of Object.entries(span.attributes)) {
      // What a model said is found where it said it, and not again where it is told of that.
      if (key === "messages") texts.push(...messagesOf(trace, span).fresh.filter((one) => one.role !== "assistant").map(messageText));
      else texts.push(textOf(value));
    }
    span.search = texts.join("\n").toLowerCase();
    span.searched = span.version;
  }
  return span.search;
}
