// Follows Airflow's light or dark look, and opens Airflow's own pages in Airflow's window: the frame may not navigate it.
(() => {
  "use strict";
  const outer = window.parent;
  const framed = outer !== window;
  const root = document.documentElement;

  const follow = () => {
    root.dataset.theme = outer.document.documentElement.classList.contains("dark") ? "dark" : "light";
  };
  if (framed) {
    follow();
    new MutationObserver(follow).observe(outer.document.documentElement, { attributeFilter: ["class"] });
  }

  // What takes seconds says so where it was asked for, and is asked for once.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-slow]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.getAttribute("aria-busy")) event.preventDefault();
    link.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("a[aria-busy]").forEach((link) => link.removeAttribute("aria-busy"));
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow]");
    if (!link || !framed || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const there = outer.document.createElement("a");
    there.href = link.href;
    there.click();
  });
})();
