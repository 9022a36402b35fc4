"use strict";
/* What page.js asks, of the server on this machine. */
async function ask(picture) {
  let response;
  try {
    response = await fetch("look", { method: "POST", body: picture });
  } catch {
    throw new Error("The server on this machine does not answer any more.");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

fetch("model").then((response) => response.json()).then((model) => { byId("model").textContent = model.name; });
