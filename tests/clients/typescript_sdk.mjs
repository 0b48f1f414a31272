// Signs in with the TypeScript SDK, lists the tools and calls one: typescript_sdk.mjs FOLDER URL TOOL
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, url, tool] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const sdk = (name) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${name}`)));
const { Client } = await sdk("client/index.js");
const { StreamableHTTPClientTransport } = await sdk("client/streamableHttp.js");
const { UnauthorizedError } = await sdk("client/auth.js");

let received;
const code = new Promise((resolve) => (received = resolve));
const listener = createServer((request, response) => {
  response.end("Signed in: close this page.");
  received(new URL(request.url, "http://localhost").searchParams.get("code"));
});
await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));

const kept = {};
const provider = {
  redirectUrl: `http://localhost:${listener.address().port}/callback`,
  get clientMetadata() {
    return { client_name: "TypeScript SDK", redirect_uris: [this.redirectUrl], token_endpoint_auth_method: "none" };
  },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => (kept.tokens = tokens),
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => (kept.verifier = verifier),
  redirectToAuthorization: (page) => execFile("xdg-open", [page.href]),
};

const client = new Client({ name: "typescript-sdk", version: "1" });
const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
const first = transport();
try {
  await client.connect(first);
} catch (error) {
  if (!(error instanceof UnauthorizedError)) throw error;
  await first.finishAuth(await code);
  await client.connect(transport());
}
await client.listTools();
console.log(JSON.stringify(await client.callTool({ name: tool, arguments: {} })));
await client.close();
listener.close();
