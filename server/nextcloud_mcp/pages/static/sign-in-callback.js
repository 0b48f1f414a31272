// Hands Keycloak's answer to the page that waits for it, removes it from the address, and closes the window. The answer
// is useless to every other page: the waiting one alone has the state and the verifier that belong to the code.

const channel = new BroadcastChannel(document.getElementById("callback").dataset.channel);
channel.postMessage(location.search);
channel.close();
history.replaceState(null, "", location.pathname);
window.close();
