import { setTimeout as sleep } from 'node:timers/promises';
import { AmqpConnection, type Broker, type ChannelEvents } from './client.ts';

export interface LoadReport {
  /** Messages the broker has confirmed. */
  readonly confirmed: number;
  /** Confirmed ones that no consumer ever got. */
  readonly lost: number;
  /** Consumed more than once: at least once is what is promised. */
  readonly duplicates: number;
  /** Sent again because their confirmation had not come. */
  readonly repeated: number;
  readonly refused: number;
  /** Connections that ended under a publisher or consumer. */
  readonly reconnects: number;
  /** Longest time without any confirmation. */
  readonly longestGapMs: number;
}

/**
 * A publisher with confirms and a consumer that acknowledges, on one durable queue, until told to stop. Both go to
 * the next broker when theirs goes away, as OpenStack's services do; what was not confirmed is sent once more.
 */
export class AmqpLoad {
  readonly #brokers: readonly Broker[];
  readonly #queue: string;
  readonly #arguments: Readonly<Record<string, string>>;
  readonly #confirmed = new Set<number>();
  readonly #consumed = new Map<number, number>();
  #next = 0;
  #repeat: number[] = [];
  #repeated = 0;
  #refused = 0;
  #reconnects = 0;
  #lastConfirm = 0;
  #longestGapMs = 0;
  #publishing = true;
  #consuming = true;
  #loops: Promise<void>[] = [];

  constructor(brokers: readonly Broker[], queue: string, arguments_: Readonly<Record<string, string>>) {
    this.#brokers = brokers;
    this.#queue = queue;
    this.#arguments = arguments_;
  }

  /** Returns once the first message has been confirmed. */
  async start(): Promise<void> {
    this.#lastConfirm = performance.now();
    this.#loops = [this.#publishLoop(), this.#consumeLoop()];
    while (this.#confirmed.size === 0) await sleep(20);
    this.#longestGapMs = 0;
  }

  get confirmed(): number {
    return this.#confirmed.size;
  }

  /** Ends publishing, lets the consumer take what is left, and counts. */
  async stop(patienceMs = 60_000): Promise<LoadReport> {
    this.#publishing = false;
    await this.#loops[0];
    const end = performance.now() + patienceMs;
    while (this.#missing().length > 0 && performance.now() < end) await sleep(100);
    this.#consuming = false;
    await this.#loops[1];
    const counts = [...this.#consumed.values()];
    return {
      confirmed: this.#confirmed.size,
      lost: this.#missing().length,
      duplicates: counts.filter((count) => count > 1).length,
      repeated: this.#repeated,
      refused: this.#refused,
      reconnects: this.#reconnects,
      longestGapMs: Math.round(this.#longestGapMs),
    };
  }

  #missing(): number[] {
    return [...this.#confirmed].filter((id) => !this.#consumed.has(id));
  }

  async #publishLoop(): Promise<void> {
    for (let at = 0; this.#publishing; at++) await this.#publishTo(this.#broker(at));
  }

  async #consumeLoop(): Promise<void> {
    for (let at = 1; this.#consuming; at++) await this.#consumeFrom(this.#broker(at));
  }

  #broker(at: number): Broker {
    const broker = this.#brokers[at % this.#brokers.length];
    if (broker === undefined) throw new Error('no brokers');
    return broker;
  }

  async #publishTo(broker: Broker): Promise<void> {
    const pending = new Map<bigint, number>();
    let sent = 0n;
    let returned = false;
    const onConfirm = (number: bigint, multiple: boolean, good: boolean) => {
      const numbers = multiple ? [...pending.keys()].filter((one) => one <= number) : [number];
      for (const one of numbers) if (!returned) this.#settle(pending, one, good);
    };
    // No queue took one, and its confirmation must not count: all that is open is sent again.
    const onReturn = () => {
      returned = true;
    };
    const connection = await this.#connect(broker, { onConfirm, onReturn });
    if (connection === undefined) return;
    let open = true;
    void connection.closed.then(() => {
      open = false;
    });
    const opened = performance.now();
    while (open && !returned && this.#publishing) {
      const stuck = performance.now() - Math.max(this.#lastConfirm, opened) > 5000;
      if (stuck) break;
      if (pending.size < 20) {
        const id = this.#repeat.shift() ?? this.#next++;
        sent += 1n;
        pending.set(sent, id);
        connection.publish(this.#queue, String(id));
      }
      await sleep(4);
    }
    const end = performance.now() + 5000;
    while (open && !returned && pending.size > 0 && performance.now() < end) await sleep(10);
    connection.destroy();
    if (this.#publishing) this.#reconnects += 1;
    this.#repeated += pending.size;
    this.#repeat.push(...pending.values());
  }

  #settle(pending: Map<bigint, number>, number: bigint, good: boolean): void {
    const id = pending.get(number);
    if (id === undefined) return;
    pending.delete(number);
    if (!good) {
      this.#refused += 1;
      this.#repeat.push(id);
      return;
    }
    this.#confirmed.add(id);
    const now = performance.now();
    this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastConfirm);
    this.#lastConfirm = now;
  }

  async #consumeFrom(broker: Broker): Promise<void> {
    let connection: AmqpConnection | undefined;
    const onDelivery = ({ tag, body }: { readonly tag: bigint; readonly body: string }) => {
      const id = Number(body);
      this.#consumed.set(id, (this.#consumed.get(id) ?? 0) + 1);
      connection?.ack(tag);
    };
    connection = await this.#connect(broker, { onDelivery }, (one) => {
      connection = one;
      return one.consume(this.#queue, 50);
    });
    if (connection === undefined) return;
    let open = true;
    void connection.closed.then(() => {
      open = false;
    });
    while (open && this.#consuming) await sleep(20);
    connection.destroy();
    if (this.#consuming) this.#reconnects += 1;
  }

  /** Undefined when this broker is not to be had just now. */
  async #connect(
    broker: Broker,
    events: ChannelEvents,
    prepare: (connection: AmqpConnection) => Promise<void> = (one) => one.confirm(),
  ): Promise<AmqpConnection | undefined> {
    try {
      const connection = await AmqpConnection.open(broker, events);
      try {
        await connection.declare(this.#queue, this.#arguments);
        await prepare(connection);
        return connection;
      } catch (problem) {
        connection.destroy();
        throw problem;
      }
    } catch {
      await sleep(100);
      return undefined;
    }
  }
}
