"use strict";
// What the scripts of reports share: texts made safe to look at, and elements.
const FIRST = 400;     // characters of a text shown before "show all"
const SVG = "http://www.w3.org/2000/svg";
const byId = id => document.getElementById(id);

// Control characters, overrides and lone surrogates become visible: a model wrote the texts.
const visible = text => text
  .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
           c => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)
  .replace(/\p{Surrogate}/gu, "\ufffd");
const whole = text => Array.isArray(text) ? text[0] : text ?? "";
const grouped = (n, digits = 0) => n.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits});
const short = x => String(Number(x.toPrecision(3)));
const counted = (n, word) => `${grouped(n)} ${word}${n === 1 ? "" : word.endsWith("ch") ? "es" : "s"}`;

function make(kind, name, text, ...inside) {
  const element = document.createElement(kind);
  if (name) element.className = name;
  if (text) element.textContent = visible(text);
  element.append(...inside);
  return element;
}

function draw(kind, attributes, ...inside) {
  const element = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...inside);
  return element;
}

function button(label, act) {
  const element = make("button", "", label);
  element.type = "button";
  element.addEventListener("click", () => act(element));
  return element;
}

// A text of any length: its beginning, and the rest (as far as it is in the file) at a click.
function shown(text, first = FIRST) {
  const all = whole(text), box = make("div", "text"), pre = make("pre", "", all.slice(0, first));
  box.append(pre);
  const missing = Array.isArray(text) ? `… ${grouped(text[1] - all.length)} more characters are not in this file` : "";
  if (!all.trim()) pre.append(make("span", "soft", all ? "(blank)" : "(empty)"));
  if (all.length <= first) { if (missing) box.append(make("div", "note", missing)); return box; }
  pre.append("…");
  box.append(button(`Show all ${grouped(all.length)} characters`, element => {
    pre.textContent = visible(all);
    element.replaceWith(make("div", "note", missing));
  }));
  return box;
}
