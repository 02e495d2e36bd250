// Two drawings: what is heard (waveform and log-mel), and what is guessed of it over time.
export const BANDS = 40;
export const COLUMN = BANDS + 2;
export const COLUMN_SECONDS = 512 / 22050;
const SHOWN = Math.round(6 / COLUMN_SECONDS);
const STREAM_SECONDS = 30;

export const still = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function fit(canvas) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((size) => Math.round(size * ratio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return { width, height, ratio, pen: canvas.getContext("2d") };
}

function rgb(colour) {
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  return pen.getImageData(0, 0, 1, 1).data;
}

/** 256 colours through four of the theme's. */
function ramp() {
  const stops = [0, 1, 2, 3].map((at) => rgb(css(`--mel-${at}`)));
  const made = new Uint8ClampedArray(256 * 4);
  for (let value = 0; value < 256; value++) {
    const place = (value / 255) * 3;
    const [low, high] = [stops[Math.floor(place)], stops[Math.min(3, Math.floor(place) + 1)]];
    for (let part = 0; part < 3; part++) made[4 * value + part] = low[part] + (high[part] - low[part]) * (place % 1);
    made[4 * value + 3] = 255;
  }
  return made;
}

export class Sound {
  constructor(canvas) {
    this.canvas = canvas;
    this.clear();
    dark.addEventListener("change", () => this.repaint());
    new ResizeObserver(() => this.draw()).observe(canvas);
    const turn = () => {
      if (this.live && (this.moved || this.shown < this.count) && !still.matches) this.draw();
      requestAnimationFrame(turn);
    };
    requestAnimationFrame(turn);
    setInterval(() => this.live && still.matches && this.draw(), 500);
  }

  clear(columns = SHOWN) {
    this.size = columns;
    this.columns = [];
    this.count = this.shown = 0;
    this.live = columns === SHOWN;
    this.mel = Object.assign(document.createElement("canvas"), { width: columns, height: BANDS });
    this.colours = null;
    this.draw();
  }

  /** A whole file: everything at once, over the whole width. */
  whole(bytes) {
    this.clear(Math.max(1, Math.floor(bytes.length / COLUMN)));
    this.live = false;
    this.add(bytes, false);
    this.shown = this.count;
    this.draw();
  }

  add(bytes, speaking) {
    for (let at = 0; at + COLUMN <= bytes.length; at += COLUMN) {
      const column = { bytes: bytes.slice(at, at + COLUMN), speaking };
      this.columns[this.count % this.size] = column;
      this.paint(column, this.count % this.size);
      this.count++;
    }
    if (this.count - this.shown > 40) this.shown = this.count - 4; // the page was asleep
  }

  paint(column, at) {
    this.colours ??= ramp();
    const pixels = new ImageData(1, BANDS);
    for (let band = 0; band < BANDS; band++) {
      const from = 4 * column.bytes[2 + band];
      pixels.data.set(this.colours.subarray(from, from + 4), 4 * (BANDS - 1 - band));
    }
    this.mel.getContext("2d").putImageData(pixels, at, 0);
  }

  repaint() {
    this.colours = null;
    this.columns.forEach((column, at) => this.paint(column, at));
    this.draw();
  }

  draw() {
    const { width, height, ratio, pen } = fit(this.canvas);
    if (!width || !height) return;
    // The newest column slides in instead of jumping.
    this.shown = this.live && !still.matches ? this.shown + (this.count - this.shown) * 0.2 : this.count;
    if (this.count - this.shown < 0.05) this.shown = this.count;
    this.moved = this.shown < this.count;
    const step = width / this.size;
    const split = Math.round(height * 0.36);
    pen.clearRect(0, 0, width, height);
    const first = Math.max(0, this.count - this.size);
    const x = (at) => (this.live ? width - (this.shown - at) * step : at * step);

    pen.imageSmoothingEnabled = true;
    pen.imageSmoothingQuality = "high";
    for (const [from, to] of this.pieces(first, this.count)) {
      pen.drawImage(this.mel, from % this.size, 0, to - from, BANDS, x(from), split, (to - from) * step + 0.5, height - split);
    }
    if (!this.count) return;
    pen.fillStyle = css("--edge");
    pen.fillRect(0, split, width, ratio);
    pen.fillStyle = css("--wave");
    const middle = split / 2;
    const loudest = this.columns.reduce((most, { bytes }) => Math.max(most, bytes[0] - 128, 128 - bytes[1]), 12);
    for (let at = first; at < this.count; at++) {
      const { bytes } = this.columns[at % this.size];
      const up = ((bytes[0] - 128) / loudest) * (middle - 8 * ratio);
      const down = ((128 - bytes[1]) / loudest) * (middle - 8 * ratio);
      pen.fillRect(x(at), middle - Math.max(up, ratio / 2), Math.max(step - ratio * 0.4, ratio * 0.7), Math.max(up + down, ratio));
    }
    pen.fillStyle = css("--accent");
    for (let at = first; at < this.count; at++) {
      if (this.columns[at % this.size].speaking) pen.fillRect(x(at), split - 3 * ratio, step + 0.5, 3 * ratio);
    }
  }

  /** Runs of columns that lie side by side in the ring. */
  *pieces(first, last) {
    const turn = Math.ceil(first / this.size) * this.size;
    if (first < turn) yield [first, Math.min(turn, last)];
    if (turn < last) yield [Math.max(first, turn), last];
  }
}

export class Stream {
  constructor(canvas, emotions) {
    Object.assign(this, { canvas, emotions, points: [], span: null });
    new ResizeObserver(() => this.draw()).observe(canvas);
    dark.addEventListener("change", () => this.draw());
    setInterval(() => !this.span && this.points.length && this.draw(), 250);
  }

  /** A guess at this moment. */
  add(probabilities) {
    const now = performance.now() / 1000;
    this.span = null;
    this.points.push({ at: now, probabilities });
    while (this.points.length && this.points[0].at < now - STREAM_SECONDS - 2) this.points.shift();
    this.draw();
  }

  /** Guesses over a whole file. */
  whole(answers, seconds) {
    this.points = answers
      .filter(({ likeliest }) => likeliest)
      .map(({ start, end, calibrated }) => ({ at: (start + end) / 2, probabilities: calibrated }));
    this.span = [0, seconds];
    this.draw();
  }

  clear() {
    this.points = [];
    this.span = null;
    this.draw();
  }

  draw() {
    const { width, height, pen } = fit(this.canvas);
    const now = performance.now() / 1000;
    const [from, to] = this.span ?? [now - STREAM_SECONDS, now];
    pen.clearRect(0, 0, width, height);
    const x = (at) => ((at - from) / (to - from)) * width;
    // Guesses that are further apart than a breath belong to different utterances.
    const runs = [];
    for (const point of this.points) {
      const run = runs.at(-1);
      if (run && (this.span || point.at - run.at(-1).at < 1.2)) run.push(point);
      else runs.push([point]);
    }
    for (const run of runs) {
      if (run.length === 1) run.push({ ...run[0], at: run[0].at + 0.25 });
      let base = run.map(() => 0);
      for (const emotion of this.emotions) {
        const top = run.map(({ probabilities }, at) => base[at] + probabilities[emotion]);
        pen.beginPath();
        run.forEach(({ at }, number) => pen.lineTo(x(at), height * (1 - base[number])));
        run.toReversed().forEach(({ at }, number) => pen.lineTo(x(at), height * (1 - top[run.length - 1 - number])));
        pen.closePath();
        pen.fillStyle = css(`--${emotion}`);
        pen.fill();
        base = top;
      }
    }
  }
}
