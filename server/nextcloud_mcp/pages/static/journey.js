// The page /journey: signs in for each mode, and shows the claims that the servers return. It holds each token in a
// private field, sends it only to Keycloak and to the two servers, and shows none.

import { Claims } from "./journey-claims.js";
import { experiments, post } from "./journey-tries.js";
import { discover, signIn, signOut } from "./sign-in.js";
import { clock, element, textsOf } from "./texts.js";

const CLIENT_ID = "journey";
const root = document.getElementById("journey");
const text = textsOf(root);
const { issuer, callback, tool } = root.dataset;
const modes = new Map();
let metadata = null;

class Mode {
  #token = null;

  constructor(section) {
    this.name = section.dataset.mode;
    this.server = section.dataset.server;
    this.scope = section.dataset.scope;
    this.button = section.querySelector("[data-sign-in]");
    this.state = section.querySelector("[data-state]");
    this.claims = new Claims(section, text);
    this.button.addEventListener("click", () => this.signIn());
  }

  get token() {
    return this.#token;
  }

  /** Seconds until the token expires; 0 without a token. */
  get secondsLeft() {
    return this.#token === null ? 0 : this.claims.secondsLeft;
  }

  async signIn() {
    this.#token = null;
    this.claims.clear();
    this.state.textContent = text("waiting");
    try {
      metadata ??= await discover(issuer);
      this.#token = await signIn({ metadata, clientId: CLIENT_ID, callback, scope: this.scope });
      await this.#show();
    } catch (error) {
      if (error.code === "superseded") this.state.textContent = text("none");
      else this.state.textContent = text(error.code in { blocked: 0, cancelled: 0 } ? error.code : "failed", { reason: error.reason ?? error.message });
    }
  }

  async #show() {
    this.button.textContent = this.button.dataset.again;
    const { status, body } = await post(`${this.server}/journey/api/tokens`, this.#token);
    if (status !== 200) {
      this.#token = null;
      this.state.textContent = text("refused", { reason: body?.error?.message ?? String(status) });
      return;
    }
    this.claims.show(body);
    this.tick();
    const { body: asked } = await post(`${this.server}/journey/api/nextcloud/sent`, this.#token);
    if (asked?.status === 200) this.claims.passedAtNextcloud();
  }

  tick() {
    if (this.#token === null) return;
    const left = this.claims.tick();
    const now = left > 0 ? text("left", { time: clock(left) }) : text("over");
    if (this.state.textContent !== now) this.state.textContent = now;
  }
}

/** Shows what one try gave in one mode: the request, the status, and why. */
function report(place, { request, status, challenge, reason }, secondsLeft) {
  const result = place.querySelector("[data-result]");
  const isExpected = place.dataset.expected.split(" ").includes(String(status));
  const why = isExpected ? place.dataset.why : text("unexpected", { status: String(status), reason: reason ?? "" });
  result.replaceChildren(element("code", request, "request"), element("strong", String(status), `status status-${String(status)[0]}`), element("p", why));
  if (challenge) {
    const details = element("p", `${text("challenge")}: `);
    details.append(element("code", challenge));
    result.append(details);
  }
  if (secondsLeft !== undefined) result.append(element("p", text("seconds_left", { seconds: String(secondsLeft) })));
}

async function run(item) {
  const { try: id } = item.dataset;
  const places = [...item.querySelectorAll("[data-mode]")];
  const signedIn = places.filter((place) => modes.get(place.dataset.mode).secondsLeft > 0);
  for (const place of places) {
    const missing = text(modes.get(place.dataset.mode).token === null ? "not_signed_in" : "over");
    place.querySelector("[data-result]").textContent = signedIn.includes(place) ? "" : missing;
  }
  if (id === "signed-out" && signedIn.length > 0) {
    for (const place of signedIn) place.querySelector("[data-result]").textContent = text("sign_out");
    await signOut({ metadata, clientId: CLIENT_ID, callback });
  }
  for (const place of signedIn) {
    const mode = modes.get(place.dataset.mode);
    const other = [...modes.values()].find((each) => each !== mode)?.server;
    try {
      const outcome = await experiments[id]({ token: mode.token, server: mode.server, other, tool });
      const seconds = id === "signed-out" && outcome.status === 200 && mode.name === "pass-through" ? mode.secondsLeft : undefined;
      report(place, outcome, seconds);
    } catch (error) {
      place.querySelector("[data-result]").textContent = text(error.code === "refused" ? "refused" : "unanswered", { reason: error.message });
    }
  }
}

for (const section of root.querySelectorAll("section[data-mode]")) modes.set(section.dataset.mode, new Mode(section));
for (const item of root.querySelectorAll("[data-try]")) {
  item.querySelector("[data-run]").addEventListener("click", () =>
    run(item).catch((error) => {
      for (const result of item.querySelectorAll("[data-result]")) {
        result.textContent = error.code === "superseded" ? "" : text(error.code === "blocked" ? "blocked" : "unanswered", { reason: error.message });
      }
    }),
  );
}
setInterval(() => modes.forEach((mode) => mode.tick()), 1000);
