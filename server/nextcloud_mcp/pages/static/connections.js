// The page /connections: what a person granted to clients, and its end, by Keycloak's Account REST API. The token is
// valid for that API alone; it stays in a variable of this page.

import { discover, request, signIn } from "./sign-in.js";
import { element, textsOf } from "./texts.js";

const CLIENT_ID = "connections";
/** The realm's own clients, whose names nobody else has chosen. */
const NAMED_BY_REALM = new Set(["journey", "mcp-client"]);
const root = document.getElementById("connections");
const state = document.getElementById("state");
const list = document.getElementById("list");
const text = textsOf(root);
const { issuer, callback } = root.dataset;
let token = null;

/** Sends a request to the account API, and returns its JSON. */
async function account(path, method = "GET") {
  const headers = { Accept: "application/json", "Accept-Language": document.documentElement.lang, Authorization: `Bearer ${token}` };
  const response = await request(`${issuer}/account/${path}`, { method, headers });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.status === 204 ? null : response.json();
}

const moment = (milliseconds) => new Date(milliseconds).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

/** Returns whether a consent is for one of the servers: its scopes have the name of a server's scope or of its text. */
const isForServer = ({ grantedScopes }) => grantedScopes.some(({ name }) => /^(nextcloud-mcp:|\$\{consent-server-)/.test(name));

/** Returns when each client was last active, in milliseconds: the last sign-in or refresh of its latest session. */
function lastUses(sessions) {
  const uses = new Map();
  for (const { clients, lastAccess } of sessions) {
    for (const { clientId } of clients) uses.set(clientId, Math.max(uses.get(clientId) ?? 0, lastAccess * 1000));
  }
  return uses;
}

async function show() {
  const [applications, sessions] = await Promise.all([account("applications"), account("sessions")]);
  const uses = lastUses(sessions);
  const granted = applications.filter(({ consent }) => consent && isForServer(consent));
  list.replaceChildren(...granted.map((each) => connection(each, uses.get(each.clientId))));
  return granted.length;
}

function connection({ clientId, clientName, consent }, used) {
  const item = document.getElementById("connection").content.cloneNode(true).firstElementChild;
  const part = (name) => item.querySelector(`[data-${name}]`);
  const name = clientName || clientId;
  part("name").textContent = name;
  part("unchecked").hidden = NAMED_BY_REALM.has(clientId);
  part("since").textContent = moment(consent.createdDate);
  part("used").textContent = used === undefined ? text("idle") : moment(used);
  part("scopes").append(...consent.grantedScopes.map((scope) => element("li", scope.displayText ?? scope.name)));
  part("question").textContent = part("question").dataset.text.replace("{name}", () => name);
  const ask = (isAsked) => {
    part("confirm").hidden = !isAsked;
    part("end").hidden = isAsked;
    (isAsked ? part("no") : part("end")).focus();
  };
  part("end").addEventListener("click", () => ask(true));
  part("no").addEventListener("click", () => ask(false));
  part("yes").addEventListener("click", () => attempt(async () => {
    await account(`applications/${encodeURIComponent(clientId)}/consent`, "DELETE");
    await show();
    state.textContent = text("ended", { name });
    state.focus();
  }));
  return item;
}

/** Runs a step, and says what failed. */
async function attempt(step) {
  try {
    await step();
  } catch (error) {
    if (error.code === "superseded") return;
    state.textContent = text(error.code in { blocked: 0, cancelled: 0 } ? error.code : "failed", { reason: error.reason || error.message });
  }
}

document.getElementById("sign-in")?.addEventListener("click", () => attempt(async () => {
  state.textContent = text("waiting");
  const metadata = await discover(issuer);
  token = await signIn({ metadata, clientId: CLIENT_ID, callback, scope: "" });
  const count = await show();
  state.textContent = count === 0 ? text("empty") : text("some", { count: String(count) });
}));
