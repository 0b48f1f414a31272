// Keycloak gives the consent page's template no user. This remembers the name that was typed on the login page, for this
// sign-in session alone, and shows it. Without it, as after a sign-in elsewhere, the page says "signed in".
document.addEventListener("DOMContentLoaded", () => {
  const key = "signed-in-as";
  const session = document.getElementById("auth-session")?.dataset.hash;
  const login = document.getElementById("kc-form-login");
  const shown = document.getElementById("signed-in-as");
  const known = JSON.parse(localStorage.getItem(key) ?? "{}");
  if (session && (login || known.session !== session)) {
    localStorage.removeItem(key);
  }
  login?.addEventListener("submit", () => {
    const name = (login.elements.username ?? document.getElementById("kc-attempted-username"))?.value;
    if (session && name) {
      localStorage.setItem(key, JSON.stringify({ session, name }));
    }
  });
  if (shown && session && known.session === session) {
    shown.textContent = known.name;
  }
});
