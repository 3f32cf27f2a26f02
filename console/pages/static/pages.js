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

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow]");
    if (!link || !framed || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const there = outer.document.createElement("a");
    there.href = link.href;
    there.click();
  });
})();
