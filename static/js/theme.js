/** Light, dark or as the system has it. base.html reads the same key before the first paint. */

const KEY = "grokweb.theme";

export function currentTheme() {
  try {
    return localStorage.getItem(KEY) ?? "system";
  } catch {
    return "system"; // storage is switched off
  }
}

export function show(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

export function wireTheme(box) {
  const check = () => { for (const input of box.querySelectorAll("input")) input.checked = input.value === currentTheme(); };
  check();
  box.addEventListener("change", (event) => {
    show(event.target.value);
    try {
      if (event.target.value === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, event.target.value);
    } catch { /* it holds for this page, then */ }
  });
  addEventListener("storage", (event) => { // another tab
    if (event.key !== KEY) return;
    show(event.newValue);
    check();
  });
}
