"use strict";
/* Takes pictures and shows what `ask(picture)`, of another script, makes of them: width, height, looked_for_faces, found, and for each
   face its box (left, top, right, bottom; null for the whole picture), probabilities and what the model is unsure of. */
const byId = (id) => document.getElementById(id);
const CAMERA_EVERY = 400; // milliseconds between two looks at the camera
let stream = null;
let last = null; // the picture that was given; null while the camera runs

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function bars(face, number, several) {
  const section = make("section", undefined, "face");
  section.append(make("h2", several ? `Face ${number}: ${face.unsure}` : face.unsure));
  const ranked = Object.entries(face.probabilities).sort((a, b) => b[1] - a[1]);
  for (const [name, probability] of ranked) {
    const row = make("div", undefined, "bar");
    const bar = make("progress");
    bar.max = 1;
    bar.value = probability;
    bar.setAttribute("aria-label", name);
    row.append(make("span", name), bar, make("output", `${(100 * probability).toFixed(1)} %`));
    section.append(row);
  }
  return section;
}

function show(looked) {
  const several = looked.faces.length > 1;
  byId("said").textContent =
    looked.looked_for_faces && !looked.found ? "No face was found; the whole picture is taken for one." : "";
  byId("faces").replaceChildren(...looked.faces.map((face, i) => bars(face, i + 1, several)));
  byId("boxes").replaceChildren(
    ...looked.faces.filter((face) => face.box).map((face, i) => {
      const [left, top, right, bottom] = face.box;
      const box = make("div", undefined, "box");
      box.style.left = `${(100 * left) / looked.width}%`;
      box.style.top = `${(100 * top) / looked.height}%`;
      box.style.width = `${(100 * (right - left)) / looked.width}%`;
      box.style.height = `${(100 * (bottom - top)) / looked.height}%`;
      if (several) box.append(make("span", i + 1));
      return box;
    }),
  );
  document.body.dataset.state = "shown";
}

function complain(text) {
  byId("said").textContent = text;
  byId("faces").replaceChildren();
  byId("boxes").replaceChildren();
  document.body.dataset.state = "failed";
}

async function look(picture) {
  try {
    show(await ask(picture));
  } catch (error) {
    complain(error.message);
  }
}

function take(file) {
  if (!file) return;
  stopCamera();
  last = file;
  document.dispatchEvent(new Event("newpicture"));
  document.body.dataset.state = "looking";
  URL.revokeObjectURL(byId("picture").src);
  byId("picture").src = URL.createObjectURL(file);
  byId("picture").hidden = false;
  byId("shown").hidden = false;
  look(file);
}

function stopCamera() {
  if (stream) stream.getTracks().forEach((track) => track.stop());
  stream = null;
  byId("video").hidden = true;
  byId("camera").textContent = "use the camera";
}

async function watchCamera() {
  const video = byId("video");
  const canvas = document.createElement("canvas");
  while (stream) {
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    if (canvas.width) {
      canvas.getContext("2d").drawImage(video, 0, 0);
      const picture = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
      if (stream) await look(picture);
    }
    await new Promise((done) => setTimeout(done, CAMERA_EVERY));
  }
}

async function toggleCamera() {
  if (stream) return stopCamera();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640 } });
  } catch (error) {
    return complain(`The camera cannot be used: ${error.message}`);
  }
  last = null;
  document.dispatchEvent(new Event("newpicture"));
  byId("video").srcObject = stream;
  await byId("video").play();
  byId("picture").hidden = true;
  byId("video").hidden = false;
  byId("shown").hidden = false;
  byId("camera").textContent = "stop the camera";
  watchCamera();
}

const drop = byId("drop");
drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  take(event.dataTransfer.files[0]);
});
byId("file").addEventListener("change", (event) => take(event.target.files[0]));
byId("camera").addEventListener("click", toggleCamera);
document.addEventListener("paste", (event) => take(event.clipboardData.files[0]));
