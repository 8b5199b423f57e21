const masked = '‹secret›';

/**
 * A value that cannot be printed or serialised by accident: string conversion, JSON and `console.log` all
 * show a mask. `reveal()` is the only way to the text and is called where it leaves for its destination.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return masked;
  }

  toJSON(): string {
    return masked;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return masked;
  }
}

export function isSecret(value: unknown): value is Secret {
  return value instanceof Secret;
}
