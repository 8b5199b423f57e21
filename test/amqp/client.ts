import { connect as netConnect, type Socket } from 'node:net';
import {
  type Frame,
  Frames,
  frame,
  frameType,
  long,
  longlong,
  longText,
  octet,
  short,
  shortText,
  table,
} from './wire.ts';

export interface Broker {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** Class and method of AMQP 0-9-1 as one number. */
function method(classId: number, methodId: number): number {
  return classId * 1000 + methodId;
}

const start = method(10, 10);
const tune = method(10, 30);
const openOk = method(10, 41);
const connectionClose = method(10, 50);
const channelOpenOk = method(20, 11);
const channelClose = method(20, 40);
const declareOk = method(50, 11);
const qosOk = method(60, 11);
const consumeOk = method(60, 21);
const returned = method(60, 50);
const deliver = method(60, 60);
const ack = method(60, 80);
const nack = method(60, 120);
const selectOk = method(85, 11);

export interface Delivery {
  readonly tag: bigint;
  readonly redelivered: boolean;
  readonly body: string;
}

export interface ChannelEvents {
  /** Of published messages, by their numbers from 1 on. */
  onConfirm?: (number: bigint, multiple: boolean, good: boolean) => void;
  /** One that no queue took; its confirmation comes all the same. */
  onReturn?: () => void;
  onDelivery?: (delivery: Delivery) => void;
}

/** One connection with one channel. Any problem ends it, and `closed` says which. */
export class AmqpConnection {
  readonly closed: Promise<string>;
  readonly #socket: Socket;
  readonly #frames = new Frames();
  readonly #events: ChannelEvents;
  readonly #waiting: { readonly method: number; readonly done: () => void }[] = [];
  #arriving: { delivery?: Omit<Delivery, 'body'> | undefined; size: number; parts: Buffer[] } | undefined;
  #end: (why: string) => void = () => undefined;

  private constructor(socket: Socket, events: ChannelEvents) {
    this.#socket = socket;
    this.#events = events;
    this.closed = new Promise((resolve) => {
      this.#end = resolve;
    });
    socket.on('data', (data) => {
      for (const one of this.#frames.take(data)) this.#arrived(one);
    });
    socket.on('error', (problem) => this.#end(problem.message));
    socket.on('close', () => this.#end('closed'));
  }

  static async open(broker: Broker, events: ChannelEvents, timeoutMs = 5000): Promise<AmqpConnection> {
    const socket = netConnect({ host: broker.address, port: broker.port, noDelay: true });
    const connection = new AmqpConnection(socket, events);
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), timeoutMs);
    try {
      await connection.#shakeHands(broker);
      return connection;
    } catch (problem) {
      socket.destroy();
      throw problem;
    } finally {
      clearTimeout(timer);
    }
  }

  async #shakeHands({ user, password }: Broker): Promise<void> {
    const started = this.#answer(start);
    this.#socket.write(Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]));
    await started;
    const tuned = this.#answer(tune);
    const login = longText(`\0${user}\0${password}`);
    this.#send(0, 10, 11, [table({}), shortText('PLAIN'), login, shortText('en_US')]);
    await tuned;
    const opened = this.#answer(openOk);
    this.#send(0, 10, 31, [short(16), long(131_072), short(0)]);
    this.#send(0, 10, 40, [shortText('/'), shortText(''), octet(0)]);
    await opened;
    const channel = this.#answer(channelOpenOk);
    this.#send(1, 20, 10, [shortText('')]);
    await channel;
  }

  /** Durable; `arguments_` such as `x-queue-type: quorum`. */
  async declare(queue: string, arguments_: Readonly<Record<string, string>>): Promise<void> {
    const done = this.#answer(declareOk);
    this.#send(1, 50, 10, [short(0), shortText(queue), octet(2), table(arguments_)]);
    await done;
  }

  async confirm(): Promise<void> {
    const done = this.#answer(selectOk);
    this.#send(1, 85, 10, [octet(0)]);
    await done;
  }

  async consume(queue: string, prefetch: number): Promise<void> {
    const limited = this.#answer(qosOk);
    this.#send(1, 60, 10, [long(0), short(prefetch), octet(0)]);
    await limited;
    const done = this.#answer(consumeOk);
    this.#send(1, 60, 20, [short(0), shortText(queue), shortText('c'), octet(0), table({})]);
    await done;
  }

  /** Persistent, and returned when no queue takes it. */
  publish(queue: string, text: string): void {
    const body = Buffer.from(text);
    this.#send(1, 60, 40, [short(0), shortText(''), shortText(queue), octet(1)]);
    const header = [short(60), short(0), longlong(BigInt(body.length)), short(0x1000), octet(2)];
    this.#socket.write(frame(frameType.header, 1, Buffer.concat(header)));
    this.#socket.write(frame(frameType.body, 1, body));
  }

  ack(tag: bigint): void {
    this.#send(1, 60, 80, [longlong(tag), octet(0)]);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #send(channel: number, classId: number, methodId: number, args: readonly Buffer[]): void {
    this.#socket.write(frame(frameType.method, channel, Buffer.concat([short(classId), short(methodId), ...args])));
  }

  async #answer(wanted: number): Promise<void> {
    const answered = new Promise<undefined>((resolve) => {
      this.#waiting.push({ method: wanted, done: () => resolve(undefined) });
    });
    const ended = await Promise.race([answered, this.closed]);
    if (ended !== undefined) throw new Error(`the connection ended: ${ended}`);
  }

  #arrived({ type, payload }: Frame): void {
    if (type === frameType.method) this.#called(payload);
    else if (type === frameType.header) this.#begun(Number(payload.readBigUInt64BE(4)));
    else if (type === frameType.body) this.#part(payload);
  }

  #called(payload: Buffer): void {
    const what = method(payload.readUInt16BE(0), payload.readUInt16BE(2));
    if (what === ack || what === nack) {
      this.#events.onConfirm?.(payload.readBigUInt64BE(4), (payload.readUInt8(12) & 1) === 1, what === ack);
    } else if (what === deliver) {
      const at = 5 + payload.readUInt8(4);
      const redelivered = payload.readUInt8(at + 8) === 1;
      this.#arriving = { delivery: { tag: payload.readBigUInt64BE(at), redelivered }, size: 0, parts: [] };
    } else if (what === returned) {
      this.#arriving = { size: 0, parts: [] };
      this.#events.onReturn?.();
    } else if (what === connectionClose || what === channelClose) {
      const text = payload.subarray(7, 7 + payload.readUInt8(6)).toString();
      this.#end(text);
      this.#socket.destroy();
    } else {
      const at = this.#waiting.findIndex((one) => one.method === what);
      if (at >= 0) this.#waiting.splice(at, 1)[0]?.done();
    }
  }

  #begun(size: number): void {
    if (this.#arriving) this.#arriving.size = size;
    this.#complete();
  }

  #part(payload: Buffer): void {
    this.#arriving?.parts.push(Buffer.from(payload));
    this.#complete();
  }

  #complete(): void {
    const arriving = this.#arriving;
    if (arriving === undefined) return;
    const body = Buffer.concat(arriving.parts);
    if (body.length < arriving.size) return;
    this.#arriving = undefined;
    if (arriving.delivery) this.#events.onDelivery?.({ ...arriving.delivery, body: body.toString() });
  }
}
