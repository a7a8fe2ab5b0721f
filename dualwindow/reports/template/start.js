// Before anything is painted: the theme that was chosen here last time, or the system's.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("dualwindow-theme"); } catch { /* a file may have no storage */ }
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const show = () => { document.documentElement.dataset.theme = chosen ?? (dark.matches ? "dark" : "light"); };
  dark.addEventListener("change", () => { show(); document.dispatchEvent(new Event("theme")); });
  window.chooseTheme = () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("dualwindow-theme", chosen); } catch { /* then until it is closed */ }
    show();
    document.dispatchEvent(new Event("theme"));
  };
  show();
})();
