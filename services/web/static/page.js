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
