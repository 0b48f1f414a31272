// The page /connections: the clients that have access to a person's account, from Keycloak's Account REST API. The token
// is valid for that API alone, and can only read. The page forgets it as soon as it has the list.

import { discover, request, signIn } from "./sign-in.js";
import { element, textsOf } from "./texts.js";

const CLIENT_ID = "connections";
/** The realm's own clients, whose names nobody else has chosen. */
const NAMED_BY_REALM = new Set(["mcp-client", "nextcloud"]);
/** Keycloak's and the server's own pages. */
const PAGES = new Set(["account", "account-console", "connections", "journey"]);
const root = document.getElementById("connections");
const state = document.getElementById("state");
const list = document.getElementById("list");
const text = textsOf(root);
const { issuer, callback } = root.dataset;

/** Returns the JSON at a path of the account API. */
async function account(path, token) {
  const headers = { Accept: "application/json", "Accept-Language": document.documentElement.lang, Authorization: `Bearer ${token}` };
  const response = await request(`${issuer}/account/${path}`, { headers });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.json();
}

const moment = (milliseconds) => new Date(milliseconds).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

/** Returns whether a client has a consent or a session, and is not one of the pages. */
const hasAccess = ({ clientId, consent, inUse, offlineAccess }) => !PAGES.has(clientId) && Boolean(consent || inUse || offlineAccess);

/** Returns when each client was last active, in milliseconds: the last sign-in or refresh of its latest session. */
function lastUses(sessions) {
  const uses = new Map();
  for (const { clients, lastAccess } of sessions) {
    for (const { clientId } of clients) uses.set(clientId, Math.max(uses.get(clientId) ?? 0, lastAccess * 1000));
  }
  return uses;
}

async function show(token) {
  const [applications, sessions] = await Promise.all([account("applications", token), account("sessions", token)]);
  const uses = lastUses(sessions);
  const shown = applications.filter(hasAccess);
  list.replaceChildren(...shown.map((each) => connection(each, uses.get(each.clientId))));
  state.textContent = shown.length === 0 ? text("empty") : text("some", { count: String(shown.length) });
}

function connection({ clientId, clientName, consent }, used) {
  const item = document.getElementById("connection").content.cloneNode(true).firstElementChild;
  const part = (name) => item.querySelector(`[data-${name}]`);
  part("name").textContent = clientName || clientId;
  part("unchecked").hidden = NAMED_BY_REALM.has(clientId);
  part("since").textContent = consent ? moment(consent.createdDate) : text("unasked");
  part("used").textContent = used === undefined ? text("idle") : moment(used);
  const scopes = (consent?.grantedScopes ?? []).map((scope) => element("bdi", scope.displayText || scope.name));
  part("scopes").append(...(scopes.length > 0 ? scopes : [text("unasked")]).map((each) => {
    const line = element("li");
    line.append(each);
    return line;
  }));
  part("how").textContent = text(consent ? "end_consent" : "end_session");
  return item;
}

/** Signs the person in, which Keycloak does without a question while their session lasts, and shows the list. */
async function load({ currentTarget: button }) {
  state.textContent = text("waiting");
  try {
    const metadata = await discover(issuer);
    await show(await signIn({ metadata, clientId: CLIENT_ID, callback, scope: "" }));
    button.textContent = button.dataset.again;
  } catch (error) {
    if (error.code === "superseded") return;
    state.textContent = text(error.code in { blocked: 0, cancelled: 0 } ? error.code : "failed", { reason: error.reason || error.message });
  }
}

document.getElementById("sign-in")?.addEventListener("click", load);
