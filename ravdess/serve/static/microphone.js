// The microphone as it is: no echo cancelling, no noise suppression, no automatic gain, which all change a voice.
export class Microphone {
  constructor(onPiece) {
    this.onPiece = onPiece;
  }

  get on() {
    return Boolean(this.context);
  }

  /** Ask for the microphone and begin; resolves to its rate in Hz. */
  async start() {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: { ideal: 1 } },
    });
    try {
      const context = new AudioContext({ latencyHint: "interactive" });
      this.stream = stream;
      this.context = context;
      await context.audioWorklet.addModule("/worklet.js");
      if (context.state === "suspended") await context.resume();
      return context.sampleRate;
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Let the pieces come; the listener must know the rate by now. */
  flow() {
    const node = new AudioWorkletNode(this.context, "pieces", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => this.onPiece(data);
    this.context.createMediaStreamSource(this.stream).connect(node);
    this.node = node;
  }

  stop() {
    if (this.node) this.node.port.onmessage = null;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.context?.close();
    this.node = this.stream = this.context = null;
  }
}
