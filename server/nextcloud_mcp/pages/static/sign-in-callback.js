// Hands Keycloak's answer to the page that waits for it, removes it from the address, and closes the window. The waiting
// page alone has the verifier that belongs to this code. This does not protect from other pages of the same origin: they
// can start a sign-in with a verifier of their own. So nothing else may be served at the host of these pages.

const channel = new BroadcastChannel(document.getElementById("callback").dataset.channel);
channel.postMessage(location.search);
channel.close();
history.replaceState(null, "", location.pathname);
window.close();
