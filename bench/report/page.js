// SPDX-License-Identifier: Apache-2.0
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  // Storage may be refused, for a file opened from a disk for instance; then the choice is not kept.
  const stored = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("particle-theme");
      localStorage.setItem("particle-theme", value);
    } catch (refused) { /* as above */ }
    return null;
  };
  const chosen = stored() || new URLSearchParams(location.search).get("theme");
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  button.hidden = false;
  button.addEventListener("click", () => {
    const now = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    stored(root.dataset.theme);
  });
  // Resting on a line fades the others.
  for (const chart of document.querySelectorAll(".chart")) {
    for (const curve of chart.querySelectorAll(".curve")) {
      curve.addEventListener("pointerenter", () => {
        chart.classList.add("faded");
        curve.classList.add("chosen");
      });
      curve.addEventListener("pointerleave", () => {
        chart.classList.remove("faded");
        curve.classList.remove("chosen");
      });
    }
  }
})();
