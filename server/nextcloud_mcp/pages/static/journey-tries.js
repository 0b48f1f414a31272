// The tries: a fixed list. Each sends one request to one of the two servers of the page, with a token of the page.

import { request } from "./sign-in.js";

/** Returns the parts of a challenge that say why (RFC 6750 section 3), and for a missing scope, what to ask for. */
function why(challenge) {
  const parts = Object.fromEntries([...(challenge ?? "").matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
  const told = ["error", "error_description", ...(parts.error === "insufficient_scope" ? ["scope"] : [])];
  return told.filter((name) => parts[name]).map((name) => `${name}="${parts[name]}"`).join(", ");
}

/** Posts to a server with a token, and returns the status and the body, if that is JSON. */
export async function post(url, token, message) {
  const response = await request(url, {
    method: "POST",
    headers: {
      Accept: "application/json, text/event-stream",
      Authorization: `Bearer ${token}`,
      ...(message ? { "Content-Type": "application/json", "MCP-Protocol-Version": "2025-06-18" } : {}),
    },
    body: message && JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }),
  });
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  const body = isJson ? await response.json() : await response.text().then(() => null);
  return { status: response.status, body, challenge: why(response.headers.get("WWW-Authenticate")) };
}

async function atNextcloud(which, { token, server }) {
  const { status, body } = await post(`${server}/journey/api/nextcloud/${which}`, token);
  if (status !== 200) throw Object.assign(new Error(body?.error?.message ?? String(status)), { code: "refused" });
  return { request: `${body.request} → Nextcloud`, status: body.status };
}

async function call(server, token, name) {
  const { status, body, challenge } = await post(server, token, { method: "tools/call", params: { name, arguments: {} } });
  return { request: `POST ${server} tools/call ${name}`, status, challenge, reason: body?.error?.message };
}

export const experiments = {
  received: (the) => atNextcloud("received", the),
  sent: (the) => atNextcloud("sent", the),
  other: ({ token, other }) => call(other, token, "nc_whoami"),
  scope: ({ token, server, tool }) => call(server, token, tool),
  "signed-out": ({ token, server }) => call(server, token, "nc_whoami"),
};
