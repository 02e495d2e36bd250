// The line to the server. The token stands behind # in the address, which a browser sends to nobody.
const HELD = 400_000; // bytes that may wait to be sent; beyond, pieces are left out, never queued

let token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";

export const setToken = (given) => {
  token = given.trim();
};

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function ask(address, options = {}) {
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  let answer;
  try {
    answer = await fetch(address, { ...options, headers, cache: "no-store", credentials: "omit" });
  } catch {
    throw new Refused(0, "The server does not answer. Is it still running in the terminal?");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, told.error ?? `The server answers with status ${answer.status}.`);
  return told;
}

export class Link {
  constructor({ onMessage, onColumns, onClose }) {
    Object.assign(this, { onMessage, onColumns, onClose });
  }

  get open() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  connect() {
    if (this.open) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`;
      const socket = new WebSocket(address, token ? ["ravdess", `token.${token}`] : ["ravdess"]);
      socket.binaryType = "arraybuffer";
      socket.onopen = () => {
        this.socket = socket;
        resolve();
      };
      socket.onmessage = ({ data }) => {
        if (typeof data === "string") this.onMessage(JSON.parse(data));
        else this.onColumns(new Uint8Array(data));
      };
      socket.onclose = ({ reason, code }) => {
        const why = reason || (code === 1012 || code === 1001 ? "The server has stopped." : "The connection is gone.");
        if (this.socket === socket) {
          this.socket = null;
          this.onClose(why);
        } else reject(new Refused(0, reason || "The server does not answer. Is it still running in the terminal?"));
      };
    });
  }

  wish(wish) {
    if (this.open) this.socket.send(JSON.stringify(wish));
  }

  send(bytes) {
    if (this.open && this.socket.bufferedAmount < HELD) this.socket.send(bytes);
  }

  close() {
    const { socket } = this;
    this.socket = null;
    socket?.close(1000);
  }
}
