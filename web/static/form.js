// A sign-up form's proof of work, by ALTCHA's own widget. Without it the form leads to a second page.
const place = document.querySelector(".puzzle[data-puzzle]");

async function prepare() {
  const { puzzle, widget, worker, german, language } = place.dataset;
  await import(widget);
  globalThis.$altcha.algorithms.set("PBKDF2/SHA-256", () => new Worker(worker, { type: "module" }));
  if (language === "de") await import(german);
  const element = document.createElement("altcha-widget");
  const quiet = { hideFooter: true, hideLogo: true, humanInteractionSignature: false };
  const given = { challenge: puzzle, auto: "onload", name: "altcha", language, configuration: JSON.stringify(quiet) };
  for (const [name, value] of Object.entries(given)) element.setAttribute(name, value);
  element.addEventListener("statechange", (event) => {
    if (event.detail?.state === "error") element.remove(); // the form goes on without, by its second page
  });
  place.append(element);
}

// browsers compute it only where nobody between can listen
if (place && globalThis.isSecureContext) prepare().catch(() => place.replaceChildren());
