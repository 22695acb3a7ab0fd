"use strict";
const told = document.querySelector("#told");
for (const button of document.querySelectorAll("[data-post]")) {
  button.addEventListener("click", async () => {
    const answer = await fetch(button.dataset.post, { method: "POST" });
    told.textContent = answer.ok ? `Told the service: ${button.textContent}.` : "The service did not take it.";
  });
}
document.addEventListener("chimeway:item", (chosen) => {
  document.querySelector("#chosen").textContent = `You chose “${chosen.detail.title}”.`;
});
