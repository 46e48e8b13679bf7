"use strict";
// Apart from the page: its policy allows no script within it. Nothing is sent to a validator elsewhere.
SwaggerUIBundle({
  dom_id: "#page",
  url: "openapi.json",
  validatorUrl: null,
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  filter: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  syntaxHighlight: { activated: true },
});
