"use strict";
/* What page.js asks, of model.onnx in this browser. No picture leaves it. */
ort.env.wasm.numThreads = 1; // more need headers that few servers of files send
ort.env.wasm.wasmPaths = new URL("runtime/", location.href).href;

const ready = (async () => {
  const about = await (await fetch("model.json")).json();
  byId("model").textContent = about.name;
  const session = await ort.InferenceSession.create("model.onnx", { executionProviders: ["wasm"] });
  document.body.dataset.model = "ready";
  return { about, session };
})();
ready.catch((error) => complain(
  location.protocol === "file:"
    ? "A browser loads no model from a file: serve this folder, python -m http.server, and open the address that it says."
    : `The model cannot be loaded: ${error.message}`,
));

function unsure(probabilities, about) {
  const [[first, p], [second, q]] = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
  if (p >= about.sure) return `sure: ${first}`;
  return p - q < about.close ? `unsure between ${first} and ${second}` : `probably ${first}`;
}

async function ask(picture) {
  const { about, session } = await ready;
  const grey = await readGrey(picture);
  const square = squareIn(grey.width, grey.height);
  const face = faceOf(square ? cut(grey, square) : grey);
  const given = { [about.input]: new ort.Tensor("uint8", face, [1, SIDE, SIDE, 1]) };
  const said = (await session.run(given))[about.output].data;
  const probabilities = Object.fromEntries(about.class_names.map((name, i) => [name, said[i]]));
  return {
    width: grey.width,
    height: grey.height,
    looked_for_faces: false,
    found: 0,
    faces: [{ box: null, probabilities, unsure: unsure(probabilities, about) }],
  };
}
