// The page: what people do, what the server says, and where it is shown.
import { Camera } from "./camera.js";
import { Sound, Stream } from "./draw.js";
import { Enrolment } from "./enrolment.js";
import { Flow } from "./flow.js";
import { Link, Refused, ask, setToken } from "./link.js";
import { Microphone } from "./microphone.js";
import * as view from "./view.js";

const $ = (id) => document.getElementById(id);
const sound = new Sound($("sound"));
const camera = new Camera($("video"), (bytes) => link.send(bytes));
const microphone = new Microphone((bytes) => flow.send(bytes));
const heard = new view.Heard((answer, title) => show(answer, title));
const link = new Link({ onMessage: said, onColumns: columns, onClose: gone });
const flow = new Flow(link, follow);
const LISTENING = "Listening. Say something.";
let model, bars, stream, enrolment;
let speaking = false;
let session = "";

// The door -----------------------------------------------------------------------------------------------------------

async function enter() {
  try {
    model = await ask("/api/about");
  } catch (error) {
    if (error.status === 401) {
      if (!$("door").hidden) view.trouble("That token is wrong.");
      $("door").hidden = false;
      $("token").focus();
    } else view.trouble(error.message);
    return;
  }
  view.fine();
  $("door").hidden = true;
  $("microphone").hidden = model.hears === false;
  if (model.hears === false) $("word").textContent = "Look into the camera";
  bars = new view.Bars(model.emotions);
  stream = new Stream($("stream"), model.emotions);
  view.about(model);
  $("enrolment").hidden = !model.enrolled;
  if (model.enrolled) enrolment = new Enrolment({ begin: beginEnrolment, finish: () => link.wish({ do: "enrolled" }), forget: () => link.wish({ do: "forget" }) });
  for (const id of ["microphone", "camera", "choose"]) $(id).disabled = false;
  view.state("Nothing is listening.");
  document.documentElement.dataset.ready = "yes";
}

$("door").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken($("token").value);
  enter();
});
$("alert-close").addEventListener("click", view.fine);

/** The picture over time, and what it shows; a single guess has no course. */
function over(caption, shown) {
  $("stream-caption").textContent = caption;
  $("stream-figure").hidden = !shown;
}

// The guess ----------------------------------------------------------------------------------------------------------

function show(answer, kind) {
  bars.show(answer.calibrated);
  view.verdict(kind, answer);
}

function said(message) {
  if (message.say === "voice") {
    speaking = message.speaking;
    if (microphone.on) view.state(speaking ? "Hearing a voice …" : LISTENING, speaking ? "speaking" : "listening");
  } else if (message.say === "hello") session = message.session;
  else if (message.say === "listening") flow.listening();
  else if (message.say === "answer") answered(message);
  else if (message.say === "face") faces(message);
  else if (message.say === "error") view.trouble(message.message);
  else if (message.say === "enrolment") {
    const text = enrolment.told(message);
    if (text) {
      view.state(text, microphone.on ? "listening" : "");
      view.announce(text);
    }
  }
}

function answered(answer) {
  if (flow.busy && !["final", "seen"].includes(answer.kind)) return; // a guess at what is past by now
  if (answer.kind === "final") {
    show(answer, "The last utterance");
    heard.add(answer, "An utterance", view.seconds(answer.start, answer.stop));
    view.announce(view.sentence(answer));
  } else if (answer.kind === "seen") {
    show(answer, "What the camera showed");
    heard.add(answer, "What the camera showed", "camera");
    view.announce(view.sentence(answer));
  } else show(answer, answer.kind === "look" ? "What the camera shows" : "While you speak");
  if (answer.likeliest) stream.add(answer.calibrated);
  document.documentElement.dataset.answers = Number(document.documentElement.dataset.answers ?? 0) + 1;
}

// The microphone -----------------------------------------------------------------------------------------------------

const insecure = () => !window.isSecureContext || !navigator.mediaDevices;
const INSECURE = "A browser gives microphone and camera only to pages on this computer or over https. Dropping a file works; for the rest, reach this page through: ssh -L 8000:localhost:8000 …";

function why(error, device) {
  if (error instanceof Refused) return error.message;
  if (error.name === "NotAllowedError") return `The browser was told not to give the ${device}. Allow it beside the address, then try again.`;
  if (error.name === "NotFoundError") return `There is no ${device} here. Dropping a file works without one.`;
  if (error.name === "NotReadableError") return `Another program holds the ${device}. Close it there, then try again.`;
  return `The ${device} cannot be used: ${error.message}`;
}

async function listen() {
  if (insecure()) {
    view.trouble(INSECURE);
    return false;
  }
  $("microphone").disabled = true;
  try {
    const rate = await microphone.start();
    await link.connect();
    flow.start(rate);
    $("hint").hidden = true;
    sound.clear();
    stream.clear();
    over("The last 30 seconds.", true);
    speaking = false;
    microphone.flow();
    pressed("microphone", true, "Stop");
    view.fine();
    view.state(LISTENING, "listening");
    $("sound-caption").textContent = "Waveform and log-mel spectrogram of the last 6 seconds; the line between them marks speech.";
    return true;
  } catch (error) {
    microphone.stop();
    view.trouble(why(error, "microphone"));
    return false;
  } finally {
    $("microphone").disabled = false;
  }
}

function columns(bytes) {
  flow.heard(bytes);
  if (microphone.on) sound.add(bytes, speaking);
}

function follow(busy) {
  speaking = false;
  if (microphone.on) view.state(busy ? "Too busy to follow: what you say now is left out." : LISTENING, busy ? "busy" : "listening");
}

function hush() {
  microphone.stop();
  link.wish({ do: "stop" });
  pressed("microphone", false, "Speak");
  speaking = false;
  view.state("Nothing is listening.");
  sound.draw();
  rest();
}

function pressed(id, on, text) {
  $(id).setAttribute("aria-pressed", String(on));
  $(id).querySelector("span").textContent = text;
}

/** The line is hung up a little after the last device is off, so that a last answer still comes. */
function rest() {
  setTimeout(() => !microphone.on && !camera.on && !model.enrolled && link.close(), 3000);
}

function gone(reason) {
  if (microphone.on) hush();
  if (camera.on) blink();
  view.trouble(reason.endsWith(".") ? reason : `${reason}.`);
}

async function beginEnrolment() {
  if (!microphone.on && !(await listen())) return false;
  link.wish({ do: "enrol" });
  return true;
}

$("microphone").addEventListener("click", () => (microphone.on ? hush() : listen()));

// The camera ---------------------------------------------------------------------------------------------------------

async function look() {
  if (insecure()) {
    view.trouble(INSECURE);
    return;
  }
  $("camera").disabled = true;
  try {
    $("face").hidden = false;
    $("face-caption").textContent = "Looking for a face.";
    await camera.start();
    await link.connect();
    pressed("camera", true, "Look away");
    view.fine();
  } catch (error) {
    blink();
    view.trouble(why(error, "camera"));
  } finally {
    $("camera").disabled = false;
  }
}

function blink() {
  if (camera.on) link.wish({ do: "look away" });
  camera.stop();
  pressed("camera", false, "Look");
  $("face").hidden = true;
  $("boxes").replaceChildren();
  rest();
}

function faces({ boxes }) {
  camera.seen();
  if (!camera.on) return;
  while ($("boxes").children.length < boxes.length) $("boxes").append(view.element("div", { className: "box" }));
  [...$("boxes").children].forEach((box, number) => {
    box.hidden = number >= boxes.length;
    if (box.hidden) return;
    const [x, y, width, height] = boxes[number];
    Object.assign(box.style, { left: `${100 * x}%`, top: `${100 * y}%`, width: `${100 * width}%`, height: `${100 * height}%` });
  });
  const found = boxes.length === 1 ? "One face." : boxes.length ? `${boxes.length} faces.` : "No face.";
  $("face-caption").textContent = `${found} ${model.picture ?? ""}`;
}

$("camera").addEventListener("click", () => (camera.on ? blink() : look()));

// Files --------------------------------------------------------------------------------------------------------------

async function judge(file) {
  if (!model) return;
  if (microphone.on) hush();
  view.fine();
  view.state(`Reading ${file.name} …`, "busy");
  $("choose").disabled = true;
  try {
    if (file.size > model.upload_bytes) throw new Refused(413, `${file.name} is larger than ${Math.floor(model.upload_bytes / 2 ** 20)} MB; cut it first, a few seconds are enough.`);
    const told = await ask("/api/file", { method: "POST", body: file, headers: session && { "X-Session": session } });
    if (told.refused) throw new Refused(200, told.refused);
    $("hint").hidden = true;
    sound.whole(Uint8Array.from(atob(told.columns), (letter) => letter.charCodeAt(0)));
    $("sound-caption").textContent = `Waveform and log-mel spectrogram of ${file.name}, ${told.seconds.toFixed(1)} s.`;
    for (const answer of told.answers) heard.add(answer, file.name, told.answers.length > 1 ? view.span(answer.start, answer.end) : view.seconds(answer.start, answer.end));
    show(told.answers.at(-1), file.name);
    over(`Over the ${told.seconds.toFixed(0)} seconds of the file.`, told.answers.length > 1);
    stream.whole(told.answers, told.seconds);
    view.announce(`${file.name}. ${view.sentence(told.answers.at(-1))}`);
    view.state(`${file.name} was judged.`);
    document.documentElement.dataset.file = file.name;
  } catch (error) {
    view.state(`${file.name} was not judged.`);
    view.trouble(error instanceof Refused ? `${file.name}: ${error.message}` : `${file.name} cannot be shown: ${error.message}`);
  } finally {
    $("choose").disabled = false;
    $("file").value = "";
  }
}

$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => $("file").files.length && judge($("file").files[0]));
const carriesFile = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragover", (event) => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  $("drop").classList.add("over");
});
addEventListener("dragleave", (event) => event.relatedTarget || $("drop").classList.remove("over"));
addEventListener("drop", (event) => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  $("drop").classList.remove("over");
  if (event.dataTransfer.files.length) judge(event.dataTransfer.files[0]);
});

for (const id of ["microphone", "camera", "choose"]) $(id).disabled = true;
enter();
