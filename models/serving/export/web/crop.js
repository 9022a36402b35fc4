"use strict";
/* A square around the face: drawn with a mouse, with a finger once "mark the face" is pressed, or moved by the keyboard. */
const LEAST = 0.05; // of the shorter side
const STEP = 0.02;
let square = null; // left, top and side, in units of the shown picture's width
let begun = null;

const frame = byId("frame");
const marker = make("div");
marker.id = "square";
marker.tabIndex = 0;
marker.setAttribute("role", "img");
marker.setAttribute("aria-label", "Square around the face");

function ratio() {
  return frame.clientHeight / frame.clientWidth;
}

/** Return the square in pixels of a picture of this size, or null. */
function squareIn(width, height) {
  if (!square) return null;
  const side = Math.max(1, Math.min(Math.round(square.side * width), width, height));
  const within = (place, most) => Math.max(0, Math.min(Math.round(place * width), most - side));
  return { left: within(square.left, width), top: within(square.top, height), side };
}

function place(left, top, side) {
  const tall = ratio();
  side = Math.max(LEAST * Math.min(1, tall), Math.min(side, 1, tall));
  square = { left: Math.max(0, Math.min(left, 1 - side)), top: Math.max(0, Math.min(top, tall - side)), side };
  marker.style.left = `${100 * square.left}%`;
  marker.style.top = `${(100 * square.top) / tall}%`;
  marker.style.width = `${100 * side}%`;
  marker.style.height = `${(100 * side) / tall}%`;
  if (!marker.isConnected) frame.append(marker);
}

function remove() {
  square = null;
  marker.remove();
  setMarking(false);
}

function setMarking(on) {
  frame.classList.toggle("marking", on);
  byId("mark").setAttribute("aria-pressed", String(on));
}

function lookAgain() {
  if (last) look(last); // the camera is looked at by itself
}

function at(event) {
  const { left, top, width } = frame.getBoundingClientRect();
  return [(event.clientX - left) / width, (event.clientY - top) / width];
}

frame.addEventListener("pointerdown", (event) => {
  const draws = event.pointerType === "mouse" ? event.button === 0 : frame.classList.contains("marking");
  if (!draws) return;
  event.preventDefault();
  begun = at(event);
  frame.setPointerCapture(event.pointerId);
});
frame.addEventListener("pointermove", (event) => {
  if (!begun) return;
  const [x, y] = at(event);
  const side = Math.max(Math.abs(x - begun[0]), Math.abs(y - begun[1]));
  if (side < LEAST / 2) return;
  place(x < begun[0] ? begun[0] - side : begun[0], y < begun[1] ? begun[1] - side : begun[1], side);
});
function end() {
  if (!begun) return;
  begun = null;
  lookAgain();
}
frame.addEventListener("pointerup", end);
frame.addEventListener("pointercancel", end);

marker.addEventListener("keydown", (event) => {
  const { left, top, side } = square;
  const moves = {
    ArrowLeft: [left - STEP, top, side], ArrowRight: [left + STEP, top, side],
    ArrowUp: [left, top - STEP, side], ArrowDown: [left, top + STEP, side],
    "+": [left - STEP / 2, top - STEP / 2, side + STEP], "-": [left + STEP / 2, top + STEP / 2, side - STEP],
  };
  if (event.key === "Escape") {
    remove();
    byId("mark").focus();
  } else if (event.key in moves) place(...moves[event.key]);
  else return;
  event.preventDefault();
  lookAgain();
});

byId("mark").addEventListener("click", () => {
  if (frame.classList.contains("marking")) {
    remove();
    return lookAgain();
  }
  setMarking(true);
  if (!square) {
    const side = 0.6 * Math.min(1, ratio());
    place((1 - side) / 2, (ratio() - side) / 2, side);
  }
  marker.focus();
  lookAgain();
});

document.addEventListener("newpicture", () => {
  remove();
  byId("mark").disabled = false;
});
