// Not a module: it runs before the page is drawn, so that a chosen theme does not flash in.
"use strict";

const THEMES = ["auto", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // A browser that keeps nothing for this page shows the theme for as long as the page is open.
  }
  const button = document.getElementById("theme");
  if (button) button.textContent = `Theme: ${theme}`;
  document.dispatchEvent(new Event("themechange"));
}

function storedTheme() {
  try {
    const theme = localStorage.getItem("theme");
    return THEMES.includes(theme) ? theme : "auto";
  } catch {
    return "auto";
  }
}

setTheme(storedTheme());
document.addEventListener("DOMContentLoaded", () => {
  setTheme(storedTheme());
  document.getElementById("theme").addEventListener("click", () => {
    const now = document.documentElement.dataset.theme;
    setTheme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
  });
});
