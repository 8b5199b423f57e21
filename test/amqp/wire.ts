/** The little of AMQP 0-9-1 that tests need: frames, and the few types of arguments. */
export interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

export const frameType = { method: 1, header: 2, body: 3, heartbeat: 8 } as const;

const frameEnd = 0xce;

export function frame(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(7);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([frameEnd])]);
}

/** Cuts a stream of bytes into frames. */
export class Frames {
  #rest = Buffer.alloc(0);

  take(data: Buffer): Frame[] {
    this.#rest = Buffer.concat([this.#rest, data]);
    const frames: Frame[] = [];
    for (;;) {
      const size = this.#rest.length >= 7 ? this.#rest.readUInt32BE(3) + 8 : Number.POSITIVE_INFINITY;
      if (this.#rest.length < size) return frames;
      const [type, channel] = [this.#rest.readUInt8(0), this.#rest.readUInt16BE(1)];
      frames.push({ type, channel, payload: this.#rest.subarray(7, size - 1) });
      this.#rest = this.#rest.subarray(size);
    }
  }
}

export function octet(value: number): Buffer {
  return Buffer.from([value]);
}

export function short(value: number): Buffer {
  const out = Buffer.alloc(2);
  out.writeUInt16BE(value);
  return out;
}

export function long(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

export function longlong(value: bigint): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(value);
  return out;
}

export function shortText(value: string): Buffer {
  const text = Buffer.from(value);
  return Buffer.concat([octet(text.length), text]);
}

export function longText(value: string): Buffer {
  const text = Buffer.from(value);
  return Buffer.concat([long(text.length), text]);
}

/** Texts alone. */
export function table(values: Readonly<Record<string, string>>): Buffer {
  const fields = Object.entries(values).map(([key, value]) =>
    Buffer.concat([shortText(key), Buffer.from('S'), longText(value)]),
  );
  const all = Buffer.concat(fields);
  return Buffer.concat([long(all.length), all]);
}
