// Shows the claims of the token that a server received, and of the one that it sends to Nextcloud.

import { clock } from "./texts.js";

const now = () => Math.floor(Date.now() / 1000);
const isAbsent = (value) => value === undefined || value === "";
const shown = (value) => (Array.isArray(value) ? value.join("\n") : String(value));

export class Claims {
  #rows = new Map();
  #tokens = null;
  #text;

  constructor(section, text) {
    this.#text = text;
    for (const row of section.querySelectorAll("[data-claim]")) this.#rows.set(row.dataset.claim, row);
  }

  get secondsLeft() {
    return this.#tokens === null ? 0 : Math.max(0, this.#tokens.received.exp - now());
  }

  clear() {
    this.#tokens = null;
    for (const row of this.#rows.values()) {
      for (const part of row.querySelectorAll("[data-received], [data-change], [data-sent]")) part.textContent = "–";
      for (const part of row.querySelectorAll("[data-server-result], [data-nextcloud-result]")) this.#mark(part, false);
    }
  }

  /** Shows the answer of a server: its checks have passed, or it would have refused. */
  show(tokens) {
    this.#tokens = tokens;
    for (const [name, row] of this.#rows) {
      const [received, sent] = [tokens.received[name], tokens.sent[name]];
      row.querySelector("[data-received]").textContent = isAbsent(received) ? this.#text("absent") : shown(received);
      row.querySelector("[data-sent]").textContent = isAbsent(sent) ? this.#text("absent") : shown(sent);
      const change = this.#change(received, sent);
      row.querySelector("[data-change]").textContent = this.#text(change);
      row.dataset.change = change;
      this.#mark(row.querySelector("[data-server-result]"), true);
    }
    this.tick();
  }

  passedAtNextcloud() {
    for (const row of this.#rows.values()) this.#mark(row.querySelector("[data-nextcloud-result]"), true);
  }

  /** Counts both times down, and returns the seconds that the received token has left. */
  tick() {
    if (this.#tokens === null) return 0;
    const row = this.#rows.get("exp");
    for (const which of ["received", "sent"]) {
      const left = this.#tokens[which].exp - now();
      row.querySelector(`[data-${which}]`).textContent =
        left > 0 ? this.#text("expires_in", { time: clock(left) }) : this.#text("expired", { time: clock(-left) });
    }
    return this.secondsLeft;
  }

  #change(received, sent) {
    if (isAbsent(sent)) return isAbsent(received) ? "same" : "removed";
    if (isAbsent(received)) return "added";
    return shown(received) === shown(sent) ? "same" : "other";
  }

  /** Marks a check; a claim that nobody checks has no part for it. */
  #mark(part, hasPassed) {
    if (part === null) return;
    part.textContent = hasPassed ? `✓ ${this.#text("passed")}: ` : "";
    part.className = hasPassed ? "passed" : "";
  }
}
