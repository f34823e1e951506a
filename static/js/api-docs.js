// Shows the OpenAPI document: Swagger UI in #explorer, Redoc in #reference.
"use strict";

const explorer = document.getElementById("explorer");
if (explorer) {
  SwaggerUIBundle({
    url: explorer.dataset.document,
    domNode: explorer,
    deepLinking: true,
    persistAuthorization: false,
    validatorUrl: null,
    requestInterceptor: (request) => {
      // A caller who is signed in by session proves that the request comes from this page.
      if (request.method && request.method !== "GET") {
        request.headers["X-CSRFToken"] = explorer.dataset.csrf;
      }
      return request;
    },
  });
}

const reference = document.getElementById("reference");
if (reference) {
  Redoc.init(reference.dataset.document, { disableSearch: false, hideDownloadButtons: false }, reference);
}
