/* What an app's page does better with a script: after htmx has put in a result or errors, the focus and a spoken word
   go there, a form can't be sent twice, and going back shows what was there. Everything works without it. */
(() => {
  "use strict";

  const settle = (root) => {
    const target = root.querySelector("[data-focus]");
    if (!target) return;
    target.focus({ preventScroll: true });
    const box = target.getBoundingClientRect();
    if (box.top < 0 || box.top > window.innerHeight * 0.6) {
      target.scrollIntoView({ block: "start" });
    }
    const spoken = document.getElementById("spoken");
    if (spoken) spoken.textContent = target.dataset.spoken || "";
  };

  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.requestConfig && event.detail.requestConfig.verb === "post") settle(document);
  });

  /* Errors come as 422, refusals as 4xx: their pages belong into the document as well. */
  document.addEventListener("htmx:beforeSwap", (event) => {
    const type = event.detail.xhr.getResponseHeader("Content-Type") || "";
    if (type.startsWith("text/html")) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });

  const offline = (event) => {
    const form = event.target.closest ? event.target.closest("form") : null;
    const place = form && form.querySelector("[data-offline]");
    if (place) place.hidden = false;
  };
  document.addEventListener("htmx:sendError", offline);
  document.addEventListener("htmx:timeout", offline);
  document.addEventListener("htmx:beforeRequest", (event) => {
    const place = event.target.querySelector && event.target.querySelector("[data-offline]");
    if (place) place.hidden = true;
  });

  document.addEventListener("input", (event) => {
    if (event.target.type === "range") {
      const output = event.target.parentElement.querySelector("output");
      if (output) output.textContent = event.target.value;
    }
  });

  /* A page that comes back from the browser's memory must not come back with its button still waiting. */
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("button[disabled]").forEach((button) => (button.disabled = false));
  });
})();
