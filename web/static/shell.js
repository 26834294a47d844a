// What the shell needs beyond HTML: colours, time zone, CSRF for partial updates, dialogs in older browsers.
const root = document.documentElement;

function showColours() {
  const chosen = root.dataset.bsTheme ?? "auto";
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen));
  }
}

function chooseColours(choice) {
  if (choice === "auto") delete root.dataset.bsTheme;
  else root.dataset.bsTheme = choice;
  try {
    localStorage.setItem("postroom-colours", choice);
  } catch { /* lasts for this page then */ }
  showColours();
}

// The server writes times in the reader's zone; the first page of all is in UTC.
function tellZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;
}

// command/commandfor for browsers that do not know them yet.
function runCommand(button) {
  const dialog = document.getElementById(button.getAttribute("commandfor"));
  if (!dialog) return;
  if (button.getAttribute("command") === "show-modal") dialog.showModal();
  else dialog.close();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.themeChoice) chooseColours(button.dataset.themeChoice);
  if (button?.hasAttribute("commandfor") && !("command" in HTMLButtonElement.prototype)) runCommand(button);
  if (event.target instanceof HTMLDialogElement && event.target.classList.contains("ask")) event.target.close();
  for (const menu of document.querySelectorAll("details.menu[open], details.person[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open], details.person[open]")) {
    menu.open = false;
    menu.querySelector("summary")?.focus();
  }
});

// A form is sent once; a second press while it is on its way does nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  else form.dataset.sent = "1";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

document.addEventListener("htmx:config:request", (event) => {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  const { request } = event.detail.ctx;
  if (token && request.method !== "GET") request.headers["X-CSRFToken"] = token;
});

tellZone();
showColours();
document.querySelector("[data-focus]")?.focus();
