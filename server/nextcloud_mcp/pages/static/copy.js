// Shows the copy buttons, which need JavaScript, and makes them work.
"use strict";

const status = document.createElement("p");
status.className = "visually-hidden";
status.setAttribute("role", "status"); // screen readers announce it
document.querySelector("main").append(status);

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
  const label = button.firstChild;
  const initial = label.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (!await copy(button.parentElement.querySelector("code"))) return; // the text stays selected
    label.textContent = status.textContent = button.dataset.copied;
    setTimeout(() => { label.textContent = initial; status.textContent = ""; }, 2000);
  });
}
