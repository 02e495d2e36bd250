// The camera: a small picture a few times a second, the next one only when the last was looked at.
const WIDTH = 320;
const PERIOD = 200;

export class Camera {
  constructor(video, onPicture) {
    this.video = video;
    this.onPicture = onPicture;
    this.canvas = document.createElement("canvas");
  }

  get on() {
    return Boolean(this.stream);
  }

  async start() {
    this.stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 640 }, height: { ideal: 400 }, facingMode: "user" },
    });
    this.video.srcObject = this.stream;
    await this.video.play();
    this.waiting = 0;
    this.video.parentElement.style.aspectRatio = `${this.video.videoWidth} / ${this.video.videoHeight}`;
    this.timer = setInterval(() => this.take(), PERIOD);
  }

  take() {
    const { videoWidth: width, videoHeight: height } = this.video;
    // A picture that nobody answered for two seconds is given up.
    if (!width || performance.now() - this.waiting < 2000 || document.hidden) return;
    this.waiting = performance.now();
    this.canvas.width = WIDTH;
    this.canvas.height = Math.round((WIDTH * height) / width);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    this.canvas.toBlob(
      async (blob) => {
        if (!blob || !this.on) return;
        const bytes = new Uint8Array(1 + blob.size);
        bytes[0] = 1;
        bytes.set(new Uint8Array(await blob.arrayBuffer()), 1);
        this.onPicture(bytes);
      },
      "image/jpeg",
      0.85,
    );
  }

  /** The last picture was looked at. */
  seen() {
    this.waiting = 0;
  }

  stop() {
    clearInterval(this.timer);
    this.stream?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
    this.stream = null;
  }
}
