// Pieces of the page. All text goes in as text nodes: what a model or a tool wrote is never read as HTML.

function el(tag, classes, ...children) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== "") element.append(child);
  }
  return element;
}

const PYTHON = new RegExp(
  [
    /(?<c>#[^\n]*)/,
    /(?<s>\b[rbfuRBFU]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$))|\b[rbfuRBFU]{0,2}(?:"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)/,
    /(?<n>\b(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?j?)\b)/,
    /(?<k>\b(?:False|None|True|and|as|assert|async|await|break|case|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|match|nonlocal|not|or|pass|raise|return|try|while|with|yield|null|true|false)\b)/,
    /(?<f>@[\w.]+|\b[A-Za-z_]\w*(?=\())/,
  ].map((part) => part.source).join("|"),
  "g",
);

// Python and JSON, coloured. Long texts stay plain, as thousands of elements would make the page slow.
function code(text, classes) {
  const pre = el("pre", classes);
  if (text.length > 40000) {
    pre.append(text);
    return pre;
  }
  let at = 0;
  for (const match of text.matchAll(PYTHON)) {
    const kind = Object.keys(match.groups).find((name) => match.groups[name] !== undefined);
    pre.append(text.slice(at, match.index), el("span", kind, match[0]));
    at = match.index + match[0].length;
  }
  pre.append(text.slice(at));
  return pre;
}

// A model's words: prose, with the code in it coloured.
function prose(text) {
  const pieces = [];
  let at = 0;
  for (const match of text.matchAll(/(<code>|```[\w+-]*\n)([\s\S]*?)(<\/code>|```|$)/g)) {
    const before = text.slice(at, match.index).trim();
    if (before) pieces.push(el("div", "text", before));
    if (match[2].trim()) pieces.push(code(match[2].replace(/^\n+|\s+$/g, ""), "inset"));
    at = match.index + match[0].length;
  }
  const rest = text.slice(at).trim();
  if (rest) pieces.push(el("div", "text", rest));
  return pieces;
}

const FOLD_LINES = 24;
const FOLD_CHARACTERS = 4000;

// A box around `content`; a long one is folded, and says how long it is.
function block(text, content, classes) {
  const box = el("div", "block " + (classes || ""), content);
  const lines = text.split("\n").length;
  if (lines <= FOLD_LINES && text.length <= FOLD_CHARACTERS) return [box];
  box.classList.add("folded");
  const size = lines > FOLD_LINES ? lines.toLocaleString("en") + " lines" : text.length.toLocaleString("en") + " characters";
  const more = el("button", "more", "Show all " + size);
  more.type = "button";
  more.addEventListener("click", () => {
    const folded = box.classList.toggle("folded");
    more.textContent = folded ? "Show all " + size : "Show less";
  });
  return [box, more];
}

function section(title, text, content, { classes = "", copy = false } = {}) {
  const head = el("h3", "", title);
  if (copy && navigator.clipboard) {
    const button = el("button", "", "Copy");
    button.type = "button";
    button.addEventListener("click", () =>
      navigator.clipboard.writeText(text).then(() => (button.textContent = "Copied"), () => (button.textContent = "Not allowed")),
    );
    head.append(button);
  }
  return el("section", "", head, ...block(text, content, classes));
}

function textSection(title, text) {
  return section(title, text, el("div", "text", text));
}

function codeSection(title, text) {
  return section(title, text, code(text), { copy: true });
}

// Text as it is, anything else as JSON.
function valueSection(title, value) {
  if (typeof value === "string") return section(title, value, el("pre", "", value));
  const text = textOf(value);
  return section(title, text, code(text));
}

// The ids of all images within a value.
function imagesIn(value, found = []) {
  if (Array.isArray(value)) value.forEach((item) => imagesIn(item, found));
  else if (value && typeof value === "object") {
    if ("$image" in value) found.push(value);
    else Object.values(value).forEach((item) => imagesIn(item, found));
  }
  return found;
}

function pictures(trace, references) {
  const box = el("div", "pictures");
  for (const reference of references) {
    const image = trace.images.get(reference.$image);
    if (!image || !/^image\/(png|jpeg|gif|webp)$/.test(image.media)) {
      box.append(el("span", "text", "[" + (reference.note || "image not in the file") + "]"));
      continue;
    }
    const picture = document.createElement("img");
    picture.src = "data:" + image.media + ";base64," + image.data;
    picture.alt = "image " + (reference.width ? reference.width + " × " + reference.height : "");
    picture.addEventListener("click", () => picture.classList.toggle("whole"));
    box.append(picture);
  }
  return box;
}

function said(trace, message) {
  const parts = Array.isArray(message.content) ? message.content : [{ type: "text", text: message.content }];
  const box = el("div", "said", el("b", "", String(message.role)));
  if (message.reasoning) box.append(el("div", "text c", textOf(message.reasoning)));
  for (const part of parts) {
    if (part && part.type === "text") box.append(...prose(textOf(part.text)));
  }
  for (const call of message.tool_calls || []) box.append(code(call.name + "(" + textOf(call.arguments) + ")", "inset"));
  const images = imagesIn(parts);
  if (images.length) box.append(pictures(trace, images));
  return box;
}
