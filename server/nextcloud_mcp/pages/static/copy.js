// Shows the copy buttons, which need JavaScript, and makes them work.
"use strict";

const status = document.createElement("p");
status.className = "visually-hidden";
status.setAttribute("role", "status"); // screen readers announce it
document.querySelector("main").append(status);
let last = () => {};

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch { // browsers have no clipboard without HTTPS, or refuse
    getSelection().selectAllChildren(code);
    return document.execCommand("copy");
  }
}

for (const button of document.querySelectorAll("button.copy")) {
  const [verb, label] = button.childNodes;
  const initial = verb.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (!await copy(button.parentElement.querySelector("code"))) return; // the text stays selected
    last();
    last = () => { verb.textContent = initial; };
    verb.textContent = button.dataset.copied;
    status.textContent = `${button.dataset.copied}: ${label.textContent.trim()}`;
  });
}
