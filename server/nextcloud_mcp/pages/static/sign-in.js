// Signs a person in as a public client: authorization code (RFC 6749 section 4.1) with PKCE (RFC 7636), in a second
// window. The verifier, the state and the token stay in variables of this page: no storage, no cookie, no address ever
// has one of them, and a reload forgets all.

export class SignInError extends Error {
  /** @param {string} code "blocked", "cancelled" or "failed"; @param {string} reason for people */
  constructor(code, reason = "") {
    super(reason || code);
    this.code = code;
    this.reason = reason;
  }
}

const encode = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const random = () => encode(crypto.getRandomValues(new Uint8Array(32)));

/** Sends no cookie, follows no redirect, and keeps no response: a token goes to the named address alone. */
export const request = (url, options = {}) =>
  fetch(url, { credentials: "omit", redirect: "error", cache: "no-store", referrerPolicy: "no-referrer", ...options });

/** Returns the issuer's metadata (RFC 8414 section 3). */
export async function discover(issuer) {
  const metadata = await (await request(`${issuer}/.well-known/openid-configuration`)).json();
  if (metadata.issuer !== issuer) throw new SignInError("failed", "issuer");
  return metadata;
}

let abandon = null;

/** Opens a second window, and returns the query with which it comes back to the callback page. */
async function inSecondWindow(url, channelName) {
  abandon?.abort();
  const attempt = new AbortController();
  abandon = attempt;
  const channel = new BroadcastChannel(channelName);
  try {
    const answer = new Promise((resolve, reject) => {
      channel.onmessage = ({ data }) => {
        const query = new URLSearchParams(String(data));
        if (query.get("state") === url.searchParams.get("state")) resolve(query); // else it is for another page
      };
      attempt.signal.onabort = () => reject(new SignInError("superseded"));
    });
    answer.catch(() => {}); // reported by the await below
    if (window.open(url, "", "popup,width=560,height=760") === null) throw new SignInError("blocked");
    return await answer;
  } finally {
    channel.close();
  }
}

/** Returns an access token for the scopes; the person signs in and consents at Keycloak. */
export async function signIn({ metadata, clientId, callback, scope }) {
  const verifier = random();
  const challenge = encode(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  const url = new URL(metadata.authorization_endpoint);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: callback,
    ...(scope ? { scope } : {}),
    state: random(),
    code_challenge: challenge,
    code_challenge_method: "S256",
    ui_locales: document.documentElement.lang,
  });
  const query = await inSecondWindow(url, clientId);
  if (query.get("error") === "access_denied") throw new SignInError("cancelled");
  if (query.has("error")) throw new SignInError("failed", query.get("error_description") || query.get("error"));
  if (query.get("iss") !== metadata.issuer) throw new SignInError("failed", "iss"); // RFC 9207 section 2.4
  const response = await request(metadata.token_endpoint, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      client_id: clientId,
      redirect_uri: callback,
      code: query.get("code"),
      code_verifier: verifier,
    }),
  });
  const answer = await response.json();
  if (!response.ok) throw new SignInError("failed", answer.error_description || answer.error);
  return answer.access_token;
}

/** Ends the person's session, after Keycloak has asked for it (OpenID Connect RP-Initiated Logout 1.0). */
export async function signOut({ metadata, clientId, callback }) {
  const url = new URL(metadata.end_session_endpoint);
  url.search = new URLSearchParams({
    client_id: clientId,
    post_logout_redirect_uri: callback,
    state: random(),
    ui_locales: document.documentElement.lang,
  });
  await inSecondWindow(url, clientId);
}
