// Progressive enhancement: live rows, copy buttons, incremental search.

const LIVE_MILLISECONDS = 2000;

function keepLive(section) {
  const rows = section.querySelector("tbody");
  const refresh = async () => {
    if (document.visibilityState === "visible" && !section.contains(document.getSelection()?.anchorNode ?? null)) {
      const answer = await fetch(section.dataset.live, { redirect: "manual" }).catch(() => null); // server unavailable: retried
      if (answer?.type === "opaqueredirect") return location.reload(); // the session has ended: redirect to the login
      const text = answer?.ok ? await answer.text() : "";
      const fresh = new DOMParser().parseFromString(`<table><tbody>${text}</tbody></table>`, "text/html");
      const newest = fresh.querySelector("tr");
      if (newest && !rows) return location.reload(); // the first row: the page has no table yet
      const known = rows?.firstElementChild?.dataset.id;
      if (newest && newest.dataset.id !== known) rows.replaceChildren(...fresh.querySelector("tbody").children);
    }
    setTimeout(refresh, LIVE_MILLISECONDS);
  };
  setTimeout(refresh, LIVE_MILLISECONDS);
}

function offerCopying(block) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  block.append(button);
}

function searchAsTyped(field) {
  const entries = [...document.querySelectorAll(field.dataset.searches)];
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    for (const entry of entries) {
      const text = (entry.dataset.text ?? entry.textContent).toLowerCase();
      entry.hidden = !words.every((word) => text.includes(word));
    }
  });
}

function sendOnce(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.asks && !confirm(form.dataset.asks)) {
      event.preventDefault();
      return;
    }
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}

// A page restored from the browser's back/forward cache may submit its forms again.
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
});

document.querySelectorAll("[data-live]").forEach(keepLive);
document.querySelectorAll("pre").forEach(offerCopying);
document.querySelectorAll("[data-searches]").forEach(searchAsTyped);
document.querySelectorAll("form[method=post]").forEach(sendOnce);

// Try it: sends the documented requests from the page, with the reader's token.
const credentials = { bearer: "", admin: "" };

function offerToken(form) {
  const said = form.querySelector("output");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    credentials.admin = form.elements.admin.value.trim();
    const key = form.elements.key.value.trim();
    if (!key) {
      said.textContent = credentials.admin ? "The admin secret is set." : "Paste an API key first.";
      return;
    }
    const answer = await fetch(`/v1/${encodeURIComponent(form.dataset.tokenFor)}/auth/token`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ apiKey: key }),
    });
    const told = await answer.json();
    credentials.bearer = told.accessToken ?? "";
    said.textContent = answer.ok ? "The token is set; it is valid for 24 hours." : told.detail;
  });
}

function field(form, name, label, value, rows) {
  const holder = document.createElement("label");
  const caption = document.createElement("span");
  const input = document.createElement(rows ? "textarea" : "input");
  caption.textContent = label;
  input.name = name;
  input.value = value;
  if (rows) input.rows = rows;
  holder.append(caption, input);
  form.append(holder);
  return input;
}

function offerTrying(details) {
  const call = JSON.parse(details.dataset.try);
  details.addEventListener("toggle", () => {
    if (!details.open || details.querySelector("form")) return;
    const form = document.createElement("form");
    form.className = "stack pad";
    const url = new URL(call.address);
    const address = field(form, "address", `${call.method}, address`, url.pathname + url.search);
    const text = call.body === null ? "" : JSON.stringify(call.body, null, 2);
    const body = call.body === null ? null : field(form, "body", "Body", text, Math.min(text.split("\n").length + 1, 16));
    const button = document.createElement("button");
    button.className = "primary";
    button.textContent = `Send ${call.method}`;
    const shown = document.createElement("pre");
    shown.tabIndex = 0;
    shown.hidden = true;
    form.append(button, shown);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      shown.hidden = false;
      const headers = {};
      if (call.auth === "bearer") {
        if (!credentials.bearer) {
          shown.textContent = "Get an access token first: paste an API key under “Try it” at the top.";
          return;
        }
        headers.Authorization = `Bearer ${credentials.bearer}`;
      }
      if (call.auth === "admin") headers["X-Admin-Secret"] = credentials.admin;
      if (body) headers["Content-Type"] = "application/json";
      const target = new URL(address.value, location.origin);
      if (target.origin !== location.origin) {
        shown.textContent = "Only URLs of this server can be called.";
        return;
      }
      const answer = await fetch(target, { method: call.method, headers, body: body ? body.value : undefined });
      const raw = await answer.text();
      let pretty = raw;
      try {
        pretty = JSON.stringify(JSON.parse(raw), null, 2);
      } catch {}
      shown.textContent = `${answer.status} ${answer.statusText}\n\n${pretty}`;
    });
    details.append(form);
  });
}

document.querySelectorAll("[data-token-for]").forEach(offerToken);
document.querySelectorAll("[data-try]").forEach(offerTrying);
