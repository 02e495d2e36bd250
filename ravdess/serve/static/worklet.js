// On the audio thread: channels averaged, 16 bits, pieces of 1024 samples, one byte before them that says "sound".
const PIECE = 1024;

class Pieces extends AudioWorkletProcessor {
  constructor() {
    super();
    this.sum = new Float32Array(PIECE);
    this.count = 0;
  }

  process([channels]) {
    if (!channels.length) return true;
    const size = channels[0].length;
    for (let at = 0; at < size; at++) {
      let value = 0;
      for (const channel of channels) value += channel[at];
      this.sum[this.count++] = value / channels.length;
      if (this.count === PIECE) this.post();
    }
    return true;
  }

  post() {
    const bytes = new Uint8Array(1 + 2 * PIECE);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < PIECE; at++) {
      const value = Math.max(-32768, Math.min(32767, Math.round(this.sum[at] * 32768)));
      view.setInt16(1 + 2 * at, value, true);
    }
    this.count = 0;
    this.port.postMessage(bytes, [bytes.buffer]);
  }
}

registerProcessor("pieces", Pieces);
