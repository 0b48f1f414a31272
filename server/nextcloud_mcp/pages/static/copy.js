// Shows the copy buttons, which need JavaScript, and makes them work.
"use strict";

async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // without HTTPS, browsers have only the old way
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

for (const button of document.querySelectorAll("button.copy")) {
  const label = button.firstChild;
  const initial = label.textContent;
  const code = button.parentElement.querySelector("code");
  button.hidden = false;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    await copy(code.textContent);
    label.textContent = button.dataset.copied;
    setTimeout(() => { label.textContent = initial; }, 2000);
  });
}
