// What the pages can do without, and do better with: live rows, copying, search as you type.

const LIVE_MILLISECONDS = 2000;

function keepLive(section) {
  const rows = section.querySelector("tbody");
  if (!rows) return;
  const refresh = async () => {
    if (document.visibilityState === "visible" && !section.contains(document.getSelection()?.anchorNode ?? null)) {
      const answer = await fetch(section.dataset.live, { redirect: "manual" });
      if (!answer.ok) return; // signed out: the rows stay as they are
      const fresh = new DOMParser().parseFromString(`<table><tbody>${await answer.text()}</tbody></table>`, "text/html");
      const known = rows.firstElementChild?.dataset.id;
      const newest = fresh.querySelector("tr");
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
  block.before(button);
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

document.querySelectorAll("[data-live]").forEach(keepLive);
document.querySelectorAll("pre").forEach(offerCopying);
document.querySelectorAll("[data-searches]").forEach(searchAsTyped);
document.querySelectorAll("form[method=post]").forEach(sendOnce);
