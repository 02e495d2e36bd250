// What stands on the page: the guess, what was heard, trouble, and what is known of the model.
const $ = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(100 * share)} %`;
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const HEARD = 40;

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export function state(text, is = "") {
  $("state-text").textContent = text;
  $("state").dataset.is = is;
}

export function trouble(text) {
  $("alert").hidden = false;
  $("alert-text").textContent = text;
}

export function fine() {
  $("alert").hidden = true;
  $("alert-text").textContent = "";
}

export function announce(text) {
  $("announce").textContent = text;
}

export class Bars {
  constructor(emotions) {
    this.rows = new Map();
    for (const emotion of emotions) {
      const fill = element("div", { className: "fill" });
      fill.style.backgroundColor = `var(--${emotion})`;
      const share = element("span", { className: "percent", textContent: "–" });
      const row = element("li", {}, element("span", { className: "name", textContent: emotion }), element("div", { className: "track" }, fill), share);
      this.rows.set(emotion, { row, fill, share });
      $("bars").append(row);
    }
  }

  show(probabilities) {
    const most = Math.max(...Object.values(probabilities));
    for (const [emotion, { row, fill, share }] of this.rows) {
      const value = probabilities[emotion]; // undefined where the model was not asked
      fill.style.transform = `translateX(${100 * ((value ?? 0) - 1)}%)`;
      share.textContent = value === undefined ? "–" : percent(value);
      row.classList.toggle("first", value === most);
    }
  }
}

/** What is added to the emotion, or to "not sure". */
function detail({ emotion, likeliest, confidence }) {
  if (!likeliest) return "";
  return emotion === likeliest ? `probability ${percent(confidence)}` : `likeliest ${likeliest}, ${percent(confidence)}`;
}

export function verdict(kind, answer) {
  const { emotion, likeliest, remarks } = answer;
  const both = answer.by?.length === 2;
  $("kind").textContent = both ? `${kind}, by voice and face` : kind;
  $("word").textContent = emotion;
  $("word").classList.toggle("none", emotion !== likeliest);
  $("share").textContent = detail(answer);
  $("remarks").hidden = !remarks.length;
  $("remarks").replaceChildren(...remarks.map((remark) => element("li", { textContent: remark })));
}

/** A sentence for those who hear the page. */
export function sentence(answer) {
  return [`Guess: ${[answer.emotion, detail(answer)].filter(Boolean).join(", ")}.`, ...answer.remarks].join(" ");
}

export class Heard {
  constructor(onChosen) {
    this.onChosen = onChosen;
  }

  add(answer, title, detail) {
    const dot = element("span", { className: "dot" });
    const sure = answer.emotion === answer.likeliest;
    dot.style.backgroundColor = sure ? `var(--${answer.emotion})` : "var(--edge)";
    const word = sure ? `${answer.emotion}, ${percent(answer.confidence)}` : answer.emotion;
    const button = element("button", { type: "button" }, dot, element("span", { textContent: word }), element("span", { className: "when", textContent: detail }));
    button.title = title;
    button.addEventListener("click", () => {
      this.choose(button);
      this.onChosen(answer, title);
    });
    $("heard").prepend(element("li", {}, button));
    while ($("heard").children.length > HEARD) $("heard").lastChild.remove();
    $("heard-none").hidden = true;
    this.choose(button);
  }

  choose(button) {
    for (const one of $("heard").querySelectorAll("[aria-current]")) one.removeAttribute("aria-current");
    button?.setAttribute("aria-current", "true");
  }
}

export const span = (start, stop) => `${clock(start)} – ${clock(stop)}`;
export const seconds = (start, stop) => `${(stop - start).toFixed(1)} s`;

export function about(told) {
  $("about-trained").textContent = told.trained;
  $("about-limits").textContent = told.limits;
  $("about-licence").textContent = told.licence;
  $("about-facts").replaceChildren(
    ...told.facts.flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })]),
  );
}
