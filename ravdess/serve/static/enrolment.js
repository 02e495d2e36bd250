// The guided minute: eight sentences in eight ways. The ways are only there so that a voice shows its range; which was
// asked for is not sent, and nothing of it is kept beyond the connection.
const $ = (id) => document.getElementById(id);
const EACH = 7.5;
const SENTENCES = ["Kids are talking by the door.", "Dogs are sitting by the door."];
const WAYS = [
  "As you would say it to anyone:",
  "Quietly, at ease:",
  "As if it were wonderful news:",
  "As if it made you sad:",
  "As if it made you angry:",
  "As if you were afraid of it:",
  "As if it were disgusting:",
  "As if you could hardly believe it:",
];

export class Enrolment {
  constructor({ begin, finish, forget }) {
    Object.assign(this, { begin, finish, forget });
    $("enrol").addEventListener("click", () => (this.timer ? this.stop() : this.start()));
    $("enrol-next").addEventListener("click", () => this.next());
    $("forget").addEventListener("click", () => this.forget());
  }

  async start() {
    if (!(await this.begin())) return;
    this.at = -1;
    $("guide").hidden = $("enrol-next").hidden = false;
    $("enrol").textContent = "Stop";
    $("forget").hidden = true;
    this.timer = setInterval(() => this.tick(), 250);
    this.next();
  }

  next() {
    this.at += 1;
    if (this.at >= WAYS.length) {
      this.stop();
      return;
    }
    this.since = performance.now();
    $("prompt-how").textContent = WAYS[this.at];
    $("prompt-what").textContent = SENTENCES[this.at % SENTENCES.length];
    this.tick();
  }

  tick() {
    const passed = (performance.now() - this.since) / 1000;
    $("guide-progress").value = EACH * this.at + Math.min(passed, EACH);
    if (passed >= EACH) this.next();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    $("guide").hidden = $("enrol-next").hidden = true;
    $("enrol").textContent = "Begin the minute";
    this.finish();
  }

  /** What the server says of it; the sentence for people. */
  told({ state, utterances, seconds }) {
    if (state === "listening") $("guide-state").textContent = utterances ? `${utterances} utterances, ${seconds} s` : "Say it once or twice, then wait for the next.";
    $("forget").hidden = state !== "ready";
    if (state === "ready") $("enrol").textContent = "Begin again";
    if (state === "ready") return `Your voice is known for this session, from ${utterances} utterances.`;
    if (state === "forgotten") return "Your voice is forgotten.";
    return "";
  }
}
