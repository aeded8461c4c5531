// Keeps the parts of a page that are marked data-live as they are now, while it is looked at.
"use strict";

const PAUSE = 3000;

function put(page) {
  for (const here of document.querySelectorAll("[data-live][id]")) {
    const fresh = page.getElementById(here.id);
    if (!fresh || here.contains(document.activeElement)) continue;
    const open = new Set([...here.querySelectorAll("details[open][id]")].map((one) => one.id));
    for (const one of fresh.querySelectorAll("details[id]")) one.open = open.has(one.id);
    if (!here.isEqualNode(fresh)) here.replaceWith(document.importNode(fresh, true));
  }
}

function look() {
  if (document.hidden) return setTimeout(look, PAUSE);
  const ask = new XMLHttpRequest();
  ask.open("GET", location.pathname + location.search);
  ask.responseType = "document";
  ask.addEventListener("load", () => { if (ask.status === 200 && ask.response) put(ask.response); });
  ask.addEventListener("loadend", () => setTimeout(look, PAUSE));
  ask.send();
}

setTimeout(look, PAUSE);
