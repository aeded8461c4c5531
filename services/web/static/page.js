// What every page does beyond HTML: tell the server the reader's time zone, and lead to what is wrong in a form.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes(`zone=${zone}`)) {
  document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;
  // Times on this page were written before the zone was known.
  for (const one of document.querySelectorAll("time[datetime]")) {
    const at = new Date(one.dateTime);
    const day = at.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
    if (/\d\d:\d\d$/.test(one.textContent)) {
      one.textContent = `${day}, ${at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })}`;
    }
    one.title = at.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  }
  for (const one of document.querySelectorAll("[data-zone]")) one.textContent = zone;
}

document.querySelector("[role=alert][tabindex]")?.focus();

// A request's page: what changed elsewhere is put in place, and a day is chosen by a slider.
const shown = document.querySelector("[data-request]");
const policy = window.trustedTypes?.createPolicy("page", { createHTML: (text) => text }) ?? { createHTML: (text) => text };

async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return location.reload();
  const page = new DOMParser().parseFromString(policy.createHTML(await answer.text()), "text/html");
  const fresh = page.querySelector("[data-request]");
  const here = document.querySelector("[data-request]");
  if (!fresh || fresh.dataset.etag === here.dataset.etag) return;
  const open = [...here.querySelectorAll("details")].map((one) => one.open);
  const inside = here.contains(document.activeElement);
  here.replaceWith(document.importNode(fresh, true));
  document.querySelectorAll("[data-request] details").forEach((one, place) => { one.open = open[place] ?? one.open; });
  if (inside) document.querySelector("main").focus({ preventScroll: true });
  document.querySelector("[data-said]").textContent = "This request has changed; the page shows it as it is now.";
}

function follow(pause) {
  const changes = new EventSource("/v1/changes/stream");
  changes.addEventListener("change", (event) => {
    const change = JSON.parse(event.data);
    if (change.request === shown.dataset.request) change.merged_into ? location.reload() : renew();
  });
  changes.addEventListener("open", () => { pause = 1000; });
  changes.addEventListener("error", () => {
    // After a refusal a browser gives up for good.
    if (changes.readyState === EventSource.CLOSED) setTimeout(() => follow(Math.min(pause * 2, 60000)), pause);
  });
  addEventListener("pagehide", () => changes.close(), { once: true });
}

if (shown && !new URLSearchParams(location.search).has("as_of")) follow(1000);

const slider = document.querySelector("[data-asof] input[type=range]");
if (slider) {
  const day = slider.form.querySelector("input[type=date]");
  const first = new Date(`${slider.dataset.first}T00:00:00Z`);
  slider.hidden = false;
  slider.addEventListener("input", () => {
    day.value = new Date(first.getTime() + slider.value * 86400000).toISOString().slice(0, 10);
  });
  slider.addEventListener("change", () => slider.form.requestSubmit());
}
