// What pages do beyond HTML. Everything works without it; each part looks for what it is for, and leaves it be if absent.
"use strict";

// Every page: tell the server the reader's time zone, and lead to what is wrong in a form.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes(`zone=${zone}`)) {
  document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;
  // Times on this page were written before the zone was known.
  for (const one of document.querySelectorAll("time[datetime*=T]")) {
    const at = new Date(one.dateTime);
    const [, day, year, hour] = /^(\d+ [A-Z][a-z]+)( \d{4})?(, \d\d:\d\d)?$/.exec(one.textContent.trim()) ?? [];
    if (!day) continue; // such as "2 days ago"
    const month = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")[at.getMonth()];
    const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    one.textContent = `${at.getDate()} ${month}${year ? ` ${at.getFullYear()}` : ""}${hour ? `, ${time}` : ""}`;
    one.title = at.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  }
  for (const one of document.querySelectorAll("[data-zone]")) one.textContent = zone;
}
document.querySelector("[role=alert][tabindex]")?.focus();
for (const one of document.querySelectorAll("[data-script]")) one.hidden = false;

// A form that changes something is sent once, however often its button is pressed, until the answer is there or late.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 10000);
});
addEventListener("pageshow", () => { for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent; });

// Only our own server's pages, which escape everything, become elements.
const policy = window.trustedTypes?.createPolicy("page", { createHTML: (text) => text }) ?? { createHTML: (text) => text };

function parsed(text) {
  return new DOMParser().parseFromString(policy.createHTML(text), "text/html");
}

// The box: answers while somebody types, as a combobox with a list.
for (const box of document.querySelectorAll("input[data-suggest]")) suggest(box);

function suggest(box) {
  const list = document.createElement("div");
  list.className = "suggested";
  list.id = `${box.id}-list`;
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Found");
  const said = document.createElement("p");
  said.className = "hidden";
  said.setAttribute("aria-live", "polite");
  box.after(list, said);
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id })) box.setAttribute(name, value);
  let asking, waiting, at = -1;

  const options = () => [...list.querySelectorAll("[role=option]")];
  function open(shown) {
    list.hidden = !shown;
    box.setAttribute("aria-expanded", String(shown));
    if (!shown) choose(-1);
  }
  function choose(place) {
    at = place;
    options().forEach((one, number) => one.setAttribute("aria-selected", String(number === at)));
    const chosen = options()[at];
    if (chosen) { box.setAttribute("aria-activedescendant", chosen.id); chosen.scrollIntoView({ block: "nearest" }); }
    else box.removeAttribute("aria-activedescendant");
  }
  async function ask() {
    asking?.abort();
    asking = new AbortController();
    const text = box.value.trim();
    if (text.length < 2) return open(false);
    try {
      const answer = await fetch(`/find/suggest?box=${box.id}&q=${encodeURIComponent(text)}`, { signal: asking.signal });
      if (!answer.ok || answer.redirected) return open(false);
      const page = parsed(await answer.text());
      list.replaceChildren(...page.querySelectorAll("[role=option]"));
      said.textContent = page.querySelector("p")?.textContent ?? "";
      choose(-1);
      open(options().length > 0 && document.activeElement === box);
    } catch (error) {
      if (error.name !== "AbortError") open(false); // away: the form still asks
    }
  }
  box.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(ask, 150); });
  box.addEventListener("keydown", (event) => {
    const count = options().length;
    if (event.key === "Escape" && !list.hidden) { event.preventDefault(); open(false); }
    else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count) {
      event.preventDefault();
      if (list.hidden) open(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      choose(at < 0 && step < 0 ? count - 1 : (at + step + count + 1) % (count + 1) === count ? -1 : (at + step + count + 1) % (count + 1));
    } else if (event.key === "Enter" && at >= 0) { event.preventDefault(); location.assign(options()[at].dataset.leads); }
  });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
  list.addEventListener("click", (event) => {
    const chosen = event.target.closest("[role=option]");
    if (chosen) location.assign(chosen.dataset.leads);
  });
  box.addEventListener("blur", () => open(false));
}

// A list of requests: from one to the next by keys, while the focus is in it.
document.querySelector("[data-rows]")?.addEventListener("keydown", (event) => {
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  const rows = [...event.currentTarget.querySelectorAll("a.title")];
  const here = rows.findIndex((one) => one.closest("tr").contains(document.activeElement));
  event.preventDefault();
  rows[Math.min(Math.max(here + step, 0), rows.length - 1)]?.focus();
});

// A request's page: what changed elsewhere is put in place, and a day is chosen by a slider.
const shown = document.querySelector("[data-request]");
const REACHED = "a, summary, button, input:not([hidden]), [tabindex]";

// The slider is there only with a script; a timeline that is wider than the screen begins at its newest end.
function prepare(along) {
  for (const slider of document.querySelectorAll("[data-asof] input[type=range]")) slider.hidden = false;
  for (const line of document.querySelectorAll("[data-across]")) line.scrollLeft = along ?? line.scrollWidth;
}
prepare();

async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => undefined);
  if (!answer || answer.status >= 500) return; // the hub is away: the stream tells when it is back
  if (!answer.ok || answer.redirected) return location.reload();
  const fresh = parsed(await answer.text()).querySelector("[data-request]");
  const here = document.querySelector("[data-request]");
  if (fresh?.dataset.etag === here.dataset.etag) here.dataset.seen = fresh.dataset.seen;
  if (!fresh || fresh.dataset.etag === here.dataset.etag) return;
  // Whoever chooses a day is not disturbed.
  if (document.activeElement?.matches("[data-asof] input")) return document.activeElement.addEventListener("blur", renew, { once: true });
  const open = [...here.querySelectorAll("details")].map((one) => one.open);
  const inside = here.contains(document.activeElement) ? [...here.querySelectorAll(REACHED)].indexOf(document.activeElement) : -2;
  const top = scrollY, along = here.querySelector("[data-across]")?.scrollLeft;
  here.replaceWith(document.importNode(fresh, true));
  const now = document.querySelector("[data-request]");
  now.querySelectorAll("details").forEach((one, place) => { one.open = open[place] ?? one.open; });
  prepare(along);
  if (inside > -2) (now.querySelectorAll(REACHED)[inside] ?? document.querySelector("main")).focus({ preventScroll: true });
  scrollTo({ top, behavior: "instant" });
  document.querySelector("[data-said]").textContent = "This request has changed; the page shows it as it is now.";
}

function follow() {
  let changes, pause = 1000, waiting;
  const here = () => document.querySelector("[data-request]");
  function listen() {
    if (changes || document.hidden) return;
    // From the change number that the page was written at, or the last one heard of: nothing between is missed, and a
    // browser that connects again by itself goes on from there.
    changes = new EventSource(`/v1/changes/stream?since=${here().dataset.seen}`);
    changes.addEventListener("change", (event) => {
      here().dataset.seen = event.lastEventId;
      const change = JSON.parse(event.data);
      if (change.request === shown.dataset.request) change.merged_into ? location.reload() : renew();
    });
    changes.addEventListener("open", () => { pause = 1000; });
    changes.addEventListener("error", () => {
      // After a refusal a browser gives up for good: try again, each time later, and look who is signed in.
      if (changes?.readyState !== EventSource.CLOSED) return;
      changes = undefined;
      waiting = setTimeout(begin, pause);
      pause = Math.min(pause * 2, 60000);
    });
  }
  // The page first, with its own number: what changed elsewhere in hours that nobody looked is not told one by one.
  function begin() { renew().finally(listen); }
  function end() { clearTimeout(waiting); changes?.close(); changes = undefined; }
  // A browser opens few connections to one host: pages that nobody looks at listen to nothing.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) end();
    else if (!changes) begin();
  });
  addEventListener("pagehide", end);
  addEventListener("pageshow", (event) => { if (event.persisted && !changes) begin(); });
  listen();
}

if (shown && !new URLSearchParams(location.search).has("as_of")) follow();

document.addEventListener("input", ({ target }) => {
  if (!target.matches("[data-asof] input[type=range]")) return;
  const first = new Date(`${target.dataset.first}T00:00:00Z`);
  const day = target.form.querySelector("input[type=date]");
  day.value = new Date(first.getTime() + target.value * 86400000).toISOString().slice(0, 10);
  target.setAttribute("aria-valuetext", day.value);
});
document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-asof] input[type=range]")) target.form.requestSubmit();
});
