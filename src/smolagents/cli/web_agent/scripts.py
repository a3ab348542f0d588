"""Scripts that run in pages. What they are given comes as arguments, so that no text becomes part of a script."""

from __future__ import annotations

__all__ = ["CLICKABLE_TEXTS", "COVERED", "FIELD", "FIND_TEXT", "OVERVIEW", "POPUP_BUTTONS", "SAVE_LINK", "SETTLED"]

_VISIBLE = """
const visible = element => {
  const box = element.getBoundingClientRect();
  return box.width > 0 && box.height > 0 && element.checkVisibility({visibilityProperty: true, opacityProperty: true});
};
const label = field => {
  const copy = field.labels && field.labels[0] && field.labels[0].cloneNode(true);
  if (!copy) return '';
  copy.querySelectorAll('select, textarea').forEach(inner => inner.remove());
  return copy.textContent.trim().replace(/\\s+/g, ' ');
};
const words = element => (element.tagName === 'LABEL' && element.control ? label(element.control) : element.innerText || element.value || element.getAttribute('aria-label')
  || element.getAttribute('title') || element.getAttribute('alt') || '').trim().replace(/\\s+/g, ' ');
"""

_CLICKABLE = "'a[href], button, summary, label, [role=button], [role=link], input[type=submit], input[type=button]'"

CLICKABLE_TEXTS = f"""{_VISIBLE}
return [...new Set([...document.querySelectorAll({_CLICKABLE})].filter(visible).map(words))]
  .filter(text => text && text.length <= 80).slice(0, arguments[0]);
"""
"""Texts of what can be clicked, at most as many as the argument says."""

COVERED = """
const element = arguments[0];
element.scrollIntoView({block: 'nearest', behavior: 'instant'});
// Links may run over several lines: the first piece is what is clicked.
const box = element.getClientRects()[0];
if (!box) return false;
const top = element.ownerDocument.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
return !!top && top !== element && !element.contains(top) && !top.contains(element)
  && ![...(element.labels || [])].some(label => label.contains(top));
"""
"""Whether something else lies over an element where it would be clicked."""

FIND_TEXT = f"""{_VISIBLE}
const wanted = arguments[0].toLowerCase().replace(/\\s+/g, ' ').trim(), found = [];
const clean = text => text.toLowerCase().replace(/\\s+/g, ' ');
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT);
for (let element = walker.currentNode; element; element = walker.nextNode()) {{
  if (['SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE'].includes(element.tagName) || !visible(element)) continue;
  if (!clean(element.textContent).includes(wanted)) continue;
  // The innermost element that holds the whole text.
  if (![...element.children].some(child => visible(child) && clean(child.textContent).includes(wanted)))
    found.push(element);
}}
return found;
"""
"""The innermost visible elements that hold a text, in the order of the page, whatever its case."""

FIELD = f"""{_VISIBLE}
const wanted = arguments[0].toLowerCase().trim();
const fields = [...document.querySelectorAll('input, textarea, select, [contenteditable=true]')]
  .filter(field => visible(field) && !field.disabled
    && !['submit', 'button', 'hidden', 'image', 'reset'].includes(field.type));
const names = field => [label(field)].concat(['aria-label', 'placeholder', 'title', 'name', 'id'].map(name => field.getAttribute(name) || ''))
  .map(name => name.toLowerCase().replace(/[*:]/g, '').trim()).filter(Boolean);
return fields.find(field => names(field).includes(wanted))
  || fields.find(field => names(field).some(name => name.startsWith(wanted))) || null;
"""
"""The field with this label, placeholder or name."""

OVERVIEW = f"""{_VISIBLE}
const texts = (selector, describe) => [...new Set([...document.querySelectorAll(selector)]
  .filter(visible).map(describe))].filter(Boolean).slice(0, 60);
return {{
  text: document.body ? document.body.innerText : '',
  clickable: texts({_CLICKABLE}, words),
  fields: texts('input:not([type=hidden]):not([type=submit]):not([type=button]), textarea, select', field =>
    (label(field) || field.getAttribute('aria-label')
      || field.placeholder || field.name || field.id || '').trim()),
}};
"""
"""What a page says, what can be clicked, and which fields there are."""

POPUP_BUTTONS = f"""{_VISIBLE}
const [refusing, accepting] = arguments;
const outermost = [...document.querySelectorAll('dialog[open], [role=dialog], [role=alertdialog], [aria-modal=true]'
  + ', body *')].filter(element => {{
  if (!visible(element)) return false;
  if (element.matches('dialog[open], [role=dialog], [role=alertdialog], [aria-modal=true]')) return true;
  const style = getComputedStyle(element);
  return style.position === 'fixed' && (parseInt(style.zIndex) || 0) > 0;
}}).filter((element, _, all) => !all.some(other => other !== element && other.contains(element)));
const buttons = [];
for (const popup of outermost) {{
  const candidates = [...popup.querySelectorAll({_CLICKABLE})].filter(visible)
    .map(element => [element, words(element).toLowerCase()]);
  // The whole text, but for the word "cookies": "Continue to checkout" or "Skip to content" closes nothing.
  const closes = (text, word) => text === word || (text.startsWith(word + ' ') && text.includes('cookie'));
  const named = list => candidates.find(([element, text]) => list.some(word => closes(text, word)
    || (element.getAttribute('aria-label') || '').toLowerCase().trim() === word));
  const best = named(refusing) || named(accepting);
  if (best) buttons.push([best[0], words(best[0])]);
}}
return buttons;
"""
"""For each pop-up the button that closes it, with its text. The arguments are the words on such buttons, in two lists:
those of the first are preferred."""

SAVE_LINK = """
const link = arguments[0].closest('a[href]');
if (!link) return false;
const copy = document.createElement('a');
copy.href = link.href;
copy.download = link.download || '';
document.body.append(copy);
copy.click();
copy.remove();
return true;
"""
"""Save what a link leads to. A page of another site can only be opened so, unless that site offers it as a file."""

SETTLED = "return [document.readyState, document.getElementsByTagName('*').length, location.href]"
"""What stays the same once a page has come to rest."""
