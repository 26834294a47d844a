// Runs before the first paint: the chosen colours, and a mark that scripts run at all.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const chosen = localStorage.getItem("postroom-colours");
    if (chosen === "light" || chosen === "dark") root.dataset.bsTheme = chosen;
  } catch { /* storage may be shut; the system's colours then */ }
})();
