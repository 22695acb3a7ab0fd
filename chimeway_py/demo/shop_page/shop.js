"use strict";
document.querySelector("#mention").addEventListener("click", () => fetch("/mention", { method: "POST" }));
document.addEventListener("chimeway:item", (chosen) => {
  document.querySelector("#chosen").textContent = `You chose “${chosen.detail.title}”.`;
});
