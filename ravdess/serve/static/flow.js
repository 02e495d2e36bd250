// How far behind the server is. Sound that it cannot hear in time is left out whole, never queued: what is judged is
// the present.
import { COLUMN, COLUMN_SECONDS } from "./draw.js";

const BEHIND = 2; // seconds on their way, or waiting to be heard

export class Flow {
  constructor(link, onBusy) {
    Object.assign(this, { link, onBusy });
  }

  start(rate) {
    this.rate = rate;
    this.busy = false;
    this.ahead = 0;
    this.link.wish({ do: "start", rate });
  }

  send(bytes) {
    if (this.busy) return;
    this.ahead += (bytes.length - 1) / 2 / this.rate;
    this.link.send(bytes);
    if (this.ahead < BEHIND) return;
    this.link.wish({ do: "stop" });
    this.start(this.rate);
    this.busy = true;
    this.onBusy(true);
  }

  /** Columns tell how much was heard. */
  heard(columns) {
    this.ahead -= (columns.length / COLUMN) * COLUMN_SECONDS;
  }

  /** All that was sent is heard, and the server waits for more. */
  listening() {
    if (!this.busy) return;
    this.busy = false;
    this.ahead = 0;
    this.onBusy(false);
  }
}
